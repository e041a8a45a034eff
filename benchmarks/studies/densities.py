"""Mixtures under the judge's eyes: their densities, and the floor under their eigenvalues.

Like the judge, which it is for, this shares no code with the library.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from benchmarks.studies.simulated import Array, Parameters

LOG_2PI = float(np.log(2 * np.pi))


class HasParameters(Protocol):
    """Anything with the parameters of a mixture."""

    @property
    def weights(self) -> Array:
        """Shape (K,)."""
        ...

    @property
    def means(self) -> Array:
        """Shape (K, D)."""
        ...

    @property
    def covariances(self) -> Array:
        """Shape (K, D, D)."""
        ...


def clip(covariances: Array, floor: float) -> Array:
    """Raise the eigenvalues of symmetric matrices to `floor`.

    Of all matrices with eigenvalues of at least `floor` the result maximises the expected
    log-likelihood, so this is the exact constrained M-step.

    Parameters
    ----------
    covariances : (K, D, D) array
    floor : float

    Returns
    -------
    (K, D, D) array

    Examples
    --------
    >>> clip(np.diag([4.0, 0.0])[None], 0.5)[0]
    array([[4. , 0. ],
           [0. , 0.5]])
    """
    values, vectors = np.linalg.eigh((covariances + covariances.transpose(0, 2, 1)) / 2)
    clipped: Array = np.einsum(
        "kij,kj,klj->kil", vectors, np.maximum(values, floor), vectors, optimize=True
    )
    return clipped


def checked(X: Array, mixture: HasParameters, floor: float) -> Parameters:
    """Return a model's parameters with weights that sum to one, under the floor.

    Parameters
    ----------
    X : (N, D) array
    mixture : HasParameters
    floor : float

    Returns
    -------
    checked : Parameters

    Raises
    ------
    ValueError
        If the model is not finite or does not fit the rows.
    """
    weights = np.asarray(mixture.weights, dtype=float)
    means = np.asarray(mixture.means, dtype=float)
    covariances = np.asarray(mixture.covariances, dtype=float)
    K, D = len(weights), X.shape[1]
    if means.shape != (K, D) or covariances.shape != (K, D, D):
        raise ValueError(
            f"the model does not fit {D} features: weights {weights.shape}, means {means.shape}, "
            f"covariances {covariances.shape}; hand in (K,), (K, {D}) and (K, {D}, {D})"
        )
    for name, values in (("weights", weights), ("means", means), ("covariances", covariances)):
        if not np.all(np.isfinite(values)):
            raise ValueError(f"the model's {name} hold NaN or infinity; count it as a failure")
    if np.any(weights < 0) or weights.sum() <= 0:
        raise ValueError(f"weights must not be negative and not all zero, got {weights}")
    return Parameters(weights / weights.sum(), means, clip(covariances, floor))


def log_joint(X: Array, mixture: HasParameters) -> Array:
    """Return log(weight × density) of every row under every component.

    Parameters
    ----------
    X : (N, D) array
    mixture : HasParameters

    Returns
    -------
    (N, K) array

    Examples
    --------
    >>> one = Parameters(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
    >>> log_joint(np.zeros((1, 1)), one).round(4)
    array([[-0.9189]])
    """
    N, D = X.shape
    result: Array = np.empty((N, len(mixture.weights)))
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights)
    for k, (mean, covariance) in enumerate(zip(mixture.means, mixture.covariances, strict=True)):
        factor = np.linalg.cholesky(covariance)
        inverse = solve_triangular(factor, np.eye(D), lower=True)
        white = (X - mean) @ inverse.T
        result[:, k] = -0.5 * np.einsum("nd,nd->n", white, white) - np.log(np.diag(factor)).sum()
    result += log_weights - 0.5 * D * LOG_2PI
    return result


def log_likelihood(X: Array, mixture: HasParameters) -> float:
    """Return the mean log-density per row, in nats.

    Parameters
    ----------
    X : (N, D) array
    mixture : HasParameters

    Returns
    -------
    float
    """
    return float(np.mean(logsumexp(log_joint(X, mixture), axis=1)))
