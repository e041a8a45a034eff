"""Starts: first mixtures."""
