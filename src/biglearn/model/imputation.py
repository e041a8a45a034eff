"""Filling gaps: rows with missing values to complete ones, under a mixture."""

from __future__ import annotations

import numpy as np

from biglearn._types import Array
from biglearn.model.checks import check_choice, check_number
from biglearn.model.components import Components
from biglearn.model.gaps import drawing, expectation, fill, find_patterns, likeliest, stacked
from biglearn.model.views import View

HOW = ("mean", "mode", "sample")


def impute(
    components: Components,
    X: Array,
    *,
    how: str = "mean",
    n: int = 1,
    rng: np.random.Generator | int | None = None,
) -> Array:
    """Fill the gaps of rows, (N, D); see `Mixture.impute`."""
    check_choice("how", how, HOW)
    check_number("n", n, low=1, integer=True)
    if n > 1 and how != "sample":
        raise ValueError(f"how={how!r} has one answer, got n={n}; draw several with how='sample'")
    missing = np.isnan(X)
    centre = components.weights @ components.means  # so that an offset costs no digits
    centred = components.shifted(-centre)
    rows = np.where(missing, 0.0, X - centre)
    patterns = find_patterns(missing, View.joint(components.n_features))
    stacks = stacked(pattern for pattern in patterns if len(pattern.hidden))
    rules = {"mean": expectation, "mode": likeliest}
    rule = rules.get(how) or drawing(np.random.default_rng(rng))
    filled = np.where(missing, fill(centred, rows, stacks, rule, n) + centre, X)
    return filled if how == "sample" else np.asarray(filled[0])
