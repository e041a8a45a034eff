"""The resolution of columns: the unit to which their values are rounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array, FloatArray
from biglearn.engines.rows.summaries import Summable

#: Rows of a piece, and distinct values of a column, that are looked at.
_ROWS, _VALUES = 2048, 4096

#: Gaps below this share of a column's largest value are rounding errors.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Distinct:
    """Some distinct values of every column, ascending.

    Attributes
    ----------
    values : tuple of D arrays
    """

    values: tuple[Array, ...]

    @classmethod
    def of(cls, rows: FloatArray, weights: Array | None = None) -> Distinct:
        """Look at a piece of rows."""
        step = max(1, len(rows) // _ROWS)
        columns = np.asarray(rows[::step], dtype=np.float64).T
        return cls(tuple(_distinct(column[~np.isnan(column)]) for column in columns))

    def __add__(self, other: Distinct) -> Distinct:
        pairs = zip(self.values, other.values, strict=True)
        return Distinct(tuple(_distinct(np.concatenate(pair)) for pair in pairs))

    @property
    def gaps(self) -> Array:
        """Smallest gap between distinct values of each column, shape (D,); 0 for constants."""
        found = np.zeros(len(self.values))
        for j, values in enumerate(self.values):
            if len(values) > 1:
                steps = np.diff(values)
                steps = steps[steps > _ROUNDING * np.abs(values).max()]
                found[j] = steps.min(initial=np.inf) if len(steps) else 0.0
        return found


def _distinct(values: Array) -> Array:
    unique = np.unique(values)
    return unique if len(unique) <= _VALUES else unique[:: len(unique) // _VALUES + 1]


def measure_resolution(source: Summable) -> Array:
    """Return the smallest gap between distinct values of each column, shape (D,).

    It is the unit of rounded values, and next to nothing for continuous ones.
    """
    return source.total(Distinct.of).gaps
