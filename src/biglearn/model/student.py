"""Student-t components: Gaussians whose scale differs from row to row.

A row of a component with ν degrees of freedom is Gaussian with covariance Σ/u, where u has
a Gamma distribution of mean 1: rows far away have a small u, and count little.  With the
squared distance δ of what is seen of a row, in d dimensions,

    log t = log N + δ/2 - (ν + d)/2 log(1 + δ/ν) + c(ν, d),    E(u) = (ν + d) / (ν + δ).

Marginals and affine maps keep ν; the limit of large ν is the Gaussian.  (Peel and
McLachlan, Statistics and Computing 10, 2000.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from biglearn._types import Array, FloatArray
from biglearn.model.moments import Moments

#: Degrees of freedom that a fit begins with, and the range of those that it finds: the
#: largest are as good as Gaussian.
START, LEAST, MOST = 5.0, 1.0, 200.0

_HALVINGS = 60


def excess(dof: Array, size: int) -> Array:
    """Return c(ν, d), what the constant of t has more than that of the Gaussian."""
    from scipy.special import gammaln  # loading scipy takes long

    half = dof / 2
    return np.asarray(gammaln(half + size / 2) - gammaln(half) - size / 2 * np.log(half))


def expected_log(dof: Array, size: int) -> Array:
    """Return E(log u) - log E(u) of a row of which `size` values are seen."""
    from scipy.special import digamma

    half = (dof + size) / 2
    return np.asarray(digamma(half) - np.log(half))


def tails(log_joint: FloatArray, constant: Array, dof: Array, size: int) -> FloatArray:
    """Turn log π_k N(y), shape (K, n), into log π_k t(y) in place; return E(u), (K, n).

    Parameters
    ----------
    log_joint : array of shape (K, n)
    constant : array of shape (K, n) or (K, 1)
        log π_k N of a row at distance 0.
    dof : array of shape (K,)
    size : int
        d, the dimensions that are seen.
    """
    dtype = log_joint.dtype
    nu = dof[:, None].astype(dtype)
    with np.errstate(invalid="ignore"):
        distances = 2 * (constant.astype(dtype) - log_joint)
    # an empty component has log-weight -inf, and so no distance
    distances = np.maximum(np.nan_to_num(distances, nan=0.0, posinf=np.inf), 0)
    top = constant + excess(dof, size)[:, None]
    log_joint[:] = top - 0.5 * (dof[:, None] + size) * np.log1p(distances / nu)
    return np.asarray((nu + size) / (nu + distances), dtype=dtype)


def scale_sums(shares: FloatArray, scales: FloatArray) -> Array:
    """Return Σ r and Σ r log E(u) of a block, shape (K, 2)."""
    logs = (shares * np.log(scales)).sum(axis=1, dtype=np.float64)
    return np.column_stack([shares.sum(axis=1, dtype=np.float64), logs])


def with_logs(moments: Moments, dof: Array) -> Moments:
    """Make Σ r E(log u) of the sums of log E(u), of rows that are seen in all dimensions."""
    if moments.scales is None:
        return moments
    more = moments.counts * expected_log(dof, moments.first.shape[1])
    logs = moments.scales[:, 1] + more
    return replace(moments, scales=np.column_stack([moments.scales[:, 0], logs]))


def update(counts: Array, weighted: Array, logs: Array) -> Array:
    """Return the likeliest degrees of freedom, shape (K,).

    The root of log(ν/2) - ψ(ν/2) + 1 + Σ r (E log u - E u) / Σ r, which decreases in ν,
    within `LEAST` and `MOST`.

    Parameters
    ----------
    counts, weighted, logs : array of shape (K,)
        Σ r, Σ r E(u) and Σ r E(log u).
    """
    from scipy.special import digamma

    with np.errstate(invalid="ignore", divide="ignore"):
        target = 1 + (logs - weighted) / counts
    low, high = np.full(len(counts), np.log(LEAST)), np.full(len(counts), np.log(MOST))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        half = np.exp(middle) / 2
        above = np.log(half) - digamma(half) + target > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(np.exp((low + high) / 2))


def scales(dof: Array, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Draw u of the given shape, which `dof` is broadcast to."""
    return rng.gamma(dof / 2, 2 / dof, size=shape)


def spread(dof: Array | None) -> Array | float:
    """Return ν / (ν - 2), by which the covariance exceeds the scale matrix; 1 for Gaussians."""
    if dof is None:
        return 1.0
    return np.where(dof > 2, dof / np.maximum(dof - 2, np.finfo(float).tiny), np.inf)
