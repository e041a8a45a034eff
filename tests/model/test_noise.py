"""A uniform component: exact against direct sums, and robust where Gaussians are not."""

import numpy as np
import pytest
from scipy.special import logsumexp

from biglearn import GaussianMixture, select_mixture
from biglearn.model.blocks import whole
from biglearn.model.components import Components
from biglearn.model.families import GAUSSIAN
from biglearn.model.noise import Noise
from biglearn.search.methods import Paper, Search
from helpers import CENTRES, COVARIANCE_TYPES, scipy_log_joint


@pytest.mark.parametrize("method", ["em", Paper(steps=20), Search(effort=5)])
@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_clusters_are_found_among_litter(littered, method, kind):
    X, truth = littered
    model = GaussianMixture(
        3, covariance_type=kind, noise=True, method=method, n_init=3, random_state=0
    ).fit(X)  # fmt: skip
    order = np.argmin(((model.means_[:, None] - CENTRES) ** 2).sum(axis=2), axis=0)
    np.testing.assert_allclose(model.means_[order], CENTRES, atol=0.5)
    # the box holds the litter alone, but some of it falls on the clusters
    assert 0.1 < model.noise_.weight < 0.2
    labels = model.predict(X)
    assert np.mean((labels == -1) == (truth == -1)) > 0.95
    assert np.diff(model.lower_bounds_).min() > -1e-9
    assert model.weights_.sum() + model.noise_.weight == pytest.approx(1)
    np.testing.assert_allclose(model.covariances_.max(), 1, atol=0.8)


def test_what_is_said_of_rows(littered):
    X, _ = littered
    model = GaussianMixture(3, noise=True, prior=None, random_state=0).fit(X)
    noise, side = model.noise_, np.ptp(X, axis=0)
    np.testing.assert_allclose(noise.low, X.min(axis=0), rtol=1e-9)
    np.testing.assert_allclose(noise.high, X.max(axis=0), rtol=1e-9)
    ours = scipy_log_joint(model.weights_, model.means_, model.covariances_, X)
    joint = np.column_stack([ours, np.full(len(X), np.log(noise.weight / side.prod()))])
    density = logsumexp(joint, axis=1)
    np.testing.assert_allclose(model.score_samples(X), density, rtol=1e-9)
    shares = np.exp(joint - density[:, None])
    np.testing.assert_allclose(model.predict_proba(X), shares, atol=1e-9)
    chosen = shares.argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X), np.where(chosen == 3, -1, chosen))
    assert model.lower_bound_ == pytest.approx(density.mean(), rel=1e-9)
    assert model.score(X) == pytest.approx(density.mean(), rel=1e-12)
    plain = GaussianMixture(3, random_state=0).fit(X)
    assert model._n_parameters() == plain._n_parameters() + 1
    assert model.bic(X) < plain.bic(X)
    assert model.predict([[1e4, -1e4]]) == -1  # far from the box as well


def test_draws_have_the_share_and_the_box_of_the_noise(littered):
    X, _ = littered
    model = GaussianMixture(3, noise=True, random_state=0).fit(X)
    rows, labels = model.sample(4000)
    share = model.noise_.weight
    error = np.sqrt(share * (1 - share) / 4000)
    assert np.mean(labels == -1) == pytest.approx(share, abs=4 * error)
    litter = rows[labels == -1]
    assert (litter >= model.noise_.low).all()
    assert (litter <= model.noise_.high).all()
    np.testing.assert_allclose(litter.mean(axis=0), (X.min(axis=0) + X.max(axis=0)) / 2, atol=5)


def test_units_change_nothing(littered):
    X, _ = littered
    scale, shift = np.array([1e-3, 5e4]), np.array([3.0, -1e5])
    one = GaussianMixture(3, noise=True, method="em", random_state=0).fit(X)
    other = GaussianMixture(3, noise=True, method="em", random_state=0)
    other.fit(X * scale + shift)
    np.testing.assert_array_equal(one.predict(X), other.predict(X * scale + shift))
    assert other.noise_.weight == pytest.approx(one.noise_.weight, rel=1e-4)


def test_clean_rows_have_no_noise(rng):
    X = np.repeat(CENTRES, 200, axis=0) + rng.normal(size=(600, 2))
    model = GaussianMixture(3, noise=True, random_state=0).fit(X)
    assert model.noise_.weight < 0.02


def test_a_constant_column_is_no_obstacle(littered):
    X, truth = littered
    model = GaussianMixture(3, noise=True, random_state=0)
    labels = model.fit(np.column_stack([X, np.full(len(X), 7.0)])).predict(
        np.column_stack([X, np.full(len(X), 7.0)])
    )
    assert np.mean((labels == -1) == (truth == -1)) > 0.9


def test_noise_goes_with_gaps_weights_labels_and_given_parts(rng, littered):
    X, truth = littered
    labels = np.where(rng.random(len(X)) < 0.2, truth, -1)
    X = np.where(rng.random(X.shape) < 0.05, np.nan, X)
    means = np.full((3, 2), np.nan)
    means[1] = CENTRES[1]
    model = GaussianMixture(3, noise=True, fixed={"means": means}, random_state=0)
    model.fit(X, sample_weight=rng.integers(1, 3, size=len(X)), labels=labels)
    np.testing.assert_allclose(model.means_, CENTRES, atol=0.6)
    np.testing.assert_allclose(model.means_[1], CENTRES[1], rtol=1e-12)
    assert np.isfinite(model.impute(X)).all()


def test_the_box_of_a_component_comes_back():
    noise = Noise(0.3, low=np.array([-1.0, 2.0]), high=np.array([3.0, 7.0]))
    fixed = noise.fixed(1)
    one = Components(np.array([0.7]), np.zeros((1, 2)), np.zeros((1, 2, 2)))
    gaussians, back = Noise.split(one.joined(noise.components(GAUSSIAN, 0.3)))
    assert gaussians.weights == [1.0]
    assert back.weight == 0.3
    np.testing.assert_allclose([back.low, back.high], [noise.low, noise.high])
    # the stand-in has the moments of uniform draws
    rows = np.random.default_rng(0).uniform(noise.low, noise.high, size=(100_000, 2))
    np.testing.assert_allclose(fixed.means[1], rows.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(whole(fixed.covariances)[1], np.cov(rows.T), atol=0.05)


def test_refits_and_limits(littered):
    X, _ = littered
    model = GaussianMixture(3, noise=True, random_state=0).fit(X)
    model.set_params(noise=False).fit(X)
    assert not hasattr(model, "noise_")
    assert model.predict(X).min() == 0
    noisy = GaussianMixture(3, noise=True, random_state=0)
    with pytest.raises(ValueError, match="noise need rows in memory"):
        GaussianMixture(3, noise=True, engine="chunked").fit(X)
    with pytest.raises(ValueError, match=r"partial_fit\(\) does not support noise"):
        noisy.partial_fit(X)
    with pytest.raises(ValueError, match="noise needs a number of components"):
        GaussianMixture("auto", noise=True).fit(X)
    with pytest.raises(ValueError, match="a path through K does not support noise"):
        select_mixture(X, range(1, 3), noise=True)


def test_torch_says_that_it_has_no_noise(littered):
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match='noise needs engine="memory"'):
        GaussianMixture(3, noise=True, engine="torch").fit(littered[0])
