"""First components from the moments of a start."""

from __future__ import annotations

import numpy as np

from biglearn._types import Array
from biglearn.engines.base import SampleEngine
from biglearn.model.blocks import averaged, each
from biglearn.model.constraints import Constraints, Fitted
from biglearn.model.moments import Moments
from biglearn.search.run import Run


def sample_of(run: Run) -> SampleEngine:
    """Draw the rows that a start looks at."""
    tuning = run.tuning
    per_component = tuning.start_rows_per_component * run.settings.n_components
    return run.engine.subsample(max(tuning.start_rows, per_component), run.rng)


def estimate(
    constraints: Constraints, moments: Moments, centres: Array, *, shrink: bool = True
) -> Fitted:
    """Make components of a start's moments.

    A handful of rows has no covariance of its own: with `shrink` each is drawn
    towards the pooled one by D + 1 pseudo-rows, and a component without rows
    begins at its centre with the pooled covariance.

    Parameters
    ----------
    constraints : Constraints
    moments : Moments
    centres : array of shape (K, D)
        Means of components without rows.
    shrink : bool, default=True
    """
    n_features = moments.first.shape[1]
    alive = moments.alive
    samples = moments.covariances
    samples = np.where(each(alive, samples), samples, 0.0)
    shares = np.where(alive, moments.counts, 0.0)
    pooled = averaged(shares / shares.sum(), samples)
    rows = shares / moments.row_weight
    pseudo_rows = float(n_features + 1) if shrink else 0.0
    ours = each(rows / np.maximum(rows + pseudo_rows, 1e-300), samples)
    shrunk = np.where(each(alive, samples), ours * samples + (1 - ours) * pooled, pooled)
    means = np.where(alive[:, None], moments.means, np.nan_to_num(centres))
    weights = np.maximum(moments.counts, moments.row_weight if shrink else 0.0)
    return constraints.impose(weights / weights.sum(), means, shrunk, shares=shares / shares.sum())


def one_hot(labels: Array, n_components: int) -> Array:
    """Turn labels 0..K-1, shape (N,), into responsibilities, shape (N, K)."""
    return np.asarray(labels[:, None] == np.arange(n_components), dtype=np.float64)
