"""Structures, families, lifts and legs come as objects wherever they come by name."""

from dataclasses import dataclass

import numpy as np
import pytest

from biglearn import GaussianMixture, Paper, select_mixture
from biglearn.engines import MemoryEngine
from biglearn.model.families import StudentT, family_of
from biglearn.model.lifts import LIFTS, regression_gain
from biglearn.model.structures import Spherical, Structure, structure_of
from biglearn.model.views import View
from biglearn.search.moves import Matching
from helpers import blobs
from scripted import components_of, run_of


@dataclass(frozen=True)
class Round(Structure):
    """Every covariance is a given multiple of I: a structure that no name stands for."""

    name: str = "round"
    variance: float = 0.5

    def likeliest(self, samples, shares):
        return np.broadcast_to(self.variance * np.eye(samples.shape[-1]), samples.shape).copy()


@pytest.fixture
def X(rng):
    return blobs(rng, 150, 2, 2)


def fitted(X, **parameters):
    parameters = {"random_state": 0, "method": "em", "max_iter": 500, **parameters}
    return GaussianMixture(2, **parameters).fit(X)


def test_a_structure_object_does_what_its_name_does(X):
    one, other = (fitted(X, covariance_type=kind) for kind in ("spherical", Spherical("spherical")))
    np.testing.assert_array_equal(one.covariances_, other.covariances_)
    assert one.covariances_.shape == (2,)


def test_a_structure_of_ones_own_rules_the_covariances(X):
    found = fitted(X, covariance_type=Round(variance=0.25), scaling="none")
    np.testing.assert_allclose(found.covariances_, np.tile(0.25 * np.eye(2), (2, 1, 1)), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:the best number of components:UserWarning")
def test_a_path_through_k_takes_structure_objects(X):
    found = select_mixture(X, [1, 2], covariance_type=[Round(), "full"], random_state=0)
    assert {one.covariance_type for one in found.candidates} == {"round", "full"}


def test_a_family_object_does_what_its_constants_say(X):
    found = fitted(X, family=StudentT(least=3.5, most=3.5, start=3.5))
    np.testing.assert_allclose(found.dof_, [3.5, 3.5], rtol=1e-12)
    one, other = (fitted(X, family=family) for family in ("student", StudentT()))
    np.testing.assert_array_equal(one.dof_, other.dof_)


@pytest.mark.parametrize("resolve", [structure_of, family_of])
def test_what_is_neither_name_nor_object_is_refused(resolve):
    for wrong in ("triangular", None, 3, Round, StudentT):
        with pytest.raises(ValueError, match="must be one of"):
            resolve(wrong)


def half(components, view):
    """A lift of one's own: half of what the regression does, and so not the view's marginal."""
    return regression_gain(components, view) / 2


def test_a_matching_lifts_by_a_function(rng):
    X, view = rng.normal(size=(200, 3)) + 1.0, View.marginal([0], 3)
    before = components_of([1.0], [[0.0, 0.0, 0.0]])

    def after(lift):
        run = run_of(MemoryEngine(X), 1)
        run.begin_leg(before)
        assert len(list(Matching(view, inner_steps=1, lift=lift)(run))) == 1
        return run.components

    for name, gain in LIFTS.items():
        np.testing.assert_array_equal(after(name).means, after(gain).means)
    # with uncorrelated features the regression moves feature 0 alone, to the rows' mean
    np.testing.assert_allclose(after(half).means, [[X[:, 0].mean() / 2, 0, 0]], rtol=1e-12)


def test_the_published_method_lifts_by_a_function(X):
    paper = {"steps": 5, "polish": False, "p_joint": 0.0, "p_marginal": 1.0, "p_transformed": 0.0}
    calls = []

    def watched(components, view):
        calls.append(view.size)
        return regression_gain(components, view)

    one, other = (
        fitted(X, method=Paper(**paper, size=1, lift=lift)) for lift in ("regression", watched)
    )
    np.testing.assert_array_equal(one.means_, other.means_)
    assert calls == [1] * 5 * Paper().inner_steps


def test_an_unknown_lift_is_refused():
    with pytest.raises(ValueError, match=r"lift must be one of .*'regression'.*got 'up'"):
        Paper(lift="up")
