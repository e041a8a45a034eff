"""Starts: the first components of a fit."""
