"""Pictures of mixtures and fits, drawn with matplotlib (extra `plots`).

A `Display` is made by ``from_estimator(model, ...)``, which draws at once, and keeps what it drew
in `ax_` and `figure_`.  Colours are told apart with any colour vision; components carry their
numbers, as `predict` gives them.
"""

from biglearn.plots.components import AlarmsDisplay, ProfilesDisplay
from biglearn.plots.density import DensityDisplay, HistogramDisplay, UncertaintyDisplay
from biglearn.plots.history import CriterionDisplay, HistoryDisplay, criterion, likelihood
from biglearn.plots.outlines import ellipses
from biglearn.plots.pairs import PairsDisplay
from biglearn.plots.rows import AnomaliesDisplay, RegressionDisplay, ResponsibilitiesDisplay

__all__ = [
    "AlarmsDisplay",
    "AnomaliesDisplay",
    "CriterionDisplay",
    "DensityDisplay",
    "HistogramDisplay",
    "HistoryDisplay",
    "PairsDisplay",
    "ProfilesDisplay",
    "RegressionDisplay",
    "ResponsibilitiesDisplay",
    "UncertaintyDisplay",
    "criterion",
    "ellipses",
    "likelihood",
]
