"""Gaussian mixtures that escape bad local optima, by big learning expectation maximization."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from biglearn._version import __version__

if TYPE_CHECKING:
    from biglearn import engines as engines
    from biglearn import io as io
    from biglearn import methods as methods
    from biglearn import moves as moves
    from biglearn import plots as plots
    from biglearn import records as records
    from biglearn import schedules as schedules
    from biglearn import selection as selection
    from biglearn import views as views
    from biglearn.anomaly import BigLearnAnomalyDetector
    from biglearn.estimator import BigLearnGaussianMixture
    from biglearn.mixture import Mixture
    from biglearn.records import Record
    from biglearn.regression import BigLearnRegressor
    from biglearn.selection import select_mixture

__all__ = [
    "BigLearnAnomalyDetector",
    "BigLearnGaussianMixture",
    "BigLearnRegressor",
    "Mixture",
    "Record",
    "__version__",
    "select_mixture",
]

#: Where the public names live.  They are imported when they are first asked for,
#: since scikit-learn takes seconds to load (PEP 562).
_HOMES = {
    "BigLearnAnomalyDetector": "anomaly",
    "BigLearnGaussianMixture": "estimator",
    "BigLearnRegressor": "regression",
    "Mixture": "mixture",
    "Record": "records",
    "select_mixture": "selection",
}

_MODULES = (
    "engines",
    "io",
    "methods",
    "moves",
    "plots",
    "records",
    "schedules",
    "selection",
    "views",
)


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
    return sorted({*globals(), *__all__, *_MODULES})
