"""Both forms of the density against scipy, and the pieces of the pass."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from biglearn.model.blocks import in_blocks
from biglearn.model.densities import (
    Pairs,
    QuadraticDensity,
    WhitenedDensity,
    normalise,
    outer_sums,
    quadratic_is_accurate,
)
from biglearn.model.mixture import Mixture
from helpers import direct_moments, random_mixture, scipy_log_joint

FLOAT64, FLOAT32 = np.dtype(np.float64), np.dtype(np.float32)


def log_joint(form, mixture, X, dtype=FLOAT64, diagonal=False):
    rows = np.ascontiguousarray(X.T, dtype=dtype)
    if form == "whitened":
        return WhitenedDensity(mixture, dtype).log_joint(rows).T
    pairs = Pairs(mixture.n_features, diagonal=diagonal)
    features = pairs.fill(rows, np.empty((pairs.n_features, len(X)), dtype=dtype))
    return QuadraticDensity(mixture, pairs, dtype).log_joint(features).T


@pytest.mark.parametrize("form", ["whitened", "quadratic"])
@pytest.mark.parametrize("n_features", [1, 2, 7])
def test_both_forms_are_scipys(rng, form, n_features):
    mixture = random_mixture(rng, 4, n_features)
    X = mixture.sample(50, rng)[0]
    wanted = scipy_log_joint(mixture.weights, mixture.means, mixture.covariances, X)
    np.testing.assert_allclose(log_joint(form, mixture, X), wanted, rtol=1e-10, atol=1e-10)
    single = log_joint(form, mixture, X, FLOAT32)
    assert single.dtype == np.float32
    # terms of size λ_max(Σ⁻¹)·|x|² are rounded at 6e-8 each
    size = max(1 / np.linalg.eigvalsh(c)[0] for c in mixture.covariances) * (X**2).sum(1).max()
    np.testing.assert_allclose(single, wanted, atol=1e-6 * size)


def test_diagonal_covariances_need_the_squares_alone(rng):
    mixture = random_mixture(rng, 3, 4)
    mixture = Mixture(mixture.weights, mixture.means, mixture.covariances * np.eye(4))
    X = rng.normal(size=(30, 4))
    np.testing.assert_allclose(
        log_joint("quadratic", mixture, X, diagonal=True),
        log_joint("whitened", mixture, X),
        rtol=1e-10,
    )


def test_the_quadratic_form_is_refused_where_it_cancels():
    easy = Mixture([1.0], [[1.0, 1.0]], [np.eye(2)])
    assert quadratic_is_accurate(easy, FLOAT64)
    assert quadratic_is_accurate(easy, FLOAT32)
    sharp = Mixture([1.0], [[100.0, 1.0]], [1e-6 * np.eye(2)])
    assert not quadratic_is_accurate(sharp, FLOAT64)
    assert not quadratic_is_accurate(sharp, FLOAT32)


def test_the_whitened_form_survives_a_nearly_singular_covariance(rng):
    direction = np.array([3.0, 4.0]) / 5
    covariance = np.outer(direction, direction) + 1e-8 * np.eye(2)
    mixture = Mixture([1.0], [[0.5, -0.5]], [covariance])
    X = mixture.sample(100, rng)[0]
    values, vectors = np.linalg.eigh(covariance)
    distances = ((X - mixture.means[0]) @ vectors) ** 2 / values
    wanted = -0.5 * distances.sum(axis=1) - 0.5 * np.log(values).sum() - np.log(2 * np.pi)
    # relative error of the factor: eps · condition number = 2e-16 · 1e8
    np.testing.assert_allclose(log_joint("whitened", mixture, X)[:, 0], wanted, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_normalise_is_softmax_and_logsumexp(rng, dtype):
    values = (10 * rng.normal(size=(3, 20))).astype(dtype)
    shares = values.copy()
    log_density = normalise(shares)
    rtol = 20 * np.finfo(dtype).eps * np.abs(values).max()
    np.testing.assert_allclose(shares, softmax(values.astype(float), axis=0), rtol=rtol)
    np.testing.assert_allclose(log_density, logsumexp(values.astype(float), axis=0), rtol=rtol)


def test_normalise_holds_for_any_offset_and_for_lost_rows():
    values = np.array([[-1e300, 1e300, -np.inf], [-1e300, -1e300, -np.inf]])
    log_density = normalise(values)
    np.testing.assert_allclose(values, [[0.5, 1.0, 0.5], [0.5, 0.0, 0.5]], atol=1e-100)
    np.testing.assert_array_equal(log_density, [-1e300, 1e300, -np.inf])


@pytest.mark.parametrize("diagonal", [False, True])
def test_features_times_responsibilities_are_the_moments(rng, diagonal):
    X, shares = rng.normal(size=(30, 3)), rng.dirichlet(np.ones(2), size=30)
    pairs = Pairs(3, diagonal=diagonal)
    features = pairs.fill(X.T, np.empty((pairs.n_features, 30)))
    counts, first, second = pairs.unpack(shares.T @ features.T)
    n, means, covariances = direct_moments(X, shares)
    np.testing.assert_allclose(counts, n)
    np.testing.assert_allclose(first, n[:, None] * means, atol=1e-12)
    raw = n[:, None, None] * (covariances + means[:, :, None] * means[:, None, :])
    expected = in_blocks(raw, 1) if diagonal else raw
    np.testing.assert_allclose(second, expected, atol=1e-12)
    if not diagonal:
        np.testing.assert_allclose(outer_sums(shares.T, X.T), shares.T @ features.T, atol=1e-12)
