"""The resolution of columns: the unit to which their values are rounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array, BoolArray, FloatArray
from biglearn.engines.rows.summaries import Summable

#: Rows of a piece, and distinct values of a column, that are looked at.
_ROWS, _VALUES = 2048, 4096

#: Numbers that are looked at at once, about.
_NUMBERS = 1 << 18

#: Gaps below this share of a value, or of most values of the column, are rounding errors.
_ROUNDING = 1e-9


#: Steps that most columns without a grid are told by.
_FEW = 32

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
        columns = np.sort(np.asarray(rows[::step], dtype=np.float64).T, axis=1)  # NaN last
        there = np.count_nonzero(~np.isnan(columns), axis=1)
        differ = (columns[:, 1:] > columns[:, :-1]).all(axis=1) & (columns.shape[1] <= _VALUES)
        triples = zip(columns, there.tolist(), differ.tolist(), strict=True)
        return cls(tuple(c if known else _distinct(c[:n]) for c, n, known in triples))

    def __add__(self, other: Distinct) -> Distinct:
        pairs = zip(self.values, other.values, strict=True)
        return Distinct(tuple(_distinct(np.sort(np.concatenate(pair))) for pair in pairs))

    @property
    def resolution(self) -> Resolution:
        """The unit of each column."""
        counts = np.array([len(values) for values in self.values])
        units, is_grid = np.zeros(len(counts)), np.zeros(len(counts), dtype=bool)
        for count in np.unique(counts[counts > 1]):  # those of equally many values at once
            chosen = np.flatnonzero(counts == count)
            step = max(1, _NUMBERS // int(count))
            for start in range(0, len(chosen), step):
                some = chosen[start : start + step]
                found = _units_of(np.stack([self.values[j] for j in some]))
                units[some], is_grid[some] = found
        return Resolution(units, is_grid)


def _distinct(values: Array) -> Array:
    """Return the distinct ones of ascending values, not too many of them."""
    new = values[1:] != values[:-1]
    unique = values if new.all() else np.concatenate([values[:1], values[1:][new]])
    return unique if len(unique) <= _VALUES else unique[:: len(unique) // _VALUES + 1]


def _units_of(values: Array) -> tuple[Array, BoolArray]:
    """Return the smallest gap between ascending values, (C, n), and whether they lie on a grid."""
    sizes = np.abs(values)
    steps = np.diff(values, axis=1)
    middle = np.median(sizes, axis=1, keepdims=True)
    noise = _ROUNDING * np.maximum(np.maximum(sizes[:, 1:], sizes[:, :-1]), middle)
    steps = np.where(steps > noise, steps, np.inf)  # infinite where there is no step
    units = steps.min(axis=1)
    has_steps = np.isfinite(units)
    is_grid = has_steps & (values.shape[1] <= _VALUES // 2)
    asked = np.flatnonzero(is_grid)
    for n_steps in (_FEW, steps.shape[1]):  # what divides all steps divides the first ones
        least = units[asked] / _FINER
        found = _have_divisors(steps[asked, :n_steps], noise[asked, :n_steps], least)
        is_grid[asked], asked = found, asked[found]
    return np.where(has_steps, units, 0.0), is_grid


def _have_divisors(steps: Array, noise: Array, least: Array) -> BoolArray:
    """Whether all steps of a column, (C, n), are multiples of one number (Euclid's way).

    The number is at least `least`, shape (C,).
    """
    units, real = steps.min(axis=1), np.isfinite(steps)
    found: BoolArray = np.logical_not(real.any(axis=1))  # where no step denies it
    steps = np.where(real, steps, 0.0)
    left = np.flatnonzero(~found & (units >= least))
    while len(left):
        unit = units[left, None]
        rest = np.abs(steps[left] - unit * np.round(steps[left] / unit))
        off = real[left] & (rest > _OFF_GRID * unit + noise[left])
        found[left] = ~off.any(axis=1)
        units[left] = np.where(off, rest, np.inf).min(axis=1)
        left = left[~found[left] & (units[left] >= least[left])]
    return found


def measure_resolution(source: Summable) -> Resolution:
    """Return the unit of each column: next to nothing for continuous ones."""
    return source.total(Distinct.of).resolution
