"""Compiled climbs against EM pass by pass, and against plain formulas."""

from itertools import islice

import numpy as np
import pytest

from biglearn import kernels
from biglearn.engines import MemoryEngine
from biglearn.model.constraints import Constraints
from biglearn.model.prior import PseudoRows
from biglearn.model.structures import structure_of
from biglearn.search.climbing.ascent import _steps, climb
from biglearn.search.climbing.compiled import CompiledEM
from biglearn.search.climbing.limits import Limits
from biglearn.search.tuning import Tuning
from helpers import blobs, random_mixture, scipy_log_density, scipy_log_joint
from scripted import run_of

pytestmark = pytest.mark.skipif(
    kernels.climbs() is None, reason="Numba is missing: pip install numba"
)


def climbs_of(engine, start, constraints, n_points, **tuning):
    """Return the points of a compiled climb, and of EM pass by pass."""
    runs = [run_of(engine, 3, constraints=constraints, tuning=Tuning(**tuning)) for _ in range(2)]
    ours = list(climb(runs[0], start, Limits(patience=n_points - 1), accelerate=True))
    theirs = list(islice(_steps(runs[1], start, Limits(), True), n_points))
    return ours, theirs, runs


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
@pytest.mark.parametrize("n_features", [1, 2, 5, 24])
@pytest.mark.parametrize("extra", ["plain", "weights", "background", "prior"])
def test_compiled_steps_are_those_of_em(rng, kind, n_features, extra):
    n_rows = 400
    X = blobs(rng, n_rows, n_features)
    weights = rng.uniform(0.2, 2.0, n_rows) if extra == "weights" else None
    background = rng.normal(-3.0, 1.0, n_rows) if extra == "background" else None
    prior = PseudoRows(3.0, np.eye(n_features)) if extra == "prior" else PseudoRows()
    constraints = Constraints(structure_of(kind), prior=prior)
    start, _ = constraints.impose_on(random_mixture(rng, 3, n_features))
    engine = MemoryEngine(X, weights=weights, background=background)
    ours, theirs, runs = climbs_of(engine, start, constraints, 12)
    assert len(ours) == len(theirs) == 12
    assert abs(runs[0].passes - runs[1].passes) <= 1  # a jump at the end may hang on rounding
    for one, other in zip(ours, theirs, strict=True):
        # twelve steps, each of which may double the rounding of the one before
        assert one.objective == pytest.approx(other.objective, rel=1e-9)
        np.testing.assert_allclose(one.components.means, other.components.means, atol=1e-6)
        if np.isfinite(one.left) and np.isfinite(other.left):
            assert one.left == pytest.approx(other.left, rel=1e-3, abs=1e-6)


def test_compiled_steps_raise_eigenvalues_to_the_floor(rng):
    X = np.column_stack([rng.normal(size=200), np.zeros(200)])
    constraints = Constraints(floor=1e-3)
    start, _ = constraints.impose_on(random_mixture(rng, 2, 2))
    ours, theirs, runs = climbs_of(MemoryEngine(X), start, constraints, 6)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(
            one.components.covariances, other.components.covariances, rtol=1e-6, atol=1e-9
        )
    assert runs[0].counters.repairs.raised == runs[1].counters.repairs.raised > 0


def test_a_component_without_rows_keeps_its_place(rng):
    X = rng.normal(size=(100, 2))
    far = random_mixture(rng, 2, 2)
    start = far.replace(means=np.array([[0.0, 0.0], [500.0, 500.0]]))
    constraints = Constraints()
    ours, theirs, _ = climbs_of(MemoryEngine(X), start, constraints, 3)
    np.testing.assert_array_equal(ours[-1].components.means[1], [500.0, 500.0])
    np.testing.assert_array_equal(ours[-1].alive, theirs[-1].alive)
    assert not ours[-1].lives


def em_of(X, constraints=Constraints(), weights=None):  # noqa: B008  immutable
    engine = MemoryEngine(X, weights=weights)
    return CompiledEM(kernels.climbs(), engine.block(3, np.inf), constraints)


def test_a_look_says_who_answers_for_which_rows(rng):
    X = blobs(rng, 300, 3, n_components=12)
    mixture = random_mixture(rng, 12, 3)
    look = em_of(X).look(mixture, least=0.05)
    assert look.log_likelihood == pytest.approx(scipy_log_density(mixture, X).mean(), rel=1e-10)
    joint = scipy_log_joint(mixture.weights, mixture.means, mixture.covariances, X)
    shares = np.exp(joint - joint.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    best, counts = look.near
    np.testing.assert_array_equal(best[:, 0], shares[look.order].argmax(axis=1))
    for row, places, near in zip(look.order, best, counts, strict=True):
        assert set(places[near]) == set(np.flatnonzero(shares[row] > 0.05))


def test_tiles_of_all_components_are_the_whole(rng):
    X = blobs(rng, 300, 3, n_components=6)
    mixture = random_mixture(rng, 6, 3)
    em = em_of(X)
    tiled = em.look(mixture, least=-1.0).tiled()
    whole, parts = (one.climb(mixture, Limits(), 5, keep=6) for one in (em, tiled))
    for one, other in zip(whole.points(), parts.points(), strict=True):
        assert one.objective == pytest.approx(other.objective, rel=1e-11)


def test_rows_that_meet_fewer_components_have_a_lower_bound(rng):
    X = blobs(rng, 500, 2, n_components=8)
    mixture = random_mixture(rng, 8, 2)
    em = em_of(X)
    look = em.look(mixture, least=0.2)
    found = look.tiled().climb(mixture, Limits(), 6, keep=7)
    values = [point.objective for point in found.points()]
    assert values[0] < look.objective  # some were left out
    assert (np.diff(values) > 0).all()
    for point in found.points():
        assert point.objective <= em.look(point.components, 0.2).objective + 1e-12


def test_a_climb_in_tiles_ends_at_a_fixed_point_of_em(rng):
    X = blobs(rng, 1500, 2, n_components=25, spread=9.0)
    run = run_of(MemoryEngine(X), 25)
    start = random_mixture(rng, 25, 2, spread=9.0)
    for way in (Tuning(tiled_components=24, near_most=1.0), Tuning(tiled_components=99)):
        run = run_of(MemoryEngine(X), 25, tuning=way)
        *_, last = climb(run, start, Limits(tol=1e-9), accelerate=True)
        rest = list(islice(_steps(run, last.components, Limits(), False), 3))
        assert rest[-1].objective - last.objective < 1e-7
