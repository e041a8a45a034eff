"""The engine with a uniform component against direct sums."""

import numpy as np
import pytest
from scipy.special import logsumexp

from biglearn.engines import ArraySource, Header, RowOptions
from biglearn.engines.rows.units import Units
from biglearn.model.families import GAUSSIAN
from helpers import random_mixture


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_pass_is_the_direct_sum(rng, gaps, weighted):
    X = random_mixture(rng, 2, 2).sample(150, rng)[0]
    if gaps:
        X[rng.random(150) < 0.3, 1] = np.nan
    w = rng.uniform(0.1, 2, size=150) if weighted else np.ones(150)
    options = RowOptions(noise=True, sample_weight=w, n_threads=1)
    source = ArraySource(X, Header(2), options)
    units = Units(np.array([1.0, 2.0]), np.array([2, 3]))
    noise = source.noise(units)
    gaussians = random_mixture(rng, 2, 2)
    last = noise.components(GAUSSIAN, 0.2)
    mixture = gaussians.replace(weights=0.8 * gaussians.weights).joined(last)
    moments = source.engine(units).expect(mixture)
    Y = (X - units.centre) / units.scale
    seen = ~np.isnan(Y)
    volume = np.nanmax(Y, axis=0) - np.nanmin(Y, axis=0)
    ours = gaussians.log_joint(Y) + np.log(0.8)
    joint = np.column_stack([ours, np.log(0.2) - seen @ np.log(volume)])
    shares = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    np.testing.assert_allclose(moments.log_likelihood, w @ logsumexp(joint, axis=1), rtol=1e-9)
    np.testing.assert_allclose(moments.counts, w @ shares, rtol=1e-8)
    if not gaps:
        first = (shares * w[:, None]).T @ Y
        shifted = moments.shift(np.zeros(2))
        np.testing.assert_allclose(shifted.first[:2], first[:2], rtol=1e-8, atol=1e-9)
