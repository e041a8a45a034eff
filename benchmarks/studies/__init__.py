"""The evidence: the paper's studies and every rival at equal wall time.

`python -m benchmarks study` runs it. Reading order: `simulated`, `realdata`, `problems`,
`densities`, `polish`, `judge`, `environments`, `processes`, `contenders`, `store`, `study`, the
studies, `tables`, `figures`, `command`.
"""
