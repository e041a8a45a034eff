"""Covariance structures: each fit is the likeliest of its kind under the floor."""

import numpy as np
import pytest
from sklearn.decomposition import FactorAnalysis

from biglearn import GaussianMixture
from biglearn.model.blocks import whole
from biglearn.model.structures import COVARIANCE_TYPES as KNOWN
from biglearn.model.structures import structure_of
from helpers import COVARIANCE_TYPES, random_covariances

SHARES = np.array([0.3, 0.7])


def log_likelihood(sigma, sample):
    return -0.5 * (np.linalg.slogdet(sigma)[1] + np.trace(np.linalg.solve(sigma, sample)))


def objective(stack, samples):
    return sum(w * log_likelihood(s, c) for w, s, c in zip(SHARES, stack, samples, strict=True))


def with_factors(rng, n_components, n_features, n_factors):
    loadings = rng.normal(size=(n_components, n_features, n_factors))
    noise = rng.uniform(0.2, 2.0, size=(n_components, n_features))
    covariances = loadings @ np.swapaxes(loadings, 1, 2)
    return covariances + noise[:, :, None] * np.eye(n_features), noise


def test_the_tests_know_every_structure():
    assert list(KNOWN) == COVARIANCE_TYPES


@pytest.mark.parametrize("kind", ["tied", "diag", "spherical", "factor"])
def test_a_fit_is_the_likeliest_of_its_kind(rng, kind):
    samples = random_covariances(rng, 2, 5)
    if kind == "factor":  # of any covariance the likeliest may have a feature without noise
        samples = 0.9 * with_factors(rng, 2, 5, 1)[0] + 0.1 * samples
    blocks, raised = structure_of(kind).fit(samples, SHARES, 1e-9)
    assert raised == 0
    ours = whole(blocks)
    if kind == "tied":
        np.testing.assert_array_equal(ours[0], ours[1])
    elif kind != "factor":  # numbers off the diagonal are neither kept nor computed
        assert blocks.shape == (2, 5, 1, 1)
    if kind == "spherical":
        assert np.ptp(np.diagonal(ours[0])) == 0
    for size in 0.1 ** rng.uniform(1, 4, size=100):
        change = 1 + size * rng.normal(size=(1 if kind == "tied" else 2, 5))
        if kind == "spherical":
            change[:] = change[:, :1]
        # scaling rows and columns, and adding along the noise, stay within the structure
        rival = ours * change[:, :, None] * change[:, None, :]
        assert objective(rival, samples) <= objective(ours, samples) + 1e-10
        if kind == "factor":
            rival = ours + size * rng.uniform(size=(2, 5, 1)) * np.eye(5)
            assert objective(rival, samples) <= objective(ours, samples) + 1e-10


@pytest.mark.parametrize(("n_features", "n_factors"), [(6, 1), (8, 2), (12, 4)])
def test_factors_are_recovered_exactly_from_their_covariance(rng, n_features, n_factors):
    covariances, noise = with_factors(rng, 3, n_features, n_factors)
    fitted, _ = structure_of("factor", n_factors).fit(covariances, np.full(3, 1 / 3), 1e-9)
    np.testing.assert_allclose(fitted, covariances, rtol=1e-3, atol=1e-3)
    found = structure_of("factor", n_factors).factors(fitted)
    np.testing.assert_allclose(found.noise, noise, rtol=1e-2)
    product = found.loadings @ np.swapaxes(found.loadings, 1, 2)
    np.testing.assert_allclose(product + found.noise[:, :, None] * np.eye(n_features), fitted,
                               rtol=1e-3, atol=1e-3)  # fmt: skip
    explained = (found.loadings**2 / found.noise[:, :, None]).sum(axis=1)
    assert (np.diff(explained, axis=1) <= 1e-9).all()  # the first explains most


