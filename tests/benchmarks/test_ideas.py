"""Legs that the ablation adds: what they do, not whether they pay."""

import numpy as np
import pytest

from benchmarks.studies.ideas import OVERFILL, TEMPERED, tempered
from biglearn import GaussianMixture, Search
from helpers import scipy_log_joint
from scripted import components_of


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.3])
def test_tempered_responsibilities_are_powers_of_the_joint_densities(rng, beta):
    parts = components_of([0.2, 0.8], [[0.0, 0.0], [2.0, 1.0]], variance=0.7)
    parts = parts.replace(covariances=parts.covariances * np.array([1.0, 3.0])[:, None, None])
    X = rng.normal(size=(20, 2))

    def log_joint(some):
        return scipy_log_joint(some.weights, some.means, some.covariances, X)

    expected = beta * log_joint(parts)
    found = log_joint(tempered(parts, beta))
    apart = (expected[:, 0] - expected[:, 1]) - (found[:, 0] - found[:, 1])
    np.testing.assert_allclose(apart, 0, atol=1e-12)


def test_the_ideas_are_legs_like_others(rng):
    X = np.concatenate([rng.normal(4.0 * k, 1.0, size=(80, 2)) for k in range(5)])
    search = Search(legs=("restart", OVERFILL, TEMPERED), effort=200, chance=0.0)
    model = GaussianMixture(5, method=search, random_state=0).fit(X)
    made = {leg.leg: leg.times for leg in model.outlook_.by_leg}
    assert made["overfill"] >= 1
    assert made["tempered"] >= 1
    assert model.mixture_.n_components == 5
