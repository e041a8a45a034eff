"""Filled gaps: conditional means, modes and draws, against quadrature and closed forms."""

import numpy as np
import pytest
from scipy import integrate

from biglearn import Mixture
from helpers import random_mixture


def test_imputed_means_are_those_of_quadrature(rng):
    mixture = random_mixture(rng, 2, 3, 1.0)
    row = np.array([0.3, np.nan, np.nan])
    axis = np.linspace(-12, 12, 401)
    u, v = np.meshgrid(axis, axis, indexing="ij")
    grid = np.column_stack([np.full(u.size, 0.3), u.ravel(), v.ravel()])
    density = np.exp(mixture.log_density(grid)).reshape(u.shape)

    def integral(values):
        inner = integrate.simpson(values, x=axis, axis=1)
        return integrate.simpson(inner, x=axis)

    expected = [integral(density * u), integral(density * v)] / integral(density)
    got = mixture.impute(row[None])
    np.testing.assert_allclose(got[0, 1:], expected, rtol=1e-6)
    assert got[0, 0] == 0.3
    assert np.log(integral(density)) == pytest.approx(mixture.log_density(row[None])[0])


def test_imputed_draws_have_the_conditional_mean_and_covariance(rng):
    mixture = random_mixture(rng, 3, 3, 1.5)
    row = np.array([[np.nan, 0.5, np.nan]])
    n = 40_000
    draws = mixture.impute(np.tile(row, (n // 5, 1)), how="sample", n=5, rng=0)
    assert draws.shape == (5, n // 5, 3)
    draws = draws.reshape(n, 1, 3)
    assert (draws[:, 0, 1] == 0.5).all()
    exact = mixture.conditional({1: 0.5})
    error = np.sqrt(np.diag(exact.covariance) / n)
    assert (abs(draws[:, 0, [0, 2]].mean(axis=0) - exact.mean) < 4.5 * error).all()
    spread = np.cov(draws[:, 0, [0, 2]].T)
    np.testing.assert_allclose(spread, exact.covariance, atol=0.05 * exact.covariance.max())
    np.testing.assert_allclose(mixture.impute(row)[0, [0, 2]], exact.mean)
    likely = exact.means[mixture.responsibilities(row)[0].argmax()]
    np.testing.assert_allclose(mixture.impute(row, how="mode")[0, [0, 2]], likely)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"how": "median"}, "how must be one of .*got 'median'"),
        ({"n": 3}, "how='mean' has one answer, got n=3"),
        ({"how": "sample", "n": 0}, "n must be an integer at least 1, got 0"),
    ],
)
def test_bad_wishes_for_imputation_are_refused(wishes, message):
    with pytest.raises(ValueError, match=message):
        Mixture([1.0], [[0.0]], [[[1.0]]]).impute([[np.nan]], **wishes)