@pytest.mark.parametrize("n_factors", [1, 3])
def test_one_component_is_scikit_learns_factor_analysis(rng, n_factors):
    X = rng.normal(size=(500, n_factors)) @ rng.normal(size=(n_factors, 9))
    X += rng.normal(size=X.shape) * rng.uniform(0.3, 1.5, size=9)
    theirs = FactorAnalysis(n_factors, tol=1e-5, max_iter=10_000, svd_method="lapack").fit(X)
    ours = GaussianMixture(1, covariance_type="factor", n_factors=n_factors).fit(X)
    assert ours.score(X) >= theirs.score(X) - 1e-8
    np.testing.assert_allclose(ours.score(X), theirs.score(X), atol=1e-4)  # theirs is slow
    np.testing.assert_allclose(ours.covariances_[0], theirs.get_covariance(), atol=0.02)


def test_noise_below_the_floor_is_raised_and_counted(rng):
    loadings = rng.normal(size=(5, 1))
    sample = loadings @ loadings.T + np.diag([0.0, 1.0, 1.0, 1.0, 1.0])  # the first is the factor
    fitted, raised = structure_of("factor").fit(sample[None], np.ones(1), 0.05)
    assert raised == 1
    assert np.linalg.eigvalsh(fitted[0])[0] >= 0.05 * (1 - 1e-9)
    noise = structure_of("factor").factors(fitted).noise[0]
    assert noise[0] == pytest.approx(0.05, rel=1e-2)


def test_many_features_give_what_all_eigenvectors_give(rng, monkeypatch):
    covariances, _ = with_factors(rng, 1, 220, 3)  # large: the leading vectors alone
    samples = np.cov(rng.multivariate_normal(np.zeros(220), covariances[0], 900).T)[None]
    large, _ = structure_of("factor", 3).fit(samples, np.ones(1), 1e-6)
    monkeypatch.setattr("biglearn.model.factors._LARGE", 10**9)
    small, _ = structure_of("factor", 3).fit(samples, np.ones(1), 1e-6)
    np.testing.assert_allclose(large, small, atol=1e-4)


def test_as_many_factors_as_features_leave_the_covariance_free(rng):
    samples = random_covariances(rng, 2, 4)
    fitted, _ = structure_of("factor", 7).fit(samples, SHARES, 1e-9)
    gap = objective(samples, samples) - objective(fitted, samples)
    assert -1e-12 < gap < 1e-4


@pytest.mark.parametrize(("kind", "q", "expected"), [
    ("full", 1, 2 * 10), ("tied", 1, 10), ("diag", 1, 8), ("spherical", 1, 2),
    ("factor", 1, 16), ("factor", 2, 20), ("factor", 9, 20),
])  # fmt: skip
def test_free_numbers_of_two_components_in_four_dimensions(kind, q, expected):
    assert structure_of(kind, q).n_parameters(2, 4) == expected


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_arrays_of_scikit_learn_come_back(rng, kind):
    structure = structure_of(kind)
    matrices, _ = structure.fit(random_covariances(rng, 2, 4), SHARES, 1e-9)
    array = structure.collapse(matrices)
    assert array.shape == structure.shape(2, 4)
    np.testing.assert_allclose(structure.expand(array, 2, 4), matrices, rtol=1e-12)


def test_factors_need_the_structure(rng):
    model = GaussianMixture(1).fit(rng.normal(size=(20, 2)))
    with pytest.raises(AttributeError, match='factors_ are those of covariance_type="factor"'):
        model.factors_  # noqa: B018
    with pytest.raises(ValueError, match="n_factors must be an integer at least 1, got 0"):
        GaussianMixture(1, covariance_type="factor", n_factors=0).fit(np.ones((9, 2)))


def test_few_rows_of_many_features_are_fitted_better_by_factors_than_fully(rng):
    truth, _ = with_factors(rng, 2, 30, 2)
    means = 3 * rng.normal(size=(2, 30))
    draw = lambda n: np.vstack([  # noqa: E731
        rng.multivariate_normal(m, c, size=n) for m, c in zip(means, truth, strict=True)
    ])  # fmt: skip
    X, new = draw(80), draw(1000)
    scores = {
        kind: GaussianMixture(
            2, covariance_type=kind, n_factors=2, random_state=0
        ).fit(X).score(new)
        for kind in ("full", "diag", "factor")
    }  # fmt: skip
    assert scores["factor"] > max(scores["full"], scores["diag"]) + 1
