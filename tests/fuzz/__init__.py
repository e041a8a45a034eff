"""Fuzzing: hostile data and parameters, and what must hold of every fit to them."""
