"""The search: moves, legs and methods over one run."""
