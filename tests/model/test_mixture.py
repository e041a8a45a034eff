"""The distribution against scipy, sampling and closed forms."""

import copy
import pickle

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import kstest, norm

from biglearn.model.mixture import Mixture
from helpers import random_mixture, scipy_log_density, scipy_log_joint


def test_densities_and_responsibilities_are_scipys(rng):
    mixture = random_mixture(rng, 4, 3)
    X = 5 * rng.normal(size=(5000, 3))  # more than one block
    log_joint = scipy_log_joint(mixture.weights, mixture.means, mixture.covariances, X)
    np.testing.assert_allclose(mixture.log_joint(X), log_joint, rtol=1e-10)
    np.testing.assert_allclose(mixture.log_density(X), scipy_log_density(mixture, X), rtol=1e-10)
    shares = mixture.responsibilities(X)
    np.testing.assert_allclose(shares, softmax(log_joint, axis=1), atol=1e-10)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-14)


def test_an_offset_costs_no_digits(rng):
    mixture = random_mixture(rng)
    X, offset = rng.normal(size=(50, 3)), np.array([2.0**27, -(2.0**27), 0.0])
    means = np.round(mixture.means * 2**10) / 2**10  # exact beside the offset
    X = np.round(X * 2**10) / 2**10
    near = Mixture(mixture.weights, means, mixture.covariances)
    far = Mixture(mixture.weights, means + offset, mixture.covariances)
    np.testing.assert_allclose(far.log_density(X + offset), near.log_density(X), rtol=1e-6)


def test_marginals_are_those_of_quadrature(rng):
    mixture = random_mixture(rng, 2, 2, spread=1.0)
    grid = np.linspace(-15, 15, 3001)
    for y in (-1.0, 0.5):
        rows = np.column_stack([grid, np.full(len(grid), y)])
        total = np.exp(mixture.log_density(rows)).sum() * (grid[1] - grid[0])
        assert np.exp(mixture.marginal(1).log_density([[y]])[0]) == pytest.approx(total, rel=1e-8)


def test_marginals_take_names_numbers_and_order(mixture):
    for features in (["c", "a"], [2, 0], [-1, 0], np.array([2, 0])):
        marginal = mixture.marginal(features)
        np.testing.assert_array_equal(marginal.means, mixture.means[:, [2, 0]])
        assert marginal.feature_names == ("c", "a")
    for single in ("b", 1, np.int64(1)):
        np.testing.assert_array_equal(mixture.marginal(single).means, mixture.means[:, [1]])


@pytest.mark.parametrize(
    ("features", "message"),
    [("z", "unknown feature 'z'; known"), (3, "feature 3 is out of range"), ([], "at least one"),
     ([0, 0], "none twice"), ([0, "a"], "none twice"), ([1.5], "got 1.5"), ([True], "got True")],
)  # fmt: skip
def test_unknown_features_are_named(mixture, features, message):
    with pytest.raises(ValueError, match=message):
        mixture.marginal(features)


def test_a_transform_is_the_distribution_of_the_transformed_rows(rng):
    mixture = random_mixture(rng, 3, 3)
    A, b, X = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=(20, 3))
    moved = mixture.transform(A, b)
    change = np.linalg.slogdet(A)[1]
    np.testing.assert_allclose(
        moved.log_density(X @ A.T + b), mixture.log_density(X) - change, rtol=1e-9
    )
    narrow = mixture.transform(A[:2])
    np.testing.assert_allclose(narrow.mean, A[:2] @ mixture.mean, atol=1e-12)
    np.testing.assert_allclose(narrow.covariance, A[:2] @ mixture.covariance @ A[:2].T, atol=1e-11)
    with pytest.raises(ValueError, match=r"A must have shape \(d, 3\), got \(2, 2\)"):
        mixture.transform(np.eye(2))
    with pytest.raises(ValueError, match=r"b must have shape \(3,\), got \(1,\)"):
        mixture.transform(A, [1.0])
    with pytest.raises(ValueError, match="positive definite"):
        mixture.transform(np.zeros((1, 3)))


