"""Summaries and reports: a fitted model in words, tables and pictures."""
