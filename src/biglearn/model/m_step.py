"""The M-step: from the moments of a view to new components, and back to the joint."""

from __future__ import annotations

import numpy as np

from biglearn._types import Array, BoolArray
from biglearn.model.blocks import each, eigh, in_blocks, outer
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints, Fitted, Repairs
from biglearn.model.lifts import LIFTS, Lift, lift
from biglearn.model.moments import Moments, map_weights
from biglearn.model.views import View


def m_step(
    constraints: Constraints,
    components: Components,
    moments: Moments,
    *,
    view: View | None = None,
    gain: Lift = LIFTS["block"],
    pseudo_count: float = 0.0,
) -> Fitted:
    """Turn the moments of a view (the joint, if left out) into new components.

    In the joint and without pseudo-counts this maximises the expected
    log-likelihood under the constraints.  A component without rows keeps its
    mean, covariance and shapes.

    Parameters
    ----------
    constraints : Constraints
    components : Components
        That gave the responsibilities.
    moments : Moments
        Of the view.
    view : View, optional
    gain : Lift
        How the rest of each component follows the view.
    pseudo_count : float
        α of the MAP weights, π_k ∝ n_k/N + α.
    """
    if not moments.total:  # no row shows anything of the view
        return components, Repairs()
    seen = components if view is None else components.project(view)
    alive = moments.alive
    means = np.where(alive[:, None], moments.means, seen.means)
    samples = in_blocks(moments.covariances, seen.block_size)
    covariances = np.where(each(alive, samples), samples, seen.blocks)
    if view is not None:
        covariances = constraints.prior.blended(covariances, moments.counts, view)
        means, covariances = lift(components, view, means, covariances, gain(components, view))
    shapes, mean_scales = components.shapes, np.ones(len(alive))
    if components.family.has_tails:
        sums = moments.counts, moments.scaled_counts, moments.statistics
        shapes = np.where(alive[:, None], components.family.update(*sums), shapes)
        mean_scales = np.where(alive, moments.mean_scales, 1.0)
    return constraints.fit(
        map_weights(moments.counts, moments.total, pseudo_count),
        means,
        covariances,
        moments.counts,
        shapes=shapes,
        mean_scales=mean_scales,
        blended=view is not None,
        former=components.blocks if view is None else None,
        memo=components.memo,
    )


def reseed(constraints: Constraints, components: Components, dead: BoolArray) -> Fitted:
    """Give every dead component half of a live one.

    The heaviest component is cut across its longest axis: both halves keep its
    weight, mean and covariance in sum.

    Parameters
    ----------
    constraints : Constraints
    components : Components
    dead : array of shape (K,)
        Which components to replace.
    """
    weights = components.weights.copy()
    means, covariances = components.means.copy(), components.blocks.copy()
    for k in np.flatnonzero(dead):
        donor = int(weights.argmax())
        step = longest_half_axis(covariances[donor])
        weights[[int(k), donor]] = weights[donor] / 2
        means[k], means[donor] = means[donor] + step, means[donor] - step
        covariances[donor] -= outer(step[None], step[None], covariances)[0]
        covariances[k] = covariances[donor]
    revived, repairs = constraints.impose(
        weights / weights.sum(), means, covariances, shapes=components.shapes, shares=weights
    )
    return revived, repairs + Repairs(reseeded=int(dead.sum()))


def longest_half_axis(covariance: Array) -> Array:
    """Return where half of a Gaussian lies: ±√(2λ/π) along its longest axis, shape (D,).

    The covariance is one matrix, in blocks (see `biglearn.model.blocks`).
    """
    values, vectors = eigh(covariance)
    axis = np.zeros((values[..., -1].size, values.shape[-1]))
    longest = int(values[..., -1].argmax())
    axis[longest] = vectors[..., -1].reshape(axis.shape)[longest]
    return np.asarray(np.sqrt(2 / np.pi * max(values.max(), 0.0)) * axis.ravel())
