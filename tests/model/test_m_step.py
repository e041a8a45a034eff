"""The M-step's repairs: halves of a heavy component in place of one without rows."""

import numpy as np

from biglearn.model.constraints import Constraints
from biglearn.model.m_step import longest_half_axis, reseed
from biglearn.model.mixture import Mixture
from helpers import random_mixture


def test_halves_keep_weight_mean_and_covariance_of_their_donor(rng):
    donor = random_mixture(rng, 1, 3)
    dead = Mixture([1.0, 0.0], np.r_[donor.means, [[9, 9, 9]]], donor.covariances.repeat(2, axis=0))
    revived, repairs = reseed(Constraints(floor=0.0), dead, np.array([False, True]))
    revived = Mixture.of(revived)
    np.testing.assert_allclose(revived.weights, [0.5, 0.5])
    np.testing.assert_allclose(revived.mean, donor.mean, atol=1e-12)
    np.testing.assert_allclose(revived.covariance, donor.covariance, atol=1e-12)
    assert (repairs.reseeded, repairs.raised) == (1, 0)


def test_half_of_a_gaussian_lies_at_its_mean_absolute_deviation():
    # E|x| = √(2/π) σ for x ~ N(0, σ²), here along the axis with σ = 2
    axis = longest_half_axis(np.diag([1.0, 4.0]))
    np.testing.assert_allclose(np.abs(axis), [0.0, 2 * np.sqrt(2 / np.pi)], atol=1e-14)
