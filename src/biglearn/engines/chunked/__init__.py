"""Rows out of memory, block after block."""
