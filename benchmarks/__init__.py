"""Measurements of the library beside others, run with ``python -m benchmarks`` from a clone."""
