"""Densities of rows with gaps."""

import numpy as np

from biglearn import Mixture
from biglearn.model.gaps import observed_peaks
from helpers import random_mixture, with_gaps


def test_densities_of_rows_with_gaps_are_marginal(rng):
    mixture = random_mixture(rng, 3, 4, 1.0)
    X = with_gaps(rng, mixture.sample(50, rng)[0], 0.5)
    X[0] = np.nan
    offset = 1e6
    far = Mixture(mixture.weights, mixture.means + offset, mixture.covariances)
    for i, x in enumerate(X[1:], 1):
        there = np.flatnonzero(~np.isnan(x))
        if len(there):
            expected = mixture.marginal(there.tolist()).log_joint(x[None, there])[0]
            np.testing.assert_allclose(mixture.log_joint(X)[i], expected)
    np.testing.assert_allclose(far.log_density(X + offset), mixture.log_density(X), atol=1e-7)
    assert abs(mixture.log_density(X)[0]) < 1e-14
    np.testing.assert_allclose(mixture.responsibilities(X)[0], mixture.weights)


def test_the_peak_of_a_row_is_the_marginal_density_at_the_mean(rng):
    mixture = random_mixture(rng, 3, 4, 1.0)
    missing = rng.random((20, 4)) < 0.5
    missing[:3] = [[False] * 4, [True] * 4, [True, False, False, False]]
    found = observed_peaks(mixture, missing)
    for k in range(3):
        at_mean = np.where(missing, np.nan, mixture.means[k])
        np.testing.assert_allclose(found[:, k], mixture.log_joint(at_mean)[:, k])
