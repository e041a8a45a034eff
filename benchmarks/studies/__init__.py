"""The evidence: the paper's studies and every rival at equal wall time, run by `biglearn study`.

Reading order: `simulated`, `realdata`, `problems`, `judge`, `processes`, `contenders`, `store`,
`study`, the studies, `tables`, `figures`, `command`.
"""
