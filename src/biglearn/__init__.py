"""Gaussian mixtures that escape bad local optima, by big learning expectation maximization."""

from biglearn._version import __version__
from biglearn.estimator import BigLearnGaussianMixture
from biglearn.mixture import Mixture
from biglearn.records import Record

__all__ = ["BigLearnGaussianMixture", "Mixture", "Record", "__version__"]
