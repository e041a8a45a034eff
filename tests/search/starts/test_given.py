"""Starts from what the user gives: responsibilities, labels, callables."""

import numpy as np

from biglearn.engines import RowOptions, open_source
from biglearn.engines.rows.units import Units
from biglearn.search.starts.estimate import one_hot
from biglearn.search.starts.given import GivenParameters, GivenResponsibilities
from biglearn.search.starts.names import from_user
from helpers import direct_moments, make_run


def users_start(form, X, K):
    return from_user(form, open_source(X, RowOptions()), Units.identity(X.shape[1]), K)


def test_given_responsibilities_are_one_m_step(rng):
    X, shares = rng.normal(size=(60, 2)), rng.dirichlet(np.ones(3), size=60)
    mixture = GivenResponsibilities(shares)(make_run(X, 3, floor=1e-3))
    counts, means, covariances = direct_moments(X, shares)
    np.testing.assert_allclose(mixture.weights, counts / 60, rtol=1e-12)
    np.testing.assert_allclose(mixture.means, means, atol=1e-12)
    np.testing.assert_allclose(mixture.covariances, covariances, atol=1e-12)


def test_labels_responsibilities_and_callables_agree(rng):
    X = rng.normal(size=(40, 2))
    labels = np.arange(40) % 3
    forms = [labels, labels.tolist(), one_hot(labels, 3), lambda rows, K, rng: labels]
    made = [users_start(form, X, 3)(make_run(X, 3, floor=1e-3)) for form in forms]
    for other in made[1:]:
        np.testing.assert_array_equal(other.means, made[0].means)


def test_a_callable_is_given_rows_components_and_randomness(rng):
    X = rng.normal(size=(40, 2))

    def start(rows, n_components, rng):
        np.testing.assert_array_equal(rows, X)
        assert n_components == 3
        return rng.integers(n_components, size=len(rows))

    assert users_start(start, X, 3)(make_run(X, 3, floor=1e-3)).n_components == 3


def test_parameters_that_are_all_given_need_no_other_start(rng):
    def unwanted(run):
        raise AssertionError("the other start was run")

    given = np.array([0.4, 0.6]), rng.normal(size=(2, 2)), np.tile(np.eye(2), (2, 1, 1))
    first = GivenParameters(unwanted, *given)(make_run(rng.normal(size=(9, 2)), 2))
    np.testing.assert_array_equal(first.means, given[1])
