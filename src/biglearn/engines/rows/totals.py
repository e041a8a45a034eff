"""Sums over rows that criteria are made of."""

from __future__ import annotations

import numpy as np

from biglearn._types import Array, FloatArray
from biglearn.engines.rows.summaries import Summable
from biglearn.model.mixture import Mixture
from biglearn.model.noise import NoisyMixture


def totals(source: Summable, mixture: Mixture | NoisyMixture, *, entropy: bool = False) -> Array:
    """Return N, the log-likelihood and (if asked) the entropy of the responsibilities.

    Where rows have weights, these are taken to sum to N.
    """

    def summary(rows: FloatArray, weights: Array | None) -> Array:
        ours = np.ones(len(rows)) if weights is None else weights
        spread = 0.0
        if entropy:
            shares = mixture.responsibilities(rows)
            spread = -float(ours @ (shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1))
        return np.array([len(rows), ours.sum(), ours @ mixture.log_density(rows), spread])

    n_rows, weight, log_likelihood, spread = source.total(summary)
    return np.array([n_rows, log_likelihood * n_rows / weight, spread * n_rows / weight])
