"""The signs and the order of factors, of which the likelihood says nothing."""

import numpy as np
import pytest

from biglearn import GaussianMixture
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


def likelihood(samples, loadings, noise):
    """Return the expected log-likelihood of each sample covariance, less a constant."""
    covariances = loadings @ np.swapaxes(loadings, 1, 2)
    covariances += noise[:, :, None] * np.eye(noise.shape[1])
    ratios = np.linalg.solve(covariances, samples)
    return -0.5 * (np.linalg.slogdet(covariances)[1] + np.trace(ratios, axis1=1, axis2=2))


def test_known_noise_is_where_a_fit_goes_on(rng, samples):
    loadings, noise, _ = fit_factors(samples, 2, 1e-6)
    moved = samples + 0.02 * np.stack([np.cov(rng.normal(size=(7, 30))) for _ in samples])
    before = likelihood(moved, loadings, noise)
    few = fit_factors(moved, 2, 1e-6, noise)
    best = likelihood(moved, *fit_factors(moved, 2, 1e-6)[:2])
    after = likelihood(moved, *few[:2])
    assert (after >= before - 1e-12).all()
    assert (best - after).max() < 0.05 * (best - before).max()
    # a component of which nothing is known begins anew, and leaves the others as they are
    known = noise.copy()
    known[4] = np.nan
    some = fit_factors(moved, 2, 1e-6, known)
    assert likelihood(moved, *some[:2])[4] == pytest.approx(best[4], abs=1e-9)
    others = np.arange(20) != 4
    np.testing.assert_allclose(some[1][others], few[1][others], rtol=1e-9)


def test_a_new_fit_never_replaces_a_likelier_covariance(rng):
    structure = structure_of("factor", n_factors=1)
    samples = np.stack([np.cov(rng.normal(size=(6, 40))) for _ in range(3)])
    given, best = (samples, np.ones(3), 1e-6), structure.fit(samples, np.ones(3), 1e-6)[0]
    # no covariance is likelier than the sample's own, and the third is worse than the best
    former = np.stack([samples[0], samples[1], 1.5 * best[2]])
    found, _, memo = structure.refit(*given, former=former)
    np.testing.assert_array_equal(found, np.stack([samples[0], samples[1], best[2]]))
    np.testing.assert_array_equal(np.isnan(memo).all(axis=1), [True, True, False])


@pytest.mark.parametrize("seed", range(4))
def test_em_with_factors_loses_no_likelihood(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 11)) + 0.1 * rng.normal(size=(60, 11))
    model = GaussianMixture(
        6, covariance_type="factor", n_factors=2, method="em", prior=None, random_state=seed
    ).fit(X)
    assert len(model.lower_bounds_) > 1
    assert np.diff(model.lower_bounds_).min() > -1e-9
    assert model.lower_bound_ == pytest.approx(model.lower_bounds_[-1])
