"""Joint EM: when it stops, what it does for components that lose their rows, and its jumps."""

from itertools import islice, pairwise

import numpy as np
import pytest

from biglearn.model.constraints import Constraints
from biglearn.model.mixture import Mixture
from biglearn.search.climbing.ascent import climb, extrapolate, remaining_gain
from biglearn.search.moves import Ascent
from helpers import COVARIANCE_TYPES, blobs, make_run, random_covariances, random_mixture


def run_from(X, mixture, **settings):
    return make_run(X, mixture.n_components, start=mixture, **settings)


def test_aitken_is_exact_for_a_geometric_sequence():
    trace = [1 - 0.7**i for i in range(6)]
    assert remaining_gain(trace) == pytest.approx(0.7**5, rel=1e-12)
    assert remaining_gain([0.0]) == np.inf
    assert remaining_gain([0.0, 1.0]) == pytest.approx(9999)  # as far as it may be
    assert remaining_gain([0.0, 1.0, 1.0]) == 0.0


def test_it_stops_only_where_little_is_left(rng):
    X = blobs(rng, 400, 2, spread=1.0)  # overlapping: EM is slow
    start = random_mixture(rng, 3, 2, spread=1.0)
    loose, tight = (run_from(X, start, tol=tol, max_iter=20_000) for tol in (1e-5, 1e-12))
    for run in (loose, tight):
        list(Ascent()(run))
        assert run.converged
    assert tight.objective - loose.objective < 1e-3
    assert tight.objective >= loose.objective


def test_a_component_far_from_all_rows_comes_back(rng):
    X = np.vstack([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 20])
    lost = Mixture([0.5, 0.5], [[10.0, 10.0], [1e4, 1e4]], [100 * np.eye(2), np.eye(2)])
    run = run_from(X, lost)
    records = list(Ascent()(run))
    assert run.counters.repairs.reseeded == sum(r.reseeded for r in records) == 1
    assert run.best_ascent.reseeded == [1]
    np.testing.assert_allclose(np.sort(run.best.weights), [0.5, 0.5], atol=1e-6)


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
    low = run.best_objective
    run.begin_leg(good)
    run.expect(good)  # another move finds a better model
    assert run.best_ascent.up_to(run.best_objective) == [run.objective]
    assert run.objective > low
    list(Ascent()(run))  # EM goes on from it
    bounds = run.best_ascent.up_to(run.best_objective)
    assert bounds[0] > low
    assert bounds[-1] == pytest.approx(run.best_objective, abs=1e-12)
    run.begin_leg(poor)
    list(Ascent()(run))  # a later run that ends lower leaves it alone
    assert run.best_ascent.up_to(run.best_objective) == bounds


def test_a_run_that_gains_nothing_confirms_what_another_move_found(rng):
    X, poor, _ = two_optima(rng)
    run = run_from(X, poor)
    run.expect(poor)
    list(Ascent()(run))
    assert run.converged
    assert run.best_ascent.points >= 1
    assert max(run.best_ascent.up_to(run.best_objective)) == run.best_objective


def test_the_trace_of_a_run_begins_anew_where_it_re_seeds(rng):
    X = np.vstack([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 20])
    lost = Mixture([0.5, 0.5], [[10.0, 10.0], [1e4, 1e4]], [100 * np.eye(2), np.eye(2)])
    run = run_from(X, lost)
    n_points = len(list(Ascent()(run)))
    trace = run.best_ascent
    assert trace.points == n_points > len(trace.objectives)
    assert np.diff(trace.objectives).min() > -1e-12


# Acceleration


def until(points, tol):
    """Return the points of a climb until little is left."""
    found = []
    for point in islice(points, 20_000):
        found.append(point)
        if point.left <= tol:
            return found
    raise AssertionError("EM did not converge")


@pytest.fixture
def slow(rng):
    """Rows of overlapping components, and a start near the optimum of EM."""
    truth = random_mixture(rng, 3, 2, spread=1.5)
    return truth.sample(600, rng)[0], truth


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("floor", [1e-6, 0.3])
def test_the_likelihood_never_falls(rng, kind, floor):
    X = np.vstack([blobs(rng, 150, 3, spread=1.0), rng.normal(size=(5, 3)) * 10])
    start = random_mixture(rng, 4, 3)
    run = make_run(X, 4, structure=kind, floor=floor)
    start, _ = run.constraints.impose_on(start)
    points = list(islice(climb(run, start, accelerate=True), 120))
    slack = 1e-9 if kind == "factor" else 1e-10  # factors are found by iteration
    assert np.diff([point.objective for point in points]).min() > -slack
    for point in points:
        mean = Mixture.of(point.components).log_density(X).mean()
        assert point.objective == pytest.approx(mean, rel=1e-9)


def test_it_ends_where_plain_em_ends_in_fewer_steps(slow):
    X, start = slow
    plain, fast = (
        until(climb(make_run(X, 3), start, accelerate=accelerate), 1e-12)
        for accelerate in (False, True)
    )
    assert len(fast) < len(plain) / 2
    one, other = plain[-1], fast[-1]
    assert one.objective == pytest.approx(other.objective, abs=1e-9)
    np.testing.assert_allclose(other.components.weights, one.components.weights, atol=1e-3)
    np.testing.assert_allclose(other.components.means, one.components.means, atol=1e-3)


def test_plain_em_is_not_extrapolated(slow):
    X, start = slow
    run = make_run(X, 3)
    points = list(islice(climb(run, start), 8))
    assert run.passes == 8
    for before, after in pairwise(points):
        moments = run.engine.expect(before.components)
        np.testing.assert_allclose(after.components.means, moments.means, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rate", [0.3, 0.9, 0.98])
def test_a_geometric_sequence_is_extrapolated_to_its_limit(rng, rate):
    # θ_t = θ* + c^t v has step length 1/(1-c), at which SQUAREM's parabola meets θ*.
    limit = random_mixture(rng, 2, 3)
    offset = rng.normal(size=(2, 3))
    sequence = [
        Mixture(limit.weights, limit.means + rate**t * offset, limit.covariances) for t in range(3)
    ]
    jump, _ = extrapolate(Constraints(floor=0.0), *sequence)
    np.testing.assert_allclose(jump.means, limit.means, atol=1e-9)
    np.testing.assert_allclose(jump.covariances, limit.covariances, atol=1e-9)


def between(one, other, share):
    """Return the mixture whose parameters lie between those of two."""
    pairs = zip(*((m.weights, m.means, m.covariances) for m in (one, other)), strict=True)
    return Mixture(*(share * a + (1 - share) * b for a, b in pairs))


def test_jumps_are_valid_mixtures(rng):
    jumps = 0
    for _ in range(50):
        ends = [random_mixture(rng, 4, 3) for _ in range(2)]
        found = extrapolate(Constraints(floor=1e-2), *(between(*ends, 0.9**t) for t in (1, 2, 3)))
        if found is None:
            continue
        jump, _ = found
        jumps += 1
        assert jump.weights.min() > 0
        assert jump.weights.sum() == pytest.approx(1, abs=1e-12)
        assert np.linalg.eigvalsh(jump.covariances).min() >= 1e-2 * (1 - 1e-9)
    assert jumps > 5


def test_where_nothing_moves_there_is_no_jump(rng):
    still = Mixture([0.4, 0.6], rng.normal(size=(2, 2)), random_covariances(rng, 2, 2))
    assert extrapolate(Constraints(), still, still, still) is None
