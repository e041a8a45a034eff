"""Factor analysis: the likeliest ΛΛᵀ + Ψ of sample covariances S.

Given Ψ the likeliest Λ is in closed form: with the q largest eigenvalues θ and their
vectors U of Ψ^-½ S Ψ^-½ it is Λ = Ψ^½ U (θ - 1)₊^½.  The rest is a smooth function
of the D noise variances, with the gradient 1 - diag(S - ΛΛᵀ) / Ψ in their logarithms.
"""

from __future__ import annotations

import numpy as np

from biglearn._types import Array

#: Ridge for the first guess at the noise, in units of the variances.
_RIDGE = 1e-2

#: Another guess: half of every variance is noise.
_HALF = 0.5

#: From this size on the leading eigenvectors alone are cheaper than all.
_LARGE = 200

#: The floor is at least this share of a variance, which rounding still resolves.
_RESOLUTION = 1e-12


def fit_factors(samples: Array, n_factors: int, floor: float | Array) -> tuple[Array, Array, int]:
    """Return loadings, noise variances, and how many of these the floor raised.

    Parameters
    ----------
    samples : array of shape (K, D, D)
        Sample covariances S.
    n_factors : int
        q; more than D count as D.
    floor : float or array of shape (D,)
        Smallest noise variance.

    Returns
    -------
    loadings : array of shape (K, D, q)
        Λ; the factor that explains most first, each column with a positive sum in units of
        the features' deviations.
    noise : array of shape (K, D)
        The diagonal of Ψ.
    n_raised : int

    References
    ----------
    K. G. Jöreskog, "Some contributions to maximum likelihood factor analysis",
    Psychometrika 32, 1967.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.factors import fit_factors
    >>> loadings = np.array([[1.0], [2.0], [0.5], [1.0]])
    >>> S = loadings @ loadings.T + np.diag([0.5, 1.0, 0.2, 2.0])
    >>> found, noise, _ = fit_factors(S[None], 1, floor=1e-6)
    >>> found[0].T.round(3), noise[0].round(3)
    (array([[1. , 2. , 0.5, 1. ]]), array([0.5, 1. , 0.2, 2. ]))
    """
    q = min(n_factors, samples.shape[-1])
    least = np.maximum(floor, np.finfo(float).tiny)
    found = [_fit_one(sample, q, least) for sample in samples]
    loadings, noise, raised = zip(*found, strict=True)
    return np.stack(loadings), np.stack(noise), sum(raised)


def _fit_one(sample: Array, q: int, floor: Array) -> tuple[Array, Array, int]:
    """Fit one covariance, in units of its deviations."""
    from scipy.optimize import minimize  # loading scipy takes long

    size = len(sample)
    variances = np.maximum(np.diagonal(sample), floor)
    deviations = np.sqrt(variances)
    correlations = sample / np.outer(deviations, deviations)
    lowest = np.maximum(floor / variances, _RESOLUTION)
    inverse = np.linalg.inv(correlations + _RIDGE * np.eye(size))
    guess = np.clip((1.0 - 0.5 * q / size) / np.diagonal(inverse), lowest, 1.0)

    def loss(log_noise: Array) -> tuple[float, Array]:
        """Return minus twice the log-likelihood per row, less a constant, and its gradient."""
        noise = np.exp(log_noise)
        excess, vectors = _leading(correlations, noise, q)
        value = log_noise.sum() + (np.diagonal(correlations) / noise).sum()
        value += (np.log1p(excess) - excess).sum()
        left = np.diagonal(correlations) - noise * (vectors**2 @ excess)
        return float(value), 1.0 - left / noise

    bounds = [(low, 0.0) for low in np.log(lowest)]
    precisely = {"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1000}
    # nearly singular samples have several optima, of which these starts mostly find the best
    ends = [
        minimize(loss, np.log(start), jac=True, method="L-BFGS-B", bounds=bounds, options=precisely)
        for start in (guess, np.clip(_HALF, lowest, 1.0))
    ]
    noise = np.exp(min(ends, key=lambda end: end.fun).x)
    excess, vectors = _leading(correlations, noise, q)
    loadings = np.sqrt(noise)[:, None] * vectors * np.sqrt(excess)
    loadings *= np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
    wanted = np.diagonal(correlations) - (loadings**2).sum(axis=1)
    n_raised = int((wanted < lowest * (1 - 1e-6)).sum())
    return deviations[:, None] * loadings, noise * variances, n_raised


def _leading(correlations: Array, noise: Array, q: int) -> tuple[Array, Array]:
    """Return (θ - 1)₊ of the q largest eigenvalues under noise, (q,), and vectors, (D, q)."""
    roots = np.sqrt(noise)
    matrix = correlations / np.outer(roots, roots)
    if len(noise) >= _LARGE and q < len(noise) // 10:
        from scipy.sparse.linalg import eigsh

        values, vectors = eigsh(matrix, q, v0=np.ones(len(noise)))
    else:
        values, vectors = np.linalg.eigh(matrix)
    order = np.argsort(-values)[:q]
    return np.maximum(values[order] - 1.0, 0.0), vectors[:, order]
