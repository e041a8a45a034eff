"""Gaussian mixtures that escape bad local optima, by big learning expectation maximization."""

from biglearn._version import __version__

__all__ = ["__version__"]
