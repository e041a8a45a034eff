"""Densities of rows with gaps."""

import numpy as np

from biglearn import Mixture
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
