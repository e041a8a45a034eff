"""Moments add over any split of the rows and about any reference."""

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance

from biglearn.model.moments import Moments, map_weights
from helpers import direct_moments


def moments(X, responsibilities, reference):
    shifted = X - reference
    return Moments(
        counts=responsibilities.sum(axis=0),
        first=responsibilities.T @ shifted,
        second=np.einsum("nk,ni,nj->kij", responsibilities, shifted, shifted),
        log_likelihood=float(X.sum()),
        total=float(len(X)),
        rows=len(X),
        reference=reference,
    )


@pytest.fixture
def problem(rng):
    X = rng.normal(size=(40, 3)) + np.array([1.0, -2.0, 5.0])
    return X, rng.dirichlet(np.ones(2), size=40)


@pytest.mark.parametrize("cuts", [[20], [1, 39], [5, 6, 30]])
def test_they_add_over_any_split_and_any_references(rng, problem, cuts):
    X, shares = problem
    pieces = zip(np.split(X, cuts), np.split(shares, cuts), strict=True)
    parts = [moments(x, r, rng.normal(size=3)) for x, r in pieces]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    counts, means, covariances = direct_moments(X, shares)
    np.testing.assert_allclose(total.counts, counts, rtol=1e-12)
    np.testing.assert_allclose(total.means, means, rtol=1e-12)
    np.testing.assert_allclose(total.covariances, covariances, atol=1e-12)
    assert total.rows == 40
    assert total.total == 40.0
    assert total.log_likelihood == pytest.approx(X.sum(), rel=1e-12)


def test_a_shift_changes_neither_means_nor_covariances(rng, problem):
    one = moments(*problem, np.zeros(3))
    other = one.shift(np.array([3.0, -1.0, 2.0]))
    np.testing.assert_allclose(other.means, one.means, rtol=1e-12)
    np.testing.assert_allclose(other.covariances, one.covariances, atol=1e-12)
    np.testing.assert_allclose(other.shift(np.zeros(3)).second, one.second, atol=1e-11)


def test_one_component_is_the_empirical_covariance(problem):
    X, _ = problem
    m = moments(X, np.ones((40, 1)), X.mean(axis=0))
    np.testing.assert_allclose(m.covariances[0], np.cov(X.T, bias=True), atol=1e-13)
    np.testing.assert_allclose(
        m.covariances[0], EmpiricalCovariance().fit(X).covariance_, atol=1e-13
    )


def test_weighted_rows_are_those_of_numpy(rng, problem):
    X, _ = problem
    weights = rng.integers(1, 5, size=40)
    m = moments(X, weights[:, None].astype(float), np.zeros(3))
    np.testing.assert_allclose(
        m.covariances[0], np.cov(X.T, bias=True, fweights=weights), atol=1e-12
    )


def test_a_component_without_rows_is_dead_and_nan_without_a_warning(problem):
    X, shares = problem
    m = moments(X, np.column_stack([shares, np.zeros(40)]), np.zeros(3))
    assert m.alive.tolist() == [True, True, False]
    assert np.isnan(m.means[2]).all()
    assert np.isnan(m.covariances[2]).all()


def test_map_weights_are_the_dirichlet_posterior_mode():
    counts = np.array([6.0, 3.0, 1.0])
    np.testing.assert_allclose(map_weights(counts, 10.0), [0.6, 0.3, 0.1])
    np.testing.assert_allclose(map_weights(counts, 10.0, 0.2), np.array([0.8, 0.5, 0.3]) / 1.6)


def test_scaled_moments_are_those_of_heavier_rows(rng):
    moments = Moments(
        rng.random(2), rng.random((2, 3)), rng.random((2, 3, 3)), -1.5, 2.0, 7, np.zeros(3)
    )
    twice, both = moments.scaled(2.0), moments + moments
    np.testing.assert_array_equal(twice.second, both.second)
    assert (twice.log_likelihood, twice.total) == (both.log_likelihood, both.total)
    np.testing.assert_allclose(twice.covariances, moments.covariances)
