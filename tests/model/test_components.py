"""Components as a body: parts, joins and projections go through every field."""

import copy
import pickle

import numpy as np
import pytest

from biglearn.model.components import Components
from biglearn.model.families import FAMILIES
from biglearn.model.views import View
from helpers import random_mixture

STUDENT = FAMILIES["student"]


@pytest.fixture
def components(rng):
    gaussian = random_mixture(rng, 3, 2)
    return gaussian.replace(shapes=np.array([[2.0], [5.0], [80.0]]), family=STUDENT)


def assert_same(one, other):
    for name in ("weights", "means", "covariances", "shapes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.family == other.family


def test_parts_put_back_are_the_whole(components):
    order = [2, 0, 1]
    part = components.part(order)
    np.testing.assert_array_equal(part.shapes[:, 0], [80, 2, 5])
    assert_same(part.part(np.argsort(order)), components)
    assert_same(components.put(order, part), components)
    assert_same(components.part([0]).joined(components.part([1, 2])), components)


def test_weights_of_a_part_are_scaled_and_may_be_made_to_sum_to_one(components):
    part = components.part([0, 1], scale=0.5)
    np.testing.assert_array_equal(part.weights, components.weights[:2] / 2)
    assert part.reweighted().weights.sum() == pytest.approx(1, abs=1e-15)


def test_a_change_of_the_covariances_makes_new_factors_and_no_other_change_does(components):
    whitening = components.whitening
    assert components.shifted(np.ones(2)).whitening is whitening
    doubled = components.replace(covariances=2 * components.covariances)
    np.testing.assert_allclose(doubled.whitening, whitening / np.sqrt(2))
    np.testing.assert_allclose(doubled.half_log_det, components.half_log_det - np.log(2))


def test_projections_keep_weights_and_shapes(components):
    view = View.marginal([1], 2)
    seen = components.project(view)
    np.testing.assert_array_equal(seen.means, components.means[:, [1]])
    np.testing.assert_array_equal(seen.covariances, components.covariances[:, 1:, 1:])
    np.testing.assert_array_equal(seen.shapes, components.shapes)
    assert components.project(View.joint(2)) is components


def test_shapes_are_those_that_the_family_begins_with_if_left_out():
    body = np.ones(2), np.zeros((2, 1)), np.ones((2, 1, 1))
    assert Components(*body).shapes.shape == (2, 0)
    assert Components(*body, family=STUDENT).named_shapes["dof"].tolist() == [5.0, 5.0]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_nothing_can_be_changed_in_copies_either(components, copied):
    components.whitening  # noqa: B018  it is kept, and copied
    same = copied(components)
    assert_same(same, components)
    for name in ("weights", "means", "covariances", "shapes", "whitening", "half_log_det"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(same, name)[...] = 0
    with pytest.raises(AttributeError, match="a Components is immutable"):
        same.means = 0
