"""A bound on the ratio of eigenvalues over all components, by exact truncation.

Under the constraint that no two eigenvalues of any covariances are more than a factor c apart
the likeliest eigenvalues are clip(λ, m, c m), where m minimises

    Σ_k n_k Σ_d [log λ'_kd + λ_kd / λ'_kd],   λ' = clip(λ, m, c m),

a function that has a closed minimum between any two of its 2 K D breakpoints (Fritz,
García-Escudero and Mayo-Iscar, Comput. Stat. Data Anal. 61, 2013).
"""

from __future__ import annotations

import numpy as np

from biglearn._types import Array
from biglearn.model.blocks import eigh, rebuilt
from biglearn.model.linalg import symmetrise

_TINY = float(np.finfo(float).tiny)


def truncation(values: Array, counts: Array, ratio: float) -> float:
    """Return m, the least eigenvalue of the likeliest covariances under a ratio.

    Parameters
    ----------
    values : array of shape (K, D)
        Eigenvalues of the unconstrained covariances.
    counts : array of shape (K,)
        Weight n_k of the components' rows.
    ratio : float
        c, at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.ratio import truncation
    >>> truncation(np.array([[1.0, 100.0]]), np.ones(1), 1.0)
    50.5
    """
    flat = np.maximum(values, _TINY).ravel()
    weights = np.repeat(counts, values.shape[1])
    order = np.argsort(flat)
    flat, weights = flat[order], weights[order]
    total, sums = _cumulated(weights), _cumulated(weights * flat)
    edges = np.unique(np.concatenate([flat, flat / ratio]))
    between = np.concatenate([[edges[0] / 2], (edges[1:] + edges[:-1]) / 2, [edges[-1] * 2]])
    below = np.searchsorted(flat, between)
    above = np.searchsorted(flat, between * ratio, side="right")
    moved = total[below] + total[-1] - total[above]
    mass = sums[below] + (sums[-1] - sums[above]) / ratio
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        best = np.where(moved > 0, mass / moved, between)
    low = np.concatenate([[_TINY], edges])
    high = np.concatenate([edges, [np.inf]])
    candidates = np.clip(best, low, high)
    # the loss of each, by the sums over values below, within and above
    most = ratio * candidates
    inside = _cumulated(weights * (np.log(flat) + 1))
    below, above = np.searchsorted(flat, candidates), np.searchsorted(flat, most, side="right")
    with np.errstate(over="ignore"):  # a loss that overflows is not the least
        losses = total[below] * np.log(candidates) + sums[below] / candidates
        losses += inside[above] - inside[below]
        losses += (total[-1] - total[above]) * np.log(most) + (sums[-1] - sums[above]) / most
    return float(candidates[int(np.argmin(losses))])


def _cumulated(values: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(values)])


def bound_ratio(covariances: Array, counts: Array, ratio: float) -> tuple[Array, int]:
    """Return the likeliest covariances whose eigenvalues are within a ratio, and how many moved.

    Parameters
    ----------
    covariances : array of shape (K, D, D), or in blocks (see `biglearn.model.blocks`)
    counts : array of shape (K,)
        Weight of the components' rows; those of weight 0 take no part in the bound.
    ratio : float
        Largest eigenvalue of any component over the smallest of any, at least 1.
    """
    values, vectors = eigh(covariances)
    if values.min() > 0 and values.max() <= ratio * values.min():
        return covariances, 0
    least = truncation(values.reshape(len(values), -1), np.maximum(counts, 0.0), ratio)
    clipped = np.clip(values, least, ratio * least)
    n_moved = int((np.abs(clipped - values) > 1e-9 * np.abs(values)).sum())
    return symmetrise(rebuilt(clipped, vectors)), n_moved
