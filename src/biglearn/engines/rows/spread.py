"""The spread of a column as a few far values cannot move it."""

from __future__ import annotations

import numpy as np

from biglearn._types import Array
from biglearn.engines.rows.sampled import sample_rows
from biglearn.engines.rows.summaries import Summable

#: Rows that are looked at, about; all of them up to this number.
_ROWS = 8192

#: Numbers that are sorted at a time, about.
_NUMBERS = 1 << 18

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
    n_rows, n_features = sample.rows.shape
    medians, distances = np.zeros(n_features), np.zeros(n_features)
    step = max(1, _NUMBERS // n_rows)
    for start in range(0, n_features, step):
        some = slice(start, start + step)
        columns = np.ascontiguousarray(sample.rows[:, some].T, dtype=np.float64)
        weights = np.where(np.isnan(columns), 0.0, sample.weights)
        medians[some] = middle = _quantiles(columns, weights, 0.5)
        with np.errstate(over="ignore"):
            gaps = np.abs(columns - middle[:, None])
        weights[~(gaps > _ROUNDING * np.abs(middle)[:, None])] = 0.0
        distances[some] = _quantiles(gaps, weights, _WITHIN)
    return medians, distances


def _quantiles(columns: Array, weights: Array, share: float) -> Array:
    """Return the least value of each column that a share of its weight does not exceed, (C,).

    Columns and weights have shape (C, n); the quantile of a column without weight is 0.
    """
    order = np.argsort(columns, axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    wanted = share * reached[:, -1:] * (1 - 1e-12)
    places = np.take_along_axis(order, (reached >= wanted).argmax(axis=1)[:, None], axis=1)
    values = np.take_along_axis(columns, places, axis=1)[:, 0]
    return np.where(reached[:, -1] > 0, values, 0.0)
