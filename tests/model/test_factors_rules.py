"""The signs and the order of factors, of which the likelihood says nothing."""

import numpy as np
import pytest

from biglearn.model.factors import fit_factors
from biglearn.model.structures import structure_of


@pytest.fixture
def samples(rng):
    """Return 20 covariances of three factors; LAPACK may choose any of the 2^60 signs."""
    loadings = rng.normal(size=(20, 7, 3)) * [3.0, 1.5, 1.0]
    noise = rng.uniform(0.5, 1.5, size=(20, 7))
    return loadings @ np.swapaxes(loadings, 1, 2) + noise[:, :, None] * np.eye(7)


def test_loadings_have_positive_sums(samples):
    deviations = np.sqrt(np.diagonal(samples, axis1=1, axis2=2))
    loadings, _, _ = fit_factors(samples, 3, 1e-6)
    # columns are signed in units of the features' deviations
    assert ((loadings / deviations[:, :, None]).sum(axis=1) > 0).all()


def test_loadings_of_features_of_equal_variance_have_positive_sums_as_they_are(samples):
    deviations = np.sqrt(np.diagonal(samples, axis1=1, axis2=2))
    correlations = samples / deviations[:, :, None] / deviations[:, None, :]
    loadings, _, _ = fit_factors(correlations, 3, 1e-6)
    assert (loadings.sum(axis=1) > 0).all()


def test_signs_do_not_depend_on_those_of_the_features(samples):
    # with all features turned round ΛΛᵀ is the same, and so is Λ
    turned = -np.eye(7)
    one, _, _ = fit_factors(samples, 3, 1e-6)
    other, _, _ = fit_factors(turned @ samples @ turned.T, 3, 1e-6)
    np.testing.assert_array_equal(one, other)


def test_the_factor_that_explains_most_comes_first(samples):
    loadings, noise, _ = fit_factors(samples, 3, 1e-6)
    explained = (loadings**2 / noise[:, :, None]).sum(axis=1)
    assert (np.diff(explained, axis=1) < 0).all()


def test_the_factors_of_fitted_covariances_follow_the_same_convention(samples):
    structure = structure_of("factor", n_factors=3)
    covariances, _ = structure.fit(samples, np.ones(20), 1e-6)
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    loadings, noise = structure.factors(covariances)
    assert ((loadings / deviations[:, :, None]).sum(axis=1) > 0).all()
    assert (np.diff((loadings**2 / noise[:, :, None]).sum(axis=1), axis=1) < 0).all()


@pytest.mark.parametrize("n_factors", [1, 2])
def test_the_units_of_features_change_neither_signs_nor_order(samples, n_factors):
    units = np.exp2([0.0, 6.0, 0.0, -5.0, 1.0, 0.0, 0.0])  # exact in floating point
    one, _, _ = fit_factors(samples, n_factors, 0.0)
    other, _, _ = fit_factors(samples * np.outer(units, units), n_factors, 0.0)
    np.testing.assert_array_equal(other / units[:, None], one)
