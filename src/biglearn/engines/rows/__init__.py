"""Checks, units and sums of rows, wherever they live."""
