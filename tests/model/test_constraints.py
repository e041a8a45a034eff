"""Constraints: what is imposed holds, and repairs are counted."""

import numpy as np
import pytest

from biglearn.model.constraints import Constraints, Repairs
from biglearn.model.families import FAMILIES
from biglearn.model.fixed import Fixed
from biglearn.model.structures import structure_of
from helpers import COVARIANCE_TYPES, random_mixture

NAN = float("nan")


def given(mixture, place):
    """What is given of one component, and nothing of the others."""
    parts = [np.full_like(a, NAN) for a in (mixture.weights, mixture.means, mixture.covariances)]
    for part, name in zip(parts, ("weights", "means", "covariances"), strict=True):
        part[place] = getattr(mixture, name)[place]
    return Fixed(*parts)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_what_is_imposed_stays_if_it_is_imposed_again(rng, kind):
    constraints = Constraints(structure_of(kind), floor=2.0)
    once, repairs = constraints.impose_on(random_mixture(rng, 3, 4))
    assert repairs.raised > 0
    assert np.linalg.eigvalsh(once.covariances).min() >= 2.0 * (1 - 1e-9)
    twice, _ = constraints.impose_on(once)
    np.testing.assert_allclose(twice.covariances, once.covariances, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(twice.means, once.means)


@pytest.mark.parametrize("scale", [1.0, 0.25, 40.0])
def test_a_tied_covariance_averages_by_shares_that_sum_to_one(rng, scale):
    mixture = random_mixture(rng, 3, 2)
    tied = Constraints(structure_of("tied"))
    shares = scale * np.array([0.5, 0.2, 0.3])
    ours, _ = tied.impose(mixture.weights, mixture.means, mixture.covariances, shares=shares)
    wanted = np.average(mixture.covariances, axis=0, weights=shares)
    np.testing.assert_allclose(ours.covariances, [wanted] * 3, rtol=1e-12)
    fitted, _ = tied.fit(mixture.weights, mixture.means, mixture.covariances, shares)
    np.testing.assert_allclose(fitted.covariances, [wanted] * 3, rtol=1e-12)


def test_given_parts_are_imposed_and_the_others_stay(rng):
    mixture, other = random_mixture(rng, 3, 2), random_mixture(rng, 3, 2)
    constraints = Constraints(fixed=given(mixture, 1))
    assert constraints.held_places == {1}
    ours, _ = constraints.impose_on(other)
    for name in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(getattr(ours, name)[1], getattr(mixture, name)[1])
    np.testing.assert_array_equal(ours.means[[0, 2]], other.means[[0, 2]])
    free = other.weights[[0, 2]] / other.weights[[0, 2]].sum()
    np.testing.assert_allclose(ours.weights[[0, 2]], (1 - mixture.weights[1]) * free)


def test_those_of_some_components_are_given_what_these_were(rng):
    mixture = random_mixture(rng, 3, 2)
    part = Constraints(fixed=given(mixture, 1)).part(np.array([1, 2]), 0.5)
    assert part.held_places == {0}
    np.testing.assert_allclose(part.fixed.weights, [2 * mixture.weights[1], NAN])
    assert Constraints().held_places == set()


def test_the_family_brings_its_shapes(rng):
    mixture = random_mixture(rng, 2, 2)
    student = Constraints(family=FAMILIES["student"])
    body = mixture.weights, mixture.means, mixture.covariances
    assert student.impose(*body)[0].shapes.tolist() == [[5.0], [5.0]]
    assert student.impose(*body, shapes=np.array([[2.0], [9.0]]))[0].shapes[1, 0] == 9


def test_repairs_add():
    assert Repairs(1, 2) + Repairs(3, 4) == Repairs(4, 6)
