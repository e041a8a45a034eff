"""Sums over rows that criteria are made of."""

from __future__ import annotations

import numpy as np

from biglearn._types import Array, FloatArray
from biglearn.engines.rows.summaries import Summable
from biglearn.model.mixture import Mixture
from biglearn.model.noise import NoisyMixture


def totals(source: Summable, mixture: Mixture | NoisyMixture, *, entropy: bool = False) -> Array:
    """Return N, the log-likelihood and (if asked) the entropy of the responsibilities.

    A row of weight 3 counts as three.  Weights whose mean is below 1, such as those that sum
    to 1, are scaled to a mean of 1.
    """

    def summary(rows: FloatArray, weights: Array | None) -> Array:
        ours = np.ones(len(rows)) if weights is None else weights
        spread = 0.0
        if entropy:
            shares = mixture.responsibilities(rows)
            spread = -float(ours @ (shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1))
        return np.array([len(rows), ours.sum(), ours @ mixture.log_density(rows), spread])

    n_rows, weight, log_likelihood, spread = source.total(summary)
    unit = min(1.0, weight / n_rows)
    return np.asarray(np.array([weight, log_likelihood, spread]) / unit)
