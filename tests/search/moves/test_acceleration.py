"""Accelerated EM: the same ascent, in fewer steps."""

from itertools import islice, pairwise

import numpy as np
import pytest

from biglearn.engines import MemoryEngine
from biglearn.model.mixture import Mixture
from biglearn.model.structures import structure_of
from biglearn.search.moves.ascent import climb, extrapolate
from biglearn.search.run import Run, Settings
from helpers import COVARIANCE_TYPES, blobs, random_covariances, random_mixture


def run_on(X, K, **settings):
    run = Run(
        MemoryEngine(X), Settings(K, **settings), lambda run: None, np.random.default_rng(0)
    )  # fmt: skip
    run.begin_leg(None)
    return run


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
    run = run_on(X, 4, structure=structure_of(kind), floor=floor)
    start = run.regularise(start.weights, start.means, start.covariances, start.weights)
    points = list(islice(climb(run, start, accelerate=True), 120))
    slack = 1e-9 if kind == "factor" else 1e-10  # factors are found by iteration
    assert np.diff([point.log_likelihood for point in points]).min() > -slack
    for point in points:
        assert point.log_likelihood == pytest.approx(
            point.mixture.log_density(X).mean(), rel=1e-9
        )  # fmt: skip


def test_it_ends_where_plain_em_ends_in_fewer_steps(slow):
    X, start = slow
    plain, fast = (
        until(climb(run_on(X, 3), start, accelerate=accelerate), 1e-12)
        for accelerate in (False, True)
    )
    assert len(fast) < len(plain) / 2
    one, other = plain[-1], fast[-1]
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-9)
    np.testing.assert_allclose(other.mixture.weights, one.mixture.weights, atol=1e-3)
    np.testing.assert_allclose(other.mixture.means, one.mixture.means, atol=1e-3)


def test_plain_em_is_not_extrapolated(slow):
    X, start = slow
    run = run_on(X, 3)
    points = list(islice(climb(run, start), 8))
    assert run.passes == 8
    for before, after in pairwise(points):
        np.testing.assert_allclose(after.mixture.means, before.moments.means, rtol=1e-12)


@pytest.mark.parametrize("rate", [0.3, 0.9, 0.98])
def test_a_geometric_sequence_is_extrapolated_to_its_limit(rng, rate):
    # θ_t = θ* + c^t v has step length 1/(1-c), at which SQUAREM's parabola meets θ*.
    limit = random_mixture(rng, 2, 3)
    offset = rng.normal(size=(2, 3))
    sequence = [
        Mixture(limit.weights, limit.means + rate**t * offset, limit.covariances) for t in range(3)
    ]
    jump = extrapolate(run_on(rng.normal(size=(9, 3)), 2, floor=0.0), *sequence)
    np.testing.assert_allclose(jump.means, limit.means, atol=1e-9)
    np.testing.assert_allclose(jump.covariances, limit.covariances, atol=1e-9)


def between(one, other, share):
    """Return the mixture whose parameters lie between those of two."""
    pairs = zip(*((m.weights, m.means, m.covariances) for m in (one, other)), strict=True)
    return Mixture(*(share * a + (1 - share) * b for a, b in pairs))


def test_jumps_are_valid_mixtures(rng):
    run = run_on(rng.normal(size=(9, 3)), 4, floor=1e-2)
    jumps = 0
    for _ in range(50):
        ends = [random_mixture(rng, 4, 3) for _ in range(2)]
        jump = extrapolate(run, *(between(*ends, 0.9**t) for t in (1, 2, 3)))
        if jump is None:
            continue
        jumps += 1
        assert jump.weights.min() > 0
        assert jump.weights.sum() == pytest.approx(1, abs=1e-12)
        assert np.linalg.eigvalsh(jump.covariances).min() >= 1e-2 * (1 - 1e-9)
    assert jumps > 5


def test_where_nothing_moves_there_is_no_jump(rng):
    still = Mixture([0.4, 0.6], rng.normal(size=(2, 2)), random_covariances(rng, 2, 2))
    assert extrapolate(run_on(rng.normal(size=(9, 2)), 2), still, still, still) is None
