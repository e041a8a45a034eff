"""Starts that choose centres and give each row to the nearest."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from biglearn._types import Array
from biglearn.model.components import Components
from biglearn.search.run import Run
from biglearn.search.starts.estimate import estimate, one_hot, sample_of

# Loading scikit-learn takes seconds, so the functions that need it import it.


@dataclass(frozen=True)
class Task:
    """Rows of which K centres are wanted.

    Attributes
    ----------
    rows : array of shape (N, D)
    weights : array of shape (N,) or None
    n_components : int
        K.
    rng : Generator
    most : int
        Rows that a method of quadratic cost looks at.
    """

    rows: Array
    weights: Array | None
    n_components: int
    rng: np.random.Generator
    most: int = 1000

    def with_enough(self) -> Task:
        """Return the task with rows repeated where they are fewer than the components.

        A fit with noise has a component more, and may have as many rows as others.
        """
        if len(self.rows) >= self.n_components:
            return self
        again = np.arange(self.n_components) % len(self.rows)
        weights = None if self.weights is None else self.weights[again]
        return replace(self, rows=self.rows[again], weights=weights)


#: Chooses K centres, shape (K, D).
Centres = Callable[[Task], Array]


def _plus_plus(task: Task) -> Array:
    from sklearn.cluster import kmeans_plusplus

    seed = int(task.rng.integers(2**31))
    centres, _ = kmeans_plusplus(
        task.rows, task.n_components, sample_weight=task.weights, random_state=seed
    )
    return np.asarray(centres)


def _kmeans(task: Task) -> Array:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    model = KMeans(task.n_components, n_init=1, random_state=int(task.rng.integers(2**31)))
    with warnings.catch_warnings():  # fewer distinct rows than components are no trouble here
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(task.rows, sample_weight=task.weights)
    return np.asarray(model.cluster_centers_)


def _ward(task: Task) -> Array:
    from scipy.cluster.hierarchy import ClusterWarning
    from sklearn.cluster import AgglomerativeClustering

    rows, limit = task.rows, max(task.most, 4 * task.n_components)
    if len(rows) > limit:
        rows = rows[task.rng.choice(len(rows), limit, replace=False)]
    with warnings.catch_warnings():  # as many rows as features are rows all the same
        warnings.simplefilter("ignore", ClusterWarning)
        labels = AgglomerativeClustering(task.n_components).fit_predict(rows)
    return np.array([rows[labels == k].mean(axis=0) for k in range(task.n_components)])


def _random_rows(task: Task) -> Array:
    rows, shares = task.rows, None
    if task.weights is not None:  # a row of next to no weight must remain a candidate
        shares = np.maximum(task.weights, 1e-12 * task.weights.mean())
        shares /= shares.sum()
    return rows[task.rng.choice(len(rows), size=task.n_components, replace=False, p=shares)]


@dataclass(frozen=True)
class CentreStart:
    """Choose centres, give each row to its nearest, and estimate.

    Parameters
    ----------
    centres : callable
        See `Centres`.
    in_own_units : bool
        Whether distances are those of the user's units.
    """

    centres: Centres
    in_own_units: bool = False

    def __call__(self, run: Run) -> Components:
        """Return first components of the run's rows."""
        from sklearn.metrics import pairwise_distances_argmin

        n_components, fixed = run.settings.n_components, run.constraints.fixed
        sample = sample_of(run)
        rows = sample.rows()
        scale = run.scale if self.in_own_units and run.scale is not None else 1.0
        rows = rows * scale
        task = Task(rows, sample.weights, n_components, run.rng, run.tuning.merged_rows)
        centres = self.centres(task.with_enough()) / scale
        if fixed is not None:
            centres = fixed.near(centres)
        nearest = pairwise_distances_argmin(rows, centres * scale)
        shares = one_hot(nearest, n_components)
        moments = sample.moments_of(shares, run.constraints.structure)
        return run.note(estimate(run.constraints, moments, centres))


#: These starts by name.
CENTRE_STARTS: dict[str, CentreStart] = {
    "k-means++": CentreStart(_plus_plus),
    "kmeans": CentreStart(_kmeans),
    "kmeans-own-units": CentreStart(_kmeans, in_own_units=True),
    "ward": CentreStart(_ward),
    "random_from_data": CentreStart(_random_rows),
}
