"""Rows on a torch device."""
