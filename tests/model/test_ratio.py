"""The bound on the ratio of eigenvalues against a direct numerical maximisation."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from biglearn import GaussianMixture
from biglearn.model.ratio import bound_ratio, truncation
from helpers import blobs, random_covariances


def loss(m, values, counts, ratio):
    clipped = np.clip(values, m, ratio * m)
    return counts @ (np.log(clipped) + values / clipped).sum(axis=1)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 12.0, 200.0])
def test_the_truncation_is_the_numerical_maximum(rng, ratio):
    for _ in range(20):
        values = np.exp(rng.normal(0, 2, size=(4, 3)))
        counts = rng.uniform(1, 50, size=4)
        m = truncation(values, counts, ratio)
        grid = np.geomspace(values.min() / ratio / 2, 2 * values.max(), 400)
        best = min(grid, key=lambda g, v=values, n=counts: loss(g, v, n, ratio))
        around = minimize_scalar(
            lambda log_m, v=values, n=counts: loss(np.exp(log_m), v, n, ratio),
            bounds=(np.log(best) - 0.1, np.log(best) + 0.1),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert loss(m, values, counts, ratio) <= around.fun + 1e-9 * abs(around.fun)


def test_covariances_within_the_ratio_stay(rng):
    covariances = random_covariances(rng, 3, 2)
    same, moved = bound_ratio(covariances, np.ones(3), 1e6)
    assert same is covariances
    assert moved == 0


def test_a_ratio_of_one_is_one_sphere_for_all(rng):
    covariances, counts = random_covariances(rng, 3, 2), np.array([1.0, 2.0, 3.0])
    found, _ = bound_ratio(covariances, counts, 1.0)
    traces = np.trace(covariances, axis1=1, axis2=2)
    sphere = np.tile(np.eye(2), (3, 1, 1)) * (counts @ traces) / 12
    np.testing.assert_allclose(found, sphere, atol=1e-12)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical", "tied"])
def test_fits_respect_the_ratio_and_never_fall(rng, kind):
    X = np.vstack([blobs(rng, 150, 2), 0.01 * rng.normal(size=(40, 2))])
    model = GaussianMixture(
        3, covariance_type=kind, max_ratio=5.0, scaling="none", random_state=0, method="em"
    ).fit(X)
    values = np.linalg.eigvalsh(model.mixture_.covariances)
    assert values.max() <= 5.0 * values.min() * (1 + 1e-9)
    assert np.diff(model.lower_bounds_).min(initial=0.0) > -1e-10


def test_impossible_ratios_are_refused(rng):
    X = blobs(rng, 50, 2)
    with pytest.raises(ValueError, match=r"max_ratio must be .* at least 1, got 0.5"):
        GaussianMixture(2, max_ratio=0.5).fit(X)
    with pytest.raises(ValueError, match="max_ratio does not support covariance_type 'factor'"):
        GaussianMixture(2, max_ratio=5.0, covariance_type="factor").fit(X)
