"""Lifts: from new parameters in a view back to the joint."""

import numpy as np
import pytest

from biglearn.model.lifts import LIFTS, lift
from biglearn.model.mixture import Mixture
from biglearn.model.views import View
from helpers import random_covariances, random_mixture


@pytest.fixture
def mixture(rng):
    return random_mixture(rng, 3, 5)


def lifted(name, mixture, view, rng):
    means = rng.normal(size=(3, view.size))
    covariances = random_covariances(rng, 3, view.size)
    gain = LIFTS[name](mixture, view)
    return means, covariances, lift(mixture, view, means, covariances, gain)


@pytest.mark.parametrize("name", list(LIFTS))
@pytest.mark.parametrize("kind", ["marginal", "transformed"])
def test_the_views_marginal_is_as_asked(rng, mixture, name, kind):
    view = View.marginal([3, 0], 5) if kind == "marginal" else View.transformed([1, 4], 5, rng)
    means, covariances, (mu, sigma) = lifted(name, mixture, view, rng)
    np.testing.assert_allclose(mu @ view.basis.T, means, atol=1e-12)
    np.testing.assert_allclose(view.basis @ sigma @ view.basis.T, covariances, atol=1e-12)


def test_the_block_lift_keeps_every_other_block(rng, mixture):
    view = View.marginal([1, 3], 5)
    _, _, (mu, sigma) = lifted("block", mixture, view, rng)
    rest = [0, 2, 4]
    np.testing.assert_array_equal(mu[:, rest], mixture.means[:, rest])
    np.testing.assert_allclose(sigma[:, rest], mixture.covariances[:, rest], atol=1e-15)


def test_the_regression_lift_keeps_the_conditional(rng, mixture):
    view = View.marginal([1, 3], 5)
    _, _, (mu, sigma) = lifted("regression", mixture, view, rng)
    assert np.linalg.eigvalsh(sigma)[:, 0].min() > 0
    values = rng.normal(size=(10, 2))
    before = mixture.conditional(values, features=[1, 3])
    after = Mixture(mixture.weights, mu, sigma).conditional(values, features=[1, 3])
    np.testing.assert_allclose(after.means, before.means, atol=1e-10)  # p(rest | view, k)
    np.testing.assert_allclose(after.covariances, before.covariances, atol=1e-10)


def test_the_regression_lift_is_always_positive_definite_and_the_block_lift_is_not(rng):
    view = View.marginal([0, 1, 2], 6)
    lowest = {"block": [], "regression": []}
    for _ in range(50):
        mixture = Mixture([1.0], np.zeros((1, 6)), _narrow(rng, 6)[None])
        for name, found in lowest.items():
            gain = LIFTS[name](mixture, view)
            _, sigma = lift(mixture, view, np.zeros((1, 3)), _narrow(rng, 3)[None], gain)
            found.append(np.linalg.eigvalsh(sigma)[0, 0])
    assert min(lowest["regression"]) > 0
    assert min(lowest["block"]) < 0


def _narrow(rng, size):
    factor = rng.normal(size=(size, size))
    return factor @ factor.T + 1e-3 * np.eye(size)


@pytest.mark.parametrize("name", list(LIFTS))
def test_the_joint_takes_everything(rng, mixture, name):
    means, covariances, (mu, sigma) = lifted(name, mixture, View.joint(5), rng)
    np.testing.assert_allclose(mu, means)
    np.testing.assert_allclose(sigma, covariances)
