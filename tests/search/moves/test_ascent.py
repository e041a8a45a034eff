"""Joint EM: when it stops, and what it does for components that lose their rows."""

import numpy as np
import pytest

from biglearn.engines import MemoryEngine
from biglearn.model.mixture import Mixture
from biglearn.search.moves import Ascent
from biglearn.search.moves.ascent import longest_half_axis, remaining_gain, reseed
from biglearn.search.run import Run, Settings
from helpers import blobs, random_mixture


def run_from(X, mixture, **settings):
    run = Run(
        MemoryEngine(X), Settings(mixture.n_components, **settings), lambda run: mixture,
        np.random.default_rng(0),
    )  # fmt: skip
    run.begin_leg(mixture)
    return run


def test_aitken_is_exact_for_a_geometric_sequence():
    trace = [1 - 0.7**i for i in range(6)]
    assert remaining_gain(trace) == pytest.approx(0.7**5, rel=1e-12)
    assert remaining_gain([0.0, 1.0]) == np.inf
    assert remaining_gain([0.0, 1.0, 1.0]) == 0.0


def test_it_stops_only_where_little_is_left(rng):
    X = blobs(rng, 400, 2, spread=1.0)  # overlapping: EM is slow
    start = random_mixture(rng, 3, 2, spread=1.0)
    loose, tight = (run_from(X, start, tol=tol, max_iter=20_000) for tol in (1e-5, 1e-12))
    for run in (loose, tight):
        list(Ascent()(run))
        assert run.converged
    assert tight.log_likelihood - loose.log_likelihood < 1e-3
    assert tight.log_likelihood >= loose.log_likelihood


def test_halves_keep_weight_mean_and_covariance_of_their_donor(rng):
    donor = random_mixture(rng, 1, 3)
    dead = Mixture([1.0, 0.0], np.r_[donor.means, [[9, 9, 9]]], donor.covariances.repeat(2, axis=0))
    run = run_from(rng.normal(size=(10, 3)), dead, floor=0.0)
    revived = reseed(run, dead, np.array([False, True]))
    np.testing.assert_allclose(revived.weights, [0.5, 0.5])
    np.testing.assert_allclose(revived.mean, donor.mean, atol=1e-12)
    np.testing.assert_allclose(revived.covariance, donor.covariance, atol=1e-12)
    assert run.reseeded == 1


def test_a_component_far_from_all_rows_comes_back(rng):
    X = np.vstack([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 20])
    lost = Mixture([0.5, 0.5], [[10.0, 10.0], [1e4, 1e4]], [100 * np.eye(2), np.eye(2)])
    run = run_from(X, lost)
    records = list(Ascent()(run))
    assert run.reseeded == sum(r.reseeded for r in records) == 1
    assert run.best_ascent.reseeded == [1]
    np.testing.assert_allclose(np.sort(run.best.weights), [0.5, 0.5], atol=1e-6)


def test_half_of_a_gaussian_lies_at_its_mean_absolute_deviation():
    # E|x| = √(2/π) σ for x ~ N(0, σ²), here along the axis with σ = 2
    axis = longest_half_axis(np.diag([1.0, 4.0]))
    np.testing.assert_allclose(np.abs(axis), [0.0, 2 * np.sqrt(2 / np.pi)], atol=1e-14)


def two_optima(rng):
    """Rows, a poor local optimum of EM, and the optimum that surgery reaches from it."""
    X = np.vstack([rng.normal(size=(60, 2)) * 0.3 + c for c in [(0, 0), (0, 9), (9, 0), (9, 1.5)]])
    means = [[0, 0], [0.1, 0.1], [0, 9], [9, 0.75]]
    poor = Mixture(np.full(4, 0.25), means, np.tile(np.eye(2), (4, 1, 1)))
    run = run_from(X, poor)
    list(Ascent()(run))
    good = Mixture(np.full(4, 0.25), [[0, 0], [0, 9], [9, 0], [9, 1.5]], 0.1 * poor.covariances)
    return X, run.best, good


def test_the_trace_belongs_to_the_em_run_that_reached_the_model(rng):
    X, poor, good = two_optima(rng)
    run = run_from(X, poor)
    list(Ascent()(run))
    low = run.best_log_likelihood
    run.begin_leg(good)
    run.expect(good)  # another move finds a better model
    assert run.best_ascent.up_to(run.best_log_likelihood) == [run.log_likelihood]
    assert run.log_likelihood > low
    list(Ascent()(run))  # EM goes on from it
    bounds = run.best_ascent.up_to(run.best_log_likelihood)
    assert bounds[0] > low
    assert bounds[-1] == pytest.approx(run.best_log_likelihood, abs=1e-12)
    run.begin_leg(poor)
    list(Ascent()(run))  # a later run that ends lower leaves it alone
    assert run.best_ascent.up_to(run.best_log_likelihood) == bounds


def test_a_run_that_gains_nothing_confirms_what_another_move_found(rng):
    X, poor, _ = two_optima(rng)
    run = run_from(X, poor)
    run.expect(poor)
    list(Ascent()(run))
    assert run.converged
    assert run.best_ascent.points >= 1
    assert max(run.best_ascent.up_to(run.best_log_likelihood)) == run.best_log_likelihood


def test_the_trace_of_a_run_begins_anew_where_it_re_seeds(rng):
    X = np.vstack([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 20])
    lost = Mixture([0.5, 0.5], [[10.0, 10.0], [1e4, 1e4]], [100 * np.eye(2), np.eye(2)])
    run = run_from(X, lost)
    n_points = len(list(Ascent()(run)))
    trace = run.best_ascent
    assert trace.points == n_points > len(trace.log_likelihoods)
    assert np.diff(trace.log_likelihoods).min() > -1e-12
