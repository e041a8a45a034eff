"""A background model adapted to a few rows, beside the closed form of Reynolds et al."""

import numpy as np
import pytest

from biglearn import GaussianMixture, Mixture
from helpers import random_mixture, with_gaps


@pytest.fixture
def background(rng):
    mixture = random_mixture(rng, 3, 2)
    return GaussianMixture.from_parameters(mixture.weights, mixture.means, mixture.covariances)


@pytest.fixture
def rows(background, rng):
    return background.mixture_.sample(40, rng)[0] + [0.7, -0.3]


def sums(background, rows, weights=None):
    weights = np.ones(len(rows)) if weights is None else weights
    shares = background.predict_proba(rows) * weights[:, None]
    counts = shares.sum(axis=0)
    means = shares.T @ rows / counts[:, None]
    squares = np.einsum("nk,ni,nj->kij", shares, rows, rows) / counts[:, None, None]
    return counts, means, squares


def test_all_parameters_have_the_published_form(background, rows):
    model = background.adapt(rows, relevance=10.0, parameters=("weights", "means", "covariances"))
    counts, means, squares = sums(background, rows)
    share = counts / (counts + 10.0)
    weights = share * counts / len(rows) + (1 - share) * background.weights_
    np.testing.assert_allclose(model.weights_, weights / weights.sum())
    new = share[:, None] * means + (1 - share)[:, None] * background.means_
    np.testing.assert_allclose(model.means_, new)
    old = background.covariances_ + np.einsum("ki,kj->kij", *[background.means_] * 2)
    mixed = share[:, None, None] * squares + (1 - share)[:, None, None] * old
    np.testing.assert_allclose(model.covariances_, mixed - np.einsum("ki,kj->kij", new, new))


def test_means_alone_are_adapted_unless_more_is_asked_for(background, rows):
    model = background.adapt(rows)
    counts, means, _ = sums(background, rows)
    share = (counts / (counts + 16))[:, None]
    np.testing.assert_allclose(model.means_, share * means + (1 - share) * background.means_)
    np.testing.assert_allclose(model.weights_, background.weights_)
    np.testing.assert_allclose(model.covariances_, background.covariances_)
    assert model is not background
    assert model.score(rows) > background.score(rows)


def test_between_the_background_and_a_step_of_em(background, rows):
    everything = ("weights", "means", "covariances")
    near = background.adapt(rows, relevance=1e-9, parameters=everything)
    counts, means, squares = sums(background, rows)
    np.testing.assert_allclose(near.means_, means, rtol=1e-6)
    np.testing.assert_allclose(near.weights_, counts / counts.sum(), rtol=1e-6)
    spread = squares - np.einsum("ki,kj->kij", means, means)
    np.testing.assert_allclose(near.covariances_, spread, rtol=1e-5, atol=1e-6)
    far = background.adapt(rows, relevance=1e12, parameters=everything)
    np.testing.assert_allclose(far.means_, background.means_, rtol=1e-6)


def test_a_weight_is_a_number_of_copies_and_a_file_an_array(background, rows, rng, tmp_path):
    copies = rng.integers(0, 4, size=len(rows))
    repeated = np.repeat(rows, copies, axis=0)
    np.save(tmp_path / "rows.npy", repeated)
    expected = background.adapt(repeated).means_
    np.testing.assert_allclose(background.adapt(rows, sample_weight=copies).means_, expected)
    np.testing.assert_allclose(background.adapt(tmp_path / "rows.npy").means_, expected)


def test_more_steps_start_from_the_same_background(background, rows):
    once, twice = background.adapt(rows), background.adapt(rows, n_iter=2)
    counts = once.predict_proba(rows).sum(axis=0)
    means = once.predict_proba(rows).T @ rows / counts[:, None]
    share = (counts / (counts + 16))[:, None]
    np.testing.assert_allclose(twice.means_, share * means + (1 - share) * background.means_)


def test_components_without_rows_stay(rng):
    background = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [1e4]], [[[1.0]], [[1.0]]])
    model = background.adapt(rng.normal(size=(30, 1)), parameters=("means", "covariances"))
    assert model.means_[1, 0] == pytest.approx(1e4)
    assert model.covariances_[1, 0, 0] == pytest.approx(1)


def test_missing_values_are_filled_by_the_background(rng):
    background = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.5, 1.0]]])
    rows = with_gaps(rng, rng.normal(size=(30, 2)))
    rows = rows[~np.isnan(rows).all(axis=1)]
    expected = background.impute(rows).mean(axis=0) * len(rows) / (len(rows) + 16)
    np.testing.assert_allclose(background.adapt(rows).means_[0], expected)


@pytest.mark.parametrize("kind", ["tied", "diag", "spherical", "factor"])
def test_the_structure_stays(rng, kind):
    X = rng.normal(size=(200, 3)) + 5 * rng.integers(2, size=(200, 1))
    model = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X)
    new = model.adapt(X[:20], parameters=("means", "covariances"))
    assert new.covariances_.shape == model.covariances_.shape
    assert isinstance(new.mixture_, Mixture)
    whole = new.mixture_.covariances
    if kind == "spherical":
        np.testing.assert_allclose(whole, new.covariances_[:, None, None] * np.eye(3), atol=1e-12)
    if kind == "tied":
        np.testing.assert_allclose(whole[0], whole[1])


def test_what_cannot_be_adapted_is_refused(background, rows, rng):
    with pytest.raises(ValueError, match=r"parameters must be some of .*'dof'"):
        background.adapt(rows, parameters=("dof",))
    with pytest.raises(ValueError, match=r"relevance.*0"):
        background.adapt(rows, relevance=0)
    noisy = GaussianMixture(2, noise=True, random_state=0).fit(rng.normal(size=(60, 2)))
    with pytest.raises(ValueError, match="does not support noise"):
        noisy.adapt(rows)
    student = GaussianMixture(2, family="student", random_state=0).fit(rng.normal(size=(90, 2)))
    with pytest.raises(ValueError, match="does not support family 'student'"):
        student.adapt(rows)
