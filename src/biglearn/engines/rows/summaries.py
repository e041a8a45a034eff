"""Per-column summaries of rows: additive, so that rows may live anywhere.

Whoever holds rows hands them out through one function, ``total(f)``: f of every
block of rows and weights, added up in an order that depends on the data alone.
Two passes after the one for the extent give the mean and the deviation, block by
block about the middle of the range and in units of it, which is safe from
overflow and from offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Protocol, TypeVar

import numpy as np

from biglearn._types import Array, FloatArray

#: Rows that a summary looks at in one go.
PIECE = 8192

T = TypeVar("T")

#: Rule for one block: (rows (b, D), weights (b,) or None) to something that adds.
Summary = Callable[[FloatArray, Array | None], T]


class Summable(Protocol):
    """Rows that can be summed over block by block."""

    @property
    def extent(self) -> Extent:
        """Their number, weight and range."""
        ...

    def total(self, summary: Summary[T]) -> T:
        """Return the sum of `summary` over blocks of the rows with a positive weight."""
        ...


@dataclass(frozen=True, eq=False)
class Extent:
    """Number and weight of rows, and the range of each column.

    Attributes
    ----------
    n_rows : int
        Number of rows with a positive weight.
    weight : float
        Σ w over them; their number where all weigh 1.
    low, high : array of shape (D,)
        float64; NaN where a column has no value.
    n_missing : int
        Number of values that are NaN.
    missing : float
        Σ w over them.
    """

    n_rows: int
    weight: float
    low: Array
    high: Array
    n_missing: int = 0
    missing: float = 0.0

    @property
    def observed(self) -> float:
        """Share of the values, by the weight of their rows, that are not missing."""
        return 1 - self.missing / (self.weight * len(self.low)) if self.weight else 1.0

    @classmethod
    def of(cls, rows: FloatArray, weights: Array | None = None) -> Extent:
        """Look at one block of at least one row."""
        gaps = np.isnan(rows).sum(axis=1)
        return cls(
            n_rows=len(rows),
            weight=float(len(rows) if weights is None else weights.sum()),
            low=np.fmin.reduce(rows, axis=0).astype(np.float64),
            high=np.fmax.reduce(rows, axis=0).astype(np.float64),
            n_missing=int(gaps.sum()),
            missing=float(gaps.sum() if weights is None else gaps @ weights),
        )

    def __add__(self, other: Extent) -> Extent:
        return Extent(
            n_rows=self.n_rows + other.n_rows,
            weight=self.weight + other.weight,
            low=np.fmin(self.low, other.low),
            high=np.fmax(self.high, other.high),
            n_missing=self.n_missing + other.n_missing,
            missing=self.missing + other.missing,
        )


def pieces(
    rows: FloatArray, weights: Array | None = None, size: int = PIECE
) -> Iterator[tuple[FloatArray, Array | None]]:
    """Cut rows, and their weights, into blocks of at most `size` rows."""
    for start in range(0, len(rows), size):
        block = slice(start, start + size)
        yield rows[block], None if weights is None else weights[block]


@dataclass(frozen=True, eq=False)
class ArrayRows:
    """Rows in an array, (N, D), that can be summed over block by block."""

    rows: FloatArray
    weights: Array | None = None

    @property
    def extent(self) -> Extent:
        """Their number, weight and range."""
        extent: Extent = self.total(Extent.of)
        return extent

    def total(self, summary: Summary[T]) -> T:
        """Return the sum of `summary` over blocks of the rows."""
        return reduce(add, (summary(*piece) for piece in pieces(self.rows, self.weights)))


def mean_and_deviation(source: Summable, extent: Extent) -> tuple[Array, Array]:
    """Weighted mean and standard deviation of each column, shapes (D,), in float64.

    Of the values that are there: NaN is left out.
    """
    middle = extent.low / 2 + extent.high / 2
    unit = extent.high / 2 - extent.low / 2  # halves first: the difference may overflow
    unit = np.where(unit > 0, unit, 1.0)

    def shares(weights: Array | None) -> Any:
        return 1.0 if weights is None else weights[:, None]

    def sums(terms: FloatArray, weights: Array | None) -> Any:
        values = np.where(np.isnan(terms), 0.0, terms) if extent.n_missing else terms
        return (shares(weights) * values).sum(axis=0) / extent.weight

    def first(rows: FloatArray, weights: Array | None) -> Any:
        there = sums((~np.isnan(rows)).astype(np.float64), weights)
        return np.stack([sums((rows - middle) / unit, weights), there])

    mean, known = source.total(first)
    if not extent.n_missing:
        known = np.ones_like(known)  # but for the rounding of the weights' sum
    mean = mean / known

    def second(rows: FloatArray, weights: Array | None) -> Any:
        gaps = (rows - middle) / unit - mean
        return sums(gaps**2, weights)

    return middle + unit * mean, unit * np.sqrt(source.total(second) / known)
