"""Streams: stepwise EM reaches what EM on all rows reaches, within the sampling error."""

import numpy as np
import pandas as pd
import pytest

from biglearn import GaussianMixture
from biglearn.engines.rows.units import Units
from biglearn.model.mixture import Mixture
from biglearn.search.streaming import Stream, step_size
from helpers import COVARIANCE_TYPES, blobs, direct_moments, random_mixture

TRUTH = Mixture(
    [0.5, 0.3, 0.2],
    [[0.0, 0.0], [4.0, 1.0], [-3.0, 4.0]],
    [np.eye(2), [[1.0, 0.6], [0.6, 0.8]], 0.5 * np.eye(2)],
)


def streamed(blocks, n_components=3, **parameters):
    model = GaussianMixture(n_components, **{"random_state": 0, **parameters})
    for block in blocks:
        model.partial_fit(block)
    return model


def test_a_stream_reaches_the_optimum_of_all_rows(rng):
    X = TRUTH.sample(30_000, rng)[0]
    model = streamed(np.array_split(X, 100))
    batch = GaussianMixture(3, random_state=0).fit(X)
    # γ = 102^-0.6 at the end: the model rests on about 2/γ - 1 = 31 blocks of 300 rows, and
    # loses about half of its 17 parameters over that many rows, in nats per row
    lost = batch.score(X) - model.score(X)
    assert 0 <= lost < 4 * 17 / 2 / (31 * 300)
    order, theirs = np.argsort(model.means_[:, 0]), np.argsort(batch.means_[:, 0])
    # a mean is known to about σ / √(π n)
    np.testing.assert_allclose(
        model.means_[order], batch.means_[theirs], atol=4 / np.sqrt(0.2 * 31 * 300)
    )
    assert model.lower_bound_ == pytest.approx(batch.lower_bound_, abs=0.1)


def test_the_first_block_is_fitted_and_later_ones_move_it(rng):
    X = TRUTH.sample(900, rng)[0]
    first = streamed([X])
    np.testing.assert_array_equal(first.means_, GaussianMixture(3, random_state=0).fit(X).means_)
    # the same block again is a step of EM at its optimum, which stays
    np.testing.assert_allclose(streamed([X] * 4).means_, first.means_, atol=2e-2)


def test_a_step_is_the_weighted_mean_of_old_and_new_moments(rng):
    X = TRUTH.sample(1500, rng)[0]
    model = GaussianMixture(
        3, method="em", scaling="none", prior=None, resolution=None, random_state=0
    ).fit(X[:500])
    old = model.mixture_
    model.partial_fit(X[500:])
    gamma = (500 / 1000 + 2) ** -0.6
    counts, means, covariances = direct_moments(X[500:], old.responsibilities(X[500:]))
    old_share, new_share = (1 - gamma) * old.weights, gamma * counts / 1000
    np.testing.assert_allclose(model.weights_, old_share + new_share, rtol=1e-9)
    a, b = (
        old_share[:, None] / model.weights_[:, None],
        new_share[:, None] / model.weights_[:, None],
    )
    np.testing.assert_allclose(model.means_, a * old.means + b * means, rtol=1e-9)
    gap = means - old.means
    between = (a * b)[:, :, None] * gap[:, :, None] * gap[:, None, :]
    expected = a[:, :, None] * old.covariances + b[:, :, None] * covariances + between
    np.testing.assert_allclose(model.covariances_, expected, rtol=1e-8, atol=1e-10)


def test_a_fitted_model_goes_on(rng):
    X = TRUTH.sample(3000, rng)[0]
    model = GaussianMixture(3, random_state=0).fit(X)
    before = model.means_.copy()
    model.partial_fit(X[:10])  # ten rows after 3000 are the 300th block of ten
    assert 0 < np.abs(model.means_ - before).max() < 0.3
    assert step_size(3000, 10) == 302**-0.6


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_the_moments_that_a_stream_begins_with_give_back_its_mixture(rng, kind):
    mixture = random_mixture(rng, 3, 2)
    moments = Stream.after(Units.identity(2), mixture, -1.0, 50).moments
    np.testing.assert_allclose(moments.means, mixture.means)
    np.testing.assert_allclose(moments.covariances, mixture.covariances, atol=1e-12)
    X = blobs(rng, 200, 2)
    model = streamed(np.array_split(X, 4), covariance_type=kind)
    assert (
        model.covariances_.shape
        == GaussianMixture(3, covariance_type=kind).fit(X).covariances_.shape
    )


def test_weights_count_within_a_block(rng):
    X, weights = TRUTH.sample(600, rng)[0], rng.integers(1, 3, size=300)
    ours = streamed([X[:300]]).partial_fit(X[300:], sample_weight=weights)
    theirs = streamed([X[:300]])
    theirs._stream = Stream(
        theirs._stream.units, theirs._stream.components, theirs._stream.moments, seen=weights.sum()
    )
    theirs.partial_fit(np.repeat(X[300:], weights, axis=0))
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-9)


def test_blocks_must_have_the_columns_of_the_first(rng):
    X = blobs(rng, 90, 3)
    with pytest.raises(ValueError, match=r"X has 2 features, but .* is expecting 3"):
        streamed([X, X[:, :2]])
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    with pytest.raises(ValueError, match="feature names"):
        streamed([frame, frame[["b", "a", "c"]]])
    with pytest.raises(ValueError, match="inf in column 1, row 4"):
        streamed([X, np.where(np.arange(270).reshape(90, 3) == 13, np.inf, X)])
    with pytest.raises(ValueError, match=r"n_components=3 .*n_samples=2"):
        streamed([X[:2]])
    assert streamed([X, X[:1]]).n_iter_ > 1
