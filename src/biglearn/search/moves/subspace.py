"""Starts from a small view: cluster where the rows look least Gaussian, lift to the joint.

Clusters that live in a few of many features drown in the noise of the others.
A marginal sees them; its responsibilities then begin the joint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from biglearn._types import Array
from biglearn.model.constraints import Constraints
from biglearn.model.mixture import Mixture
from biglearn.model.views import View
from biglearn.search.climbing.ascent import climb
from biglearn.search.climbing.limits import Limits
from biglearn.search.records import Record
from biglearn.search.run import Run
from biglearn.search.starts.centres import CENTRE_STARTS
from biglearn.search.starts.estimate import estimate

#: Variances below this are zero; its square is not.
_TINY = 1e-150


def flatness(rows: Array, weights: Array | None = None) -> Array:
    """Return 3 - kurtosis of every column, shape (D,): positive where it has humps.

    Separated clusters of like weight make a projection flatter than a Gaussian,
    of kurtosis 3; outliers make it more pointed.
    """
    shares = np.full(len(rows), 1.0 / len(rows)) if weights is None else weights / weights.sum()
    centred = rows - shares @ rows
    variance = np.maximum(shares @ centred**2, _TINY)
    return np.asarray(3.0 - (shares @ centred**4) / variance**2)


def humped_directions(
    rows: Array, weights: Array | None, rng: np.random.Generator, size: int | None = None
) -> Array:
    """Return orthonormal directions, those that show most humps first, shape (d, D).

    The features, and as many directions that gradient steps on the kurtosis of
    the whitened rows lead to (projection pursuit, Peña and Prieto, JASA 96, 2001);
    later ones are made orthogonal to those before.

    Parameters
    ----------
    rows : array of shape (n, D)
    weights : array of shape (n,), optional
    rng : Generator
    size : int, optional
        d; D if left out.
    """
    n_features = rows.shape[1]
    size = n_features if size is None else size
    pursued = _pursue(rows, rng)
    humps = np.concatenate([flatness(rows, weights), flatness(rows @ pursued.T, weights)])
    basis = np.empty((0, n_features))
    for place in np.argsort(-humps).tolist():
        if len(basis) == size:
            break
        if place < n_features:
            direction = np.zeros(n_features)
            direction[place] = 1.0
        else:
            direction = pursued[place - n_features]
        left = direction - basis.T @ (basis @ direction)
        norm = np.sqrt(left @ left)
        if norm > 0.1:
            basis = np.concatenate([basis, left[None] / norm])
    return basis


def _pursue(rows: Array, rng: np.random.Generator, *, steps: int = 10) -> Array:
    """Return unit directions of low kurtosis by fixed-point steps, (D, D) or fewer than rows."""
    centred = rows - rows.mean(axis=0)
    if len(rows) >= rows.shape[1]:
        values, vectors = np.linalg.eigh(np.cov(centred, rowvar=False).reshape(rows.shape[1], -1))
    else:  # fewer directions than features vary at all
        _, deviations, across = np.linalg.svd(centred, full_matrices=False)
        values, vectors = deviations[::-1] ** 2, across[::-1].T
    kept = values > 1e-8 * values[-1]
    whiten = vectors[:, kept] / np.sqrt(values[kept])
    white = centred @ whiten
    directions = np.linalg.qr(rng.standard_normal((white.shape[1], white.shape[1])))[0]
    for _ in range(steps):  # symmetric fixed point on E[u⁴], the kurtosis of white rows
        projected = white @ directions
        directions = white.T @ projected**3 / len(white) - 3 * directions
        left, _, right = np.linalg.svd(directions, full_matrices=False)
        directions = left @ right
    back = (whiten @ directions).T
    return np.asarray(back / np.linalg.norm(back, axis=1, keepdims=True))


def _floor_in(view: View, constraints: Constraints) -> Array:
    """Return the floor F of each direction of a view, the diagonal of B F Bᵀ, shape (d,)."""
    return np.asarray(view.basis**2 @ np.broadcast_to(constraints.floor, view.n_features))


@dataclass(frozen=True)
class SubspaceStart:
    """Begin from a mixture of a small view of the rows.

    Parameters
    ----------
    size : int
        d of the view: the d directions in which the rows show most humps.
    passes : int
        EM steps in the view.
    """

    size: int
    passes: int = 20

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the components; nothing is known of them yet."""
        sample = run.engine.subsample(run.tuning.plan_rows, run.rng)
        directions = humped_directions(sample.rows(), sample.weights, run.rng, self.size)
        view = View(directions, "subspace")
        seen = sample.project(view)
        inner = run.part(seen, Constraints(floor=_floor_in(view, run.constraints)))
        start = CENTRE_STARTS["k-means++"](inner)
        *_, point = climb(inner, start, Limits(patience=self.passes - 1), accelerate=True)
        shares = Mixture.of(point.components).responsibilities(seen.rows())
        structure = run.constraints.structure
        moments = sample.moments_of(shares, structure)
        if run.constraints.fixed is not None:
            order = run.constraints.fixed.order(moments.means)
            moments = sample.moments_of(shares[:, order], structure)
        first = run.note(estimate(run.constraints, moments, moments.means))
        run.begin_leg(first, fresh=True)
        yield run.record("subspace", objective=float("nan"))
