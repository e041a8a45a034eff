"""First components from the moments of a start: how a handful of rows is completed."""

import numpy as np
import pytest

from biglearn.engines import MemoryEngine
from biglearn.model.constraints import Constraints
from biglearn.search.starts.estimate import estimate, one_hot
from biglearn.search.starts.given import GivenResponsibilities
from helpers import direct_moments
from scripted import run_of

#: Rows of the components; two rows have a singular covariance.
SIZES = np.array([60, 20, 2])


@pytest.fixture
def X(rng):
    return rng.normal(size=(82, 2)) * np.repeat([[1.0], [2.0], [0.5]], SIZES, axis=0)


@pytest.fixture
def shares():
    return one_hot(np.repeat(np.arange(3), SIZES), 3)


def started(X, shares, *, weights=None, constraints=None, **how):
    moments = MemoryEngine(X, weights=weights).moments_of(shares)
    return estimate(constraints or Constraints(floor=1e-12), moments, moments.means, **how)[0]


def pooled_with(covariances, counts, pseudo_rows):
    """Return the covariances after so many pseudo-rows of the pooled one."""
    pooled = np.einsum("k,kij->ij", counts / counts.sum(), covariances)
    own = (counts / (counts + pseudo_rows))[:, None, None]
    return own * covariances + (1 - own) * pooled


def test_covariances_are_drawn_to_the_pooled_one_by_d_plus_one_rows(X, shares):
    found = started(X, shares)
    _, means, covariances = direct_moments(X, shares)
    expected = pooled_with(covariances, SIZES, pseudo_rows=3)
    np.testing.assert_allclose(found.covariances, expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found.means, means, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found.weights, SIZES / 82, rtol=1e-12)


@pytest.mark.parametrize("n_features", [1, 4])
def test_more_features_need_more_pseudo_rows(rng, shares, n_features):
    X = rng.normal(size=(82, n_features))
    _, _, covariances = direct_moments(X, shares)
    expected = pooled_with(covariances, SIZES, pseudo_rows=n_features + 1)
    found = started(X, shares).covariances
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


def test_rows_are_counted_and_not_their_weights_where_these_sum_to_one(X, shares):
    equal = started(X, shares, weights=np.full(82, 1 / 82))
    np.testing.assert_allclose(equal.covariances, started(X, shares).covariances, rtol=1e-10)


def test_without_shrinking_every_component_has_the_covariance_of_its_rows(X, shares):
    found = started(X, shares, shrink=False)
    _, _, covariances = direct_moments(X[:80], shares[:80, :2])
    np.testing.assert_allclose(found.covariances[:2], covariances, rtol=1e-11, atol=1e-13)
    assert np.linalg.eigvalsh(found.covariances[2])[0] == pytest.approx(1e-12, rel=1e-3)


def test_given_responsibilities_are_not_shrunk(X, shares):
    run = run_of(MemoryEngine(X), 3, constraints=Constraints(floor=1e-12))
    found = GivenResponsibilities(shares)(run)
    expected = started(X, shares, shrink=False)
    np.testing.assert_array_equal(found.covariances, expected.covariances)
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_a_component_without_rows_begins_at_its_centre_with_the_pooled_covariance(X, shares):
    moments = MemoryEngine(X).moments_of(np.column_stack([shares, np.zeros(82)]))
    centres = np.full((4, 2), 7.0)
    found, _ = estimate(Constraints(floor=1e-12), moments, centres)
    _, _, covariances = direct_moments(X, shares)
    pooled = np.einsum("k,kij->ij", SIZES / 82, covariances)
    assert found.means[3].tolist() == [7.0, 7.0]
    np.testing.assert_allclose(found.covariances[3], pooled, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found.weights, np.array([*SIZES, 1]) / 83, rtol=1e-12)
