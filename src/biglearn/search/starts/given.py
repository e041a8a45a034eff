"""Starts that the user gives: responsibilities, a callable, or parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array
from biglearn.engines.rows.units import Units
from biglearn.model.components import Components
from biglearn.search.run import Run, Start
from biglearn.search.starts.centres import CentreStart
from biglearn.search.starts.estimate import estimate, one_hot, sample_of

#: A user's start: ``(X, n_components, rng)`` to labels or responsibilities.
StartRule = Callable[[Array, int, np.random.Generator], ArrayLike]


@dataclass(frozen=True)
class GivenResponsibilities:
    """Estimate once from given responsibilities, shape (N, K)."""

    responsibilities: Array

    def __call__(self, run: Run) -> Components:
        """Return the components that an M-step from them gives."""
        engine = run.engine.subsample(len(self.responsibilities), run.rng)
        moments = engine.moments_of(self.responsibilities, run.constraints.structure)
        return run.note(estimate(run.constraints, moments, moments.means, shrink=False))


@dataclass(frozen=True)
class FromCallable:
    """Let the user's callable give labels or responsibilities of a sample of the rows.

    Parameters
    ----------
    rule : callable
        ``(X, n_components, rng)``, X of at most 20000 rows, or 200 K.
    units : Units
        Those of the engine: the callable sees the user's.
    """

    rule: StartRule
    units: Units

    def __call__(self, run: Run) -> Components:
        """Return the components that an M-step from its answer gives."""
        n_components, sample = run.settings.n_components, sample_of(run)
        rows = sample.rows() * self.units.scale + self.units.centre
        shares = as_responsibilities(
            self.rule(rows, n_components, run.rng), len(rows), n_components
        )
        moments = sample.moments_of(shares, run.constraints.structure)
        return run.note(estimate(run.constraints, moments, moments.means, shrink=False))


@dataclass(frozen=True)
class GivenComponents:
    """Begin from given components, in the engine's units."""

    components: Components

    def __call__(self, run: Run) -> Components:
        """Return them, under the run's constraints."""
        return run.note(run.constraints.impose_on(self.components))


@dataclass(frozen=True)
class GivenParameters:
    """Replace parts of another start by given ones, in the engine's units."""

    base: Start
    weights: Array | None = None
    means: Array | None = None
    covariances: Array | None = None

    def __call__(self, run: Run) -> Components:
        """Return the base start with the given parts in place of its own."""
        if self.weights is not None and self.means is not None and self.covariances is not None:
            return run.note(run.constraints.impose(self.weights, self.means, self.covariances))
        first = self._base()(run)
        weights = first.weights if self.weights is None else self.weights
        means = first.means if self.means is None else self.means
        covariances = first.blocks if self.covariances is None else self.covariances
        return run.note(run.constraints.impose(weights, means, covariances))

    def _base(self) -> Start:
        """Return the start that gives the missing parts."""
        if self.means is None:
            return self.base
        centres = self.means
        return CentreStart(lambda task: centres)


def as_responsibilities(values: ArrayLike, n_rows: int, n_components: int) -> Array:
    """Check labels (N,) or responsibilities (N, K); return responsibilities."""
    array = np.asarray(values)
    if array.shape == (n_rows,):
        if not np.isin(array, np.arange(n_components)).all():
            raise ValueError(
                f"labels in init_params must be whole numbers from 0 to {n_components - 1}, "
                f"got {array.min()} to {array.max()}"
            )
        return one_hot(array, n_components)
    if array.shape != (n_rows, n_components):
        raise ValueError(
            f"init_params must give labels of shape ({n_rows},) or responsibilities of shape "
            f"{(n_rows, n_components)}, got {array.shape}"
        )
    shares = array.astype(np.float64)
    total = shares.sum(axis=1, keepdims=True)
    if not np.isfinite(shares).all() or (shares < 0).any() or not np.allclose(total, 1, atol=1e-6):
        raise ValueError("responsibilities in init_params must be at least 0 and sum to 1 per row")
    return shares
