"""Filling gaps: rows with missing values to complete ones, under a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from biglearn._types import Array
from biglearn.model import gaps as missing
from biglearn.model.checks import check_choice, check_number
from biglearn.model.views import View

if TYPE_CHECKING:
    from biglearn.model.mixture import Mixture

HOW = ("mean", "mode", "sample")


def impute(
    mixture: Mixture,
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
    gaps = np.isnan(X)
    centre = mixture.mean  # differences first, so that an offset costs no digits
    centred = type(mixture).trusted(
        mixture.weights, mixture.means - centre, mixture.covariances, dof=mixture.dof
    )
    rows = np.where(gaps, 0.0, X - centre)
    patterns = missing.find_patterns(gaps, View.joint(mixture.n_features))
    stacks = missing.stacked(pattern for pattern in patterns if len(pattern.hidden))
    rules = {"mean": missing.expectation, "mode": missing.likeliest}
    rule = rules.get(how) or missing.drawing(np.random.default_rng(rng))
    filled = np.where(gaps, missing.fill(centred, rows, stacks, rule, n) + centre, X)
    return filled if how == "sample" else np.asarray(filled[0])
