"""The resolution of columns: the unit to which their values are rounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array, BoolArray, FloatArray
from biglearn.engines.rows.summaries import Summable

#: Rows of a piece, and distinct values of a column, that are looked at.
_ROWS, _VALUES = 2048, 4096

#: Gaps below this share of a value, or of most values of the column, are rounding errors.
_ROUNDING = 1e-9


#: How far a multiple may be from a whole number, and how much finer than the smallest gap
#: a common divisor of all gaps may be.
_OFF_GRID, _FINER = 1e-3, 8.0


@dataclass(frozen=True, eq=False)
class Resolution:
    """The unit of each column.

    Attributes
    ----------
    unit : array of shape (D,)
        Smallest gap between distinct values, beyond rounding errors; 0 for a constant.
    is_grid : array of shape (D,)
        Whether the values are rounded: all gaps are multiples of one not much smaller than
        the unit.
    """

    unit: Array
    is_grid: BoolArray


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
    def resolution(self) -> Resolution:
        """The unit of each column."""
        found = [_unit_of(values) for values in self.values]
        units, is_grid = zip(*found, strict=True)
        return Resolution(np.array(units), np.array(is_grid))


def _distinct(values: Array) -> Array:
    unique = np.unique(values)
    return unique if len(unique) <= _VALUES else unique[:: len(unique) // _VALUES + 1]


def _unit_of(values: Array) -> tuple[float, bool]:
    """Return the smallest gap between ascending values, and whether they lie on a grid."""
    if len(values) < 2:
        return 0.0, False
    sizes = np.abs(values)
    steps = np.diff(values)
    noise = _ROUNDING * np.maximum(np.maximum(sizes[1:], sizes[:-1]), np.median(sizes))
    steps, noise = steps[steps > noise], noise[steps > noise]
    if not len(steps):
        return 0.0, False
    unit = float(steps.min())
    return unit, len(values) <= _VALUES // 2 and _have_divisor(steps, noise, unit / _FINER)


def _have_divisor(steps: Array, noise: Array, least: float) -> bool:
    """Whether all steps are multiples of one number that is at least `least` (Euclid's way)."""
    unit = float(steps.min())
    while unit >= least:
        rest = np.abs(steps - unit * np.round(steps / unit))
        off = rest > _OFF_GRID * unit + noise
        if not off.any():
            return True
        unit = float(rest[off].min())
    return False


def measure_resolution(source: Summable) -> Resolution:
    """Return the unit of each column: next to nothing for continuous ones."""
    return source.total(Distinct.of).resolution
