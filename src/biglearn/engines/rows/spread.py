"""The spread of a column as a few far values cannot move it."""

from __future__ import annotations

import numpy as np

from biglearn._types import Array
from biglearn.engines.rows.sampled import sample_rows
from biglearn.engines.rows.summaries import Summable

#: Rows that are looked at, about; all of them up to this number.
_ROWS = 8192

#: Share of the distances that lie within the one that is taken.
_WITHIN = 0.75

#: Distances below this share of the median's size are rounding errors.
_ROUNDING = 1e-12


def measure_spread(source: Summable) -> tuple[Array, Array]:
    """Return the median of each column, and how far values mostly are from it, shapes (D,).

    The distance is the upper quartile of |x - median| among values that are not the median
    itself: a column that is mostly zeros is judged by its other values.  It is zero for a
    constant column.  Up to a fifth or so of far values, of whatever size, hardly move either.
    """
    sample = sample_rows(source, _ROWS)
    medians = np.zeros(sample.rows.shape[1])
    distances = np.zeros_like(medians)
    for j, column in enumerate(sample.rows.T.astype(np.float64)):
        there = ~np.isnan(column)
        if not there.any():
            continue
        values, weights = column[there], sample.weights[there]
        medians[j] = _quantile(values, weights, 0.5)
        with np.errstate(over="ignore"):
            gaps = np.abs(values - medians[j])
        apart = gaps > _ROUNDING * np.abs(medians[j])
        if apart.any():
            distances[j] = _quantile(gaps[apart], weights[apart], _WITHIN)
    return medians, distances


def _quantile(values: Array, weights: Array, share: float) -> float:
    """Return the least value that this share of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(reached, share * reached[-1] * (1 - 1e-12))]])
