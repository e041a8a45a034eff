"""What several tests need: random problems, and straightforward oracles."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from biglearn.engines import engine_over
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints
from biglearn.model.families import family_of
from biglearn.model.mixture import Mixture
from biglearn.model.structures import structure_of
from biglearn.search.climbing.ascent import climb
from biglearn.search.run import Run, Settings
from biglearn.search.surgery.judged import JudgedRows

#: The structures that scikit-learn has too, and all.
SHARED_TYPES = ["full", "tied", "diag", "spherical"]
COVARIANCE_TYPES = [*SHARED_TYPES, "factor"]

#: Of the clusters in the fixture `littered`.
CENTRES = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])


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


def with_gaps(rng, X, share=0.3):
    """Return rows of which a share of the values is missing."""
    return np.where(rng.random(X.shape) < share, np.nan, X)


def clusters(rng, centres, n=80, spread=0.5):
    """Draw as many rows around each centre."""
    return np.vstack([rng.normal(size=(n, len(c))) * spread + c for c in np.array(centres, float)])


def make_run(
    X,
    n_components,
    *,
    start=None,
    seed=0,
    weights=None,
    structure="full",
    floor=1e-6,
    fixed=None,
    family="gaussian",
    **settings,
):
    """Return a run over rows in their own units, which stands at `start` if that is components.

    `start` may be a start, too; `settings` are further ones of `Settings`.
    """
    run = Run(
        engine_over(X, weights=weights),
        Settings(n_components, **settings),
        start if callable(start) else lambda run: start,
        np.random.default_rng(seed),
        Constraints(structure_of(structure), floor, fixed, family_of(family)),
    )
    if isinstance(start, Components):
        run.begin_leg(start)
    return run


def settle(X, means, **more):
    """Return a run at a fixed point of EM, its components, and all rows as surgery sees them."""
    means = np.array(means, float)
    K, D = means.shape
    run = make_run(X, K, **more)
    eyes = np.tile(np.eye(D), (K, 1, 1))
    start, _ = run.constraints.impose(np.full(K, 1 / K), means, eyes)
    run.begin_leg(start)
    for point in islice(climb(run, start, accelerate=True), 2000):
        if point.left <= 1e-13:
            break
    run.begin_leg(point.components)
    run.expect(point.components)
    mixture = Mixture.of(point.components)
    return run, mixture, JudgedRows.of(run, mixture, len(X))


def assert_same_moments(ours, theirs, rtol=1e-11):
    """Compare the sums of two engines over the same rows."""
    for name in ("counts", "first", "second"):
        expected = getattr(theirs, name)
        np.testing.assert_allclose(
            getattr(ours, name), expected, rtol=rtol, atol=rtol * np.abs(expected).max()
        )
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, rel=rtol)
    assert (ours.total, ours.rows) == (pytest.approx(theirs.total), theirs.rows)


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
