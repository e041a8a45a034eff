"""Gaussian mixtures that escape bad local optima, by big learning expectation maximization."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from biglearn._version import __version__

if TYPE_CHECKING:
    from biglearn import engines as engines
    from biglearn import io as io
    from biglearn import plots as plots
    from biglearn.estimators.anomaly import BigLearnAnomalyDetector
    from biglearn.estimators.classifier import BigLearnClassifier
    from biglearn.estimators.fitting import DoubtfulFitWarning
    from biglearn.estimators.mixture import BigLearnGaussianMixture, GaussianMixture
    from biglearn.estimators.regression import BigLearnRegressor
    from biglearn.estimators.selection import select_mixture
    from biglearn.model.mixture import Mixture
    from biglearn.model.prior import CovariancePrior
    from biglearn.model.views import View
    from biglearn.search.em import EM
    from biglearn.search.paper import Paper
    from biglearn.search.records import Record
    from biglearn.search.search import Search

__all__ = [
    "EM",
    "BigLearnAnomalyDetector",
    "BigLearnClassifier",
    "BigLearnGaussianMixture",
    "BigLearnRegressor",
    "CovariancePrior",
    "DoubtfulFitWarning",
    "GaussianMixture",
    "Mixture",
    "Paper",
    "Record",
    "Search",
    "View",
    "__version__",
    "select_mixture",
]

#: Where the public names live.  They are imported when they are first asked for,
#: since scikit-learn takes seconds to load (PEP 562).
_HOMES = {
    "EM": "search.em",
    "BigLearnAnomalyDetector": "estimators.anomaly",
    "BigLearnClassifier": "estimators.classifier",
    "BigLearnGaussianMixture": "estimators.mixture",
    "BigLearnRegressor": "estimators.regression",
    "CovariancePrior": "model.prior",
    "DoubtfulFitWarning": "estimators.fitting",
    "GaussianMixture": "estimators.mixture",
    "Mixture": "model.mixture",
    "Paper": "search.paper",
    "Record": "search.records",
    "Search": "search.search",
    "View": "model.views",
    "select_mixture": "estimators.selection",
}

#: Public modules, imported when they are first asked for too.
_MODULES = ("engines", "io", "plots")


if not TYPE_CHECKING:  # for a type checker every name would exist

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
            globals()[name] = value
            return value
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
