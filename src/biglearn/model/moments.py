"""Moments: all that passes from the rows to the parameters.

Per component the sums Σ r, Σ r(y-c) and Σ r(y-c)(y-c)ᵀ about one reference
point c, and the log-likelihood.  They add, so blocks, threads, files and
machines differ only in how they sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from biglearn._types import Array, BoolArray
from biglearn.model.linalg import symmetrise

#: What a component must hold, in rows, to be estimated at all.
DEAD_ROWS = 1e-3


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums of a view's rows, one set per component.

    Parameters
    ----------
    counts : array of shape (K,)
        Σ r, the weight of the rows that each component answers for.
    first : array of shape (K, d)
        Σ r (y - c).
    second : array of shape (K, d, d)
        Σ r (y - c)(y - c)ᵀ.
    log_likelihood : float
        Σ w log p(y) under the parameters that gave the responsibilities.
    total : float
        Σ w, the weight of all rows (their number, if they have no weights).
    rows : int
        Number of rows with a positive weight.
    reference : array of shape (d,)
        The point c.
    scales : array of shape (K, 2) or None
        Of Student-t components Σ r E(u) and Σ r E(log u); there `first` and `second` are
        sums of r E(u) in place of r.  None for Gaussians.
    """

    counts: Array
    first: Array
    second: Array
    log_likelihood: float
    total: float
    rows: int
    reference: Array
    scales: Array | None = None

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
            scales=_summed(self.scales, other.scales),
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
            scales=None if self.scales is None else factor * self.scales,
        )

    def shift(self, reference: Array) -> Moments:
        """Return the same sums about another reference point."""
        step = self.reference - reference
        cross = self.first[:, :, None] * step[None, None, :]
        second = (
            self.second
            + cross
            + np.swapaxes(cross, 1, 2)
            + self.mass[:, None, None] * np.outer(step, step)
        )
        first = self.first + self.mass[:, None] * step
        return replace(self, first=first, second=second, reference=reference)

    @property
    def mean_log_likelihood(self) -> float:
        """Log-likelihood per row (per unit of weight)."""
        return self.log_likelihood / self.total if self.total else 0.0

    @property
    def row_weight(self) -> float:
        """What counts as one row: a weight of 1, or the average weight where that is less.

        So a row of weight 3 counts as three, and weights that sum to one still
        stand for as many rows as there are.
        """
        return min(1.0, self.total / max(self.rows, 1))

    @property
    def alive(self) -> BoolArray:
        """Which components hold enough weight to be estimated, shape (K,)."""
        return np.asarray(self.counts > DEAD_ROWS * self.row_weight)

    @property
    def mass(self) -> Array:
        """Weights with which `first` and `second` are summed, shape (K,)."""
        return self.counts if self.scales is None else self.scales[:, 0]

    @property
    def means(self) -> Array:
        """Component means, shape (K, d); NaN where a component holds nothing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.reference + self.first / self.mass[:, None])

    @property
    def covariances(self) -> Array:
        """Component covariances, shape (K, d, d); NaN where one holds nothing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            offset = self.first / self.mass[:, None]
            second = self.second / self.mass[:, None, None]
            central = symmetrise(second - offset[:, :, None] * offset[:, None, :])
            return central if self.scales is None else central * self.pull[:, None, None]

    @property
    def pull(self) -> Array:
        """Σ r E(u) / Σ r, shape (K,): how much a row counts in the covariances; 1 for Gaussians."""
        if self.scales is None:
            return np.ones(len(self.counts))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.mass / self.counts)


def _summed(one: Array | None, other: Array | None) -> Array | None:
    """Add what Student-t components have; a sum over nothing has None."""
    if one is None or other is None:
        return other if one is None else one
    return one + other


def map_weights(counts: Array, total: float, pseudo_count: float = 0.0) -> Array:
    """MAP estimate of the weights under a Dirichlet prior, π ∝ n_k/N + α."""
    weights = np.maximum(counts, 0.0) / total + pseudo_count
    return np.asarray(weights / weights.sum())
