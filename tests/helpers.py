"""What several tests need: random problems, and straightforward oracles."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from biglearn.model.mixture import Mixture

#: The structures that scikit-learn has too, and all.
SHARED_TYPES = ["full", "tied", "diag", "spherical"]
COVARIANCE_TYPES = [*SHARED_TYPES, "factor"]


def random_covariances(rng, n_components, n_features):
    """Draw well-conditioned covariances: eigenvalues of a Wishart plus one."""
    factors = rng.normal(size=(n_components, n_features, n_features))
    return factors @ np.swapaxes(factors, 1, 2) / n_features + 0.3 * np.eye(n_features)


def random_mixture(rng, n_components=3, n_features=3, spread=3.0):
    return Mixture(
        rng.dirichlet(np.full(n_components, 5.0)),
        spread * rng.normal(size=(n_components, n_features)),
        random_covariances(rng, n_components, n_features),
    )


def blobs(rng, n_rows=300, n_features=2, n_components=3, spread=3.0):
    """Draw rows of a random mixture."""
    return random_mixture(rng, n_components, n_features, spread).sample(n_rows, rng)[0]


def scipy_log_joint(weights, means, covariances, X):
    """log π_k N(x_n) by scipy, shape (N, K)."""
    columns = [
        np.log(w) + multivariate_normal(m, c).logpdf(X).reshape(len(X))
        for w, m, c in zip(weights, means, covariances, strict=True)
    ]
    return np.column_stack(columns)


def scipy_log_density(mixture, X):
    log_joint = scipy_log_joint(mixture.weights, mixture.means, mixture.covariances, X)
    return logsumexp(log_joint, axis=1)


def direct_moments(X, responsibilities, weights=None):
    """Counts, means and covariances, one component at a time."""
    r = responsibilities if weights is None else responsibilities * weights[:, None]
    counts = r.sum(axis=0)
    means = r.T @ X / counts[:, None]
    covariances = np.array(
        [
            (r[:, k, None] * (X - means[k])).T @ (X - means[k]) / counts[k]
            for k in range(len(counts))
        ]
    )
    return counts, means, covariances