def test_samples_follow_the_distribution(rng):
    mixture, n = random_mixture(rng, 3, 2), 20_000
    X, labels = mixture.sample(n, rng)
    p = mixture.weights
    assert (np.abs(np.bincount(labels) / n - p) < 5 * np.sqrt(p * (1 - p) / n)).all()
    error = np.sqrt(np.diag(mixture.covariance) / n)
    assert (np.abs(X.mean(axis=0) - mixture.mean) < 5 * error).all()
    assert np.abs(np.cov(X.T) - mixture.covariance).max() < 0.05 * mixture.covariance.max()

    def cdf(x):
        sigma = np.sqrt(mixture.covariances[:, 0, 0])
        return norm.cdf((x[:, None] - mixture.means[:, 0]) / sigma) @ p

    assert kstest(X[:, 0], cdf).pvalue > 1e-4
    np.testing.assert_array_equal(mixture.sample(5, 3)[0], mixture.sample(5, 3)[0])
    with pytest.raises(ValueError, match="n >= 1, got 0"):
        mixture.sample(0)


def test_the_divergence_of_two_gaussians_lies_within_its_standard_error(rng):
    p, q = random_mixture(rng, 1, 3, 1.0), random_mixture(rng, 1, 3, 1.0)
    inverse, gap = np.linalg.inv(q.covariances[0]), q.means[0] - p.means[0]
    exact = 0.5 * (
        np.trace(inverse @ p.covariances[0]) + gap @ inverse @ gap - 3
        + np.linalg.slogdet(q.covariances[0])[1] - np.linalg.slogdet(p.covariances[0])[1]
    )  # fmt: skip
    errors = []
    for seed in range(40):
        estimate, error = p.kl_divergence(q, n_samples=2000, rng=seed)
        errors.append((estimate - exact) / error)
    assert np.abs(errors).max() < 5
    assert 0.6 < np.std(errors) < 1.5  # the standard error is neither too large nor too small
    assert p.kl_divergence(p, rng=0).estimate == 0
    nowhere = Mixture([1.0], [[1e200, 0, 0]], [np.eye(3)])
    assert p.kl_divergence(nowhere, n_samples=10, rng=0).estimate == np.inf


def test_nothing_can_be_changed(mixture):
    for same in (mixture, copy.deepcopy(mixture), pickle.loads(pickle.dumps(mixture))):
        for name in ("weights", "means", "covariances", "whitening"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(same, name)[...] = 0
        with pytest.raises(AttributeError, match="immutable"):
            same.weights = 1
        with pytest.raises(AttributeError, match="immutable"):
            del same.weights
        np.testing.assert_array_equal(same.means, mixture.means)
        assert same.feature_names == ("a", "b", "c")


def test_the_arrays_handed_over_stay_the_users(rng):
    means = np.zeros((1, 2))
    mixture = Mixture([1.0], means, [np.eye(2)])
    means[0, 0] = 7.0
    assert mixture.means[0, 0] == 0


EYE = [np.eye(2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [0.0, 0.0], EYE), r"means must have shape \(K, D\), got \(2,\)"),
        (([0.5, 0.5], [[0.0, 0.0]], EYE), r"weights must have shape \(1,\), got \(2,\)"),
        (([1.0], [[0.0, 0.0]], [np.eye(3)]), r"covariances must have .*got \(1, 3, 3\)"),
        (([0.9], [[0.0, 0.0]], EYE), "sum 0.9"),
        (([1.5, -0.5], np.zeros((2, 2)), EYE * 2), "at least 0"),
        (([1.0], [[0.0, np.nan]], EYE), "means must be finite"),
        (([1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.0, 1.0]]]), r"covariances\[0\] is not symmetric"),
        (([1.0], [[0.0, 0.0]], [[[1.0, 2.0], [2.0, 1.0]]]), r"covariances\[0\] .*eigenvalue is -1"),
    ],
)
def test_invalid_parameters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mixture(*arguments)


@pytest.mark.parametrize("X", [[1.0, 2.0, 3.0], [[1.0]]])
def test_rows_of_the_wrong_shape_are_refused(mixture, X):
    with pytest.raises(ValueError, match=r"X must have shape \(N, 3\), got \("):
        mixture.log_density(X)
