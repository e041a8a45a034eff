"""Moments: all that passes from the rows to the parameters.

Per component the sums Σ r, Σ r(y-c) and Σ r(y-c)(y-c)ᵀ about one reference
point c, and the log-likelihood.  They add, so blocks, threads, files and
machines differ only in how they sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from biglearn._types import Array, BoolArray
from biglearn.model.blocks import diagonals, each, outer, split
from biglearn.model.components import Components
from biglearn.model.linalg import symmetrise

#: Rows that a component must hold to be estimated at all.
DEAD_ROWS = 1e-3

#: Variances below this share of a squared offset are lost in its rounding.
_LOST = 1e-14

#: Stands for an array that is left out.
_LEFT_OUT: Array = np.empty(0)


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums of a view's rows, one set per component.

    Parameters
    ----------
    counts : array of shape (K,)
        Σ r, the weight of the rows that each component answers for.
    first : array of shape (K, d)
        Σ r (y - c).
    second : array of shape (K, d, d) or (K, B, m, m)
        Σ r (y - c)(y - c)ᵀ, or its blocks on the diagonal where no other entry is needed
        (see `biglearn.model.blocks`).
    log_likelihood : float
        Σ w log p(y) under the parameters that gave the responsibilities.
    total : float
        Σ w, the weight of all rows (their number, if they have no weights).
    rows : int
        Number of rows with a positive weight.
    reference : array of shape (d,)
        The point c.
    scaled_counts : array of shape (K,), optional
        Σ r E(u) of a family whose rows differ in scale, where `first` and `second` are sums of
        r E(u) in place of r; the counts if left out, as for Gaussians.
    statistics : array of shape (K, M), optional
        Sums that the family estimates its shapes from; none if left out.
    """

    counts: Array
    first: Array
    second: Array
    log_likelihood: float
    total: float
    rows: int
    reference: Array
    scaled_counts: Array = field(default_factory=lambda: _LEFT_OUT)
    statistics: Array = field(default_factory=lambda: _LEFT_OUT)

    def __post_init__(self) -> None:
        if self.scaled_counts is _LEFT_OUT:
            object.__setattr__(self, "scaled_counts", self.counts)
        if self.statistics is _LEFT_OUT:
            object.__setattr__(self, "statistics", np.empty((len(self.counts), 0)))

    def __add__(self, other: Moments) -> Moments:
        if not np.array_equal(self.reference, other.reference):
            other = other.shift(self.reference)
        return Moments(
            counts=self.counts + other.counts,
            first=self.first + other.first,
            second=self.second + other.second,
            log_likelihood=self.log_likelihood + other.log_likelihood,
            total=self.total + other.total,
            rows=self.rows + other.rows,
            reference=self.reference,
            scaled_counts=self.scaled_counts + other.scaled_counts,
            statistics=self.statistics + other.statistics,
        )

    def scaled(self, factor: float) -> Moments:
        """Return the sums over rows of which each weighs `factor` times as much."""
        return replace(
            self,
            counts=factor * self.counts,
            first=factor * self.first,
            second=factor * self.second,
            log_likelihood=factor * self.log_likelihood,
            total=factor * self.total,
            scaled_counts=factor * self.scaled_counts,
            statistics=factor * self.statistics,
        )

    def shift(self, reference: Array) -> Moments:
        """Return the same sums about another reference point."""
        step = self.reference - reference
        cross = outer(self.first, step[None], self.second)
        second = (
            self.second
            + cross
            + np.swapaxes(cross, -1, -2)
            + each(self.scaled_counts, self.second) * outer(step[None], step[None], self.second)
        )
        first = self.first + self.scaled_counts[:, None] * step
        return replace(self, first=first, second=second, reference=reference)

    def completed(self, components: Components, size: int) -> Moments:
        """Complete the statistics of rows that are all seen in `size` dimensions."""
        family = components.family
        if not family.n_statistics:
            return self
        statistics = family.complete(self.statistics, self.counts, components.shapes, size)
        return replace(self, statistics=statistics)

    @property
    def mean_log_likelihood(self) -> float:
        """Log-likelihood per row (per unit of weight)."""
        return self.log_likelihood / self.total if self.total else 0.0

    @property
    def row_weight(self) -> float:
        """Weight that counts as one row: 1, or the average weight where that is less.

        So a row of weight 3 counts as three, and weights that sum to one still
        stand for as many rows as there are.
        """
        return min(1.0, self.total / max(self.rows, 1))

    @property
    def alive(self) -> BoolArray:
        """Which components hold enough weight to be estimated, shape (K,)."""
        return np.asarray(self.counts > DEAD_ROWS * self.row_weight)

    @property
    def means(self) -> Array:
        """Component means, shape (K, d); NaN where a component holds nothing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.reference + self.first / self.scaled_counts[:, None])

    @property
    def covariances(self) -> Array:
        """Component covariances, in blocks as `second`; NaN where one holds nothing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            offset = self.first / self.scaled_counts[:, None]
            second = self.second / each(self.scaled_counts, self.second)
            central = symmetrise(second - outer(offset, offset, second))
            lost = split(diagonals(central) <= _LOST * offset**2, central)
            if lost.any():  # what is left of them is rounding error
                central = np.where(lost[..., :, None] | lost[..., None, :], 0.0, central)
            if self.scaled_counts is self.counts:
                return central
            return np.asarray(central * each(self.mean_scales, central))

    @property
    def mean_scales(self) -> Array:
        """Mean E(u) of each component's rows, Σ r E(u) / Σ r, shape (K,); 1 for Gaussians."""
        if self.scaled_counts is self.counts:
            return np.ones(len(self.counts))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.scaled_counts / self.counts)


def map_weights(counts: Array, total: float, pseudo_count: float = 0.0) -> Array:
    """MAP estimate of the weights under a Dirichlet prior, π ∝ n_k/N + α."""
    weights = np.maximum(counts, 0.0) / total + pseudo_count
    return np.asarray(weights / weights.sum())
