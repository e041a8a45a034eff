"""A sample of rows with what components make of them: what plans of surgery are judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from biglearn import kernels
from biglearn._types import Array
from biglearn.engines.base import SampleEngine
from biglearn.model.components import Components
from biglearn.search.run import Run

_TINY = 1e-300

#: Rows that cost as much, for each feature, as what a step does for a component anyway.
_ROWS_PER_FEATURE = 5

#: No responsibility counts as higher where a component is dropped.
_CERTAIN = 1 - 1e-15


@dataclass(frozen=True)
class JudgedRows:
    """A sample of rows with their densities and responsibilities under components.

    Attributes
    ----------
    sample : SampleEngine
        An engine over the rows.
    values : array of shape (n, D)
    weights : array of shape (n,)
        Summing to one.
    total : float
        Weight of all rows, for which the sample stands.
    stands_for : float
        Rows that each row of the sample stands for, where the run's own are a sample too.
    log_density : array of shape (n,)
    shares : array of shape (n, K)
        Responsibilities.
    """

    sample: SampleEngine
    values: Array
    weights: Array
    total: float
    stands_for: float
    log_density: Array
    shares: Array

    @classmethod
    def of(cls, run: Run, components: Components, limit: int | None = None) -> JudgedRows:
        """Draw at most `limit` of the run's rows (`plan_rows` if left out)."""
        limit = run.tuning.plan_rows if limit is None else limit
        sample = run.engine.subsample(limit, run.rng, components)
        values = sample.rows()
        weights = np.ones(len(values)) if sample.weights is None else sample.weights
        total = float(weights.sum())
        stands_for = run.row_stands_for * run.engine.n_rows / sample.n_rows
        log_density, shares = sample.responsibilities(components)
        ours = weights / total
        return cls(sample, values, ours, total * stands_for, stands_for, log_density, shares)

    def under(self, components: Components) -> JudgedRows:
        """Return the same rows under other components."""
        log_density, shares = self.sample.responsibilities(components)
        return replace(self, log_density=log_density, shares=shares)

    @cached_property
    def row_weights(self) -> Array:
        """Weight of each row of the sample, shape (n,)."""
        weights = self.sample.weights
        if weights is None:
            return np.ones(len(self.values))
        return np.array(weights, dtype=np.float64)

    def passes(self, n_rows: float, n_components: int) -> float:
        """Return what a step of EM of some components on some rows costs, in passes over all.

        To factorise a covariance costs as much as some rows for each feature.
        """
        setup = _ROWS_PER_FEATURE * self.values.shape[1]
        return float((n_rows + setup) * n_components / self.shares.size)

    @cached_property
    def by_component(self) -> Array:
        """The responsibilities of one component after the other, shape (K, n)."""
        return np.ascontiguousarray(self.shares.T)

    @cached_property
    def overlaps(self) -> Array:
        """How much of component i's rows j answers for, shape (K, K); rows sum to one."""
        weighted = self.shares * self.weights[:, None]
        common = weighted.T @ self.shares
        return np.asarray(common / np.maximum(weighted.sum(axis=0)[:, None], _TINY))

    def neighbours(self, k: int, least: float) -> list[tuple[float, int]]:
        """Return which components answer for more than a share of component k's rows."""
        shares = self.overlaps[k]
        others = np.flatnonzero(shares > least)
        found = zip(shares[others].tolist(), others.tolist(), strict=True)
        return [(share, j) for share, j in found if j != k]

    def entropy(self, i: int, j: int) -> float:
        """Return the entropy of the choice between a pair of components, per row."""
        a, b = self.by_component[i], self.by_component[j]
        loops = kernels.overlaps()
        if loops is not None:
            out = np.empty(1)
            loops.entropy(a, b, self.weights, out)
            return float(out[0])
        a, b = np.maximum(a, _TINY), np.maximum(b, _TINY)
        both = a + b
        return float(-self.weights @ (a * np.log(a / both) + b * np.log(b / both)))

    def drops(self) -> Array:
        """Return what the log-likelihood per row loses with each component, weights kept, (K,)."""
        loops, shares = kernels.overlaps(), self.by_component
        if loops is None:
            return np.asarray(-np.log1p(-np.minimum(shares, _CERTAIN)) @ self.weights)
        out = np.empty(len(shares))
        loops.drops(shares, self.weights, _CERTAIN, out)
        return out
