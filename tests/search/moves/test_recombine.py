"""Recombination: its gains are exact, and it keeps the number of components."""

import numpy as np
import pytest

from biglearn.engines import MemoryEngine
from biglearn.search.moves.recombine import (
    Pair,
    Recombine,
    balanced,
    by_pairs,
    by_regions,
    regions,
)
from helpers import clusters, scipy_log_density
from scripted import components_of, run_of

#: Two regions of two clusters each; each mixture has found both clusters of one of them.
PLACES = [(0, 0), (0, 6), (20, 0), (20, 6)]


def half_right(places):
    """Return components of which the first two are right, and the others cover two clusters."""
    found = components_of([0.25, 0.25, 0.25, 0.25], places, 1.0)
    covariances = found.covariances.copy()
    covariances[2:, 1, 1] = 9.0
    return found.replace(covariances=covariances)


ONE = half_right([(0, 0), (0, 6), (20, 2), (20, 4)])
OTHER = half_right([(20, 6), (20, 0), (0, 4), (0, 2)])


@pytest.fixture
def X(rng):
    return clusters(rng, PLACES, spread=1.0)


def pair_of(X, one=ONE, other=OTHER):
    return Pair.of(run_of(MemoryEngine(X), 4), one, other)


def test_regions_are_components_that_share_rows(X):
    count, ours, theirs = regions(pair_of(X).overlaps, 0.1)
    assert count == 2
    assert ours[0] == ours[1] == theirs[2] == theirs[3]
    assert ours[2] == ours[3] == theirs[0] == theirs[1]


def test_the_gain_of_regions_is_that_of_the_likelihood(X):
    pair = pair_of(X)
    count, ours, theirs = regions(pair.overlaps, 0.1)
    for region in range(count):
        lost, gained = ours == region, theirs == region
        mixture = ONE.part(~lost).joined(OTHER.part(gained)).reweighted()
        change = (scipy_log_density(mixture, X) - scipy_log_density(ONE, X)).mean()
        assert abs(change) > 0.01
        assert pair.gain(lost, gained) == pytest.approx(change, abs=1e-9)


def test_a_child_has_the_best_of_either(X):
    child = by_regions(pair_of(X), (0.1,))
    assert sorted(map(tuple, child.means.tolist())) == sorted(PLACES)
    assert child.weights.sum() == pytest.approx(1)
    assert by_regions(pair_of(X, child, ONE), (0.1,)) is None


def test_regions_are_balanced():
    gains = [0.5, 0.4, -0.1, -0.2, 0.0]
    surpluses = [1, 2, -1, -2, 0]
    taken = balanced(gains, surpluses)
    assert sum(surpluses[place] for place in taken) == 0
    assert sum(gains[place] for place in taken) == pytest.approx(0.6)
    assert balanced([-1.0, -2.0], [1, -1]) == []


def test_pairs_take_each_component_from_either(X, rng):
    twin = ONE.part([2, 0, 3, 1]).shifted(np.array([0.1, 0.0]))
    child = by_pairs(pair_of(X, ONE, twin), rng)
    gaps = np.abs(child.means - ONE.means)
    assert (np.isclose(gaps, 0) | np.isclose(gaps, [0.1, 0.0])).all()


@pytest.mark.parametrize("how", ["regions", "pairs"])
def test_the_run_goes_on_from_a_child_of_the_pool(X, how):
    run = run_of(MemoryEngine(X), 4)
    run.pool.add(ONE, -1.0)
    run.pool.add(OTHER, -2.0)
    records = list(Recombine(how)(run))
    assert [record.move for record in records] == ["recombine"]
    assert run.components.n_components == 4
    if how == "regions":
        assert sorted(map(tuple, run.components.means.tolist())) == sorted(PLACES)
