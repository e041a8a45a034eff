"""Rows of known component: each counts by its joint density, for that component alone."""

from itertools import permutations

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.metrics import accuracy_score

from biglearn import GaussianMixture
from biglearn.engines import ArraySource, Header, RowOptions, open_source
from biglearn.engines.rows.units import Units
from biglearn.engines.wrappers.labelled import LabelledEngine
from biglearn.model.views import View
from biglearn.search.methods import Paper, Search
from helpers import COVARIANCE_TYPES, blobs, random_mixture, scipy_log_joint


def engine_over(X, labels, weights=None):
    options = RowOptions(labels=labels, sample_weight=weights, n_threads=1)
    source = ArraySource(X, Header(X.shape[1]), options)
    return source.engine(Units.identity(X.shape[1]))


def some_labels(rng, truth, share=0.3):
    return np.where(rng.random(len(truth)) < share, truth, -1)


@pytest.mark.parametrize("view", [None, "marginal"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_pass_is_the_direct_sum(rng, view, weighted):
    mixture = random_mixture(rng, 3, 3)
    X, truth = mixture.sample(200, rng)
    labels = some_labels(rng, truth)
    weights = rng.uniform(0.1, 2, size=200) if weighted else None
    engine = engine_over(X, labels, weights)
    assert isinstance(engine, LabelledEngine)
    if view:
        view = View.marginal([0, 2], 3)
        engine, mixture, X = engine.project(view), mixture.project(view), X @ view.basis.T
    joint = scipy_log_joint(mixture.weights, mixture.means, mixture.covariances, X)
    known = labels >= 0
    joint[known] = np.where(np.arange(3) == labels[known, None], joint[known], -np.inf)
    shares = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    w = np.ones(200) if weights is None else weights
    moments = engine.expect(mixture)
    np.testing.assert_allclose(moments.log_likelihood, w @ logsumexp(joint, axis=1), rtol=1e-9)
    np.testing.assert_allclose(moments.counts, w @ shares, rtol=1e-9)
    second = np.einsum("nk,ni,nj->kij", shares * w[:, None], X, X)
    shifted = moments.shift(np.zeros(X.shape[1]))
    np.testing.assert_allclose(shifted.second, second, rtol=1e-8, atol=1e-8)
    assert moments.total == pytest.approx(w.sum())
    assert moments.rows == 200


@pytest.mark.parametrize("engine", ["memory", "memory, without Numba", "torch"])
def test_components_are_put_in_the_likeliest_order(rng, engine, without_numba):
    if engine == "memory, without Numba":
        engine = "memory"
        without_numba()
    if engine == "torch":
        pytest.importorskip("torch")
    for _ in range(20):
        mixture = random_mixture(rng, 3, 3, spread=0.5)  # they differ in their correlations
        X, truth = mixture.sample(40, rng)
        options = RowOptions(engine=engine, labels=truth, n_threads=1)
        rows = open_source(X, options).engine(Units.identity(3))
        joint = mixture.log_joint(X)
        orders = [list(order) for order in permutations(range(3))]
        values = [joint[np.arange(40), np.array(order)[truth]].sum() for order in orders]
        best = mixture.part(orders[int(np.argmax(values))])
        np.testing.assert_array_equal(rows.align(mixture).means, best.means)


@pytest.mark.parametrize("method", ["em", Paper(steps=20), Search(effort=5)])
@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_components_come_under_their_labels(rng, method, kind):
    centres = np.array([[0, 0], [7, 0], [0, 7], [7, 7]])
    truth = rng.integers(4, size=400)
    X = centres[truth] + rng.normal(size=(400, 2))
    labels = some_labels(rng, truth, share=0.05)
    labels[[np.argmax(truth == k) for k in range(4)]] = range(4)  # one of each at least
    model = GaussianMixture(
        4, covariance_type=kind, method=method, n_init=3, random_state=0
    ).fit(X, labels=labels)  # fmt: skip
    assert accuracy_score(truth, model.predict(X)) > 0.98
    assert np.diff(model.lower_bounds_).min() > -1e-8
    np.testing.assert_allclose(model.means_, centres, atol=0.6)


def test_labels_of_every_row_are_one_m_step(rng):
    X, truth = random_mixture(rng, 3, 2).sample(300, rng)
    model = GaussianMixture(3, method="em", prior=None, resolution=None, random_state=0).fit(
        X, labels=truth
    )
    for k in range(3):
        mine = X[truth == k]
        assert model.weights_[k] == pytest.approx(len(mine) / 300)
        np.testing.assert_allclose(model.means_[k], mine.mean(axis=0), atol=1e-9)
        np.testing.assert_allclose(model.covariances_[k], np.cov(mine.T, bias=True), rtol=1e-6)


def test_the_likelihood_reported_counts_labels(rng):
    mixture = random_mixture(rng, 3, 2)
    X, truth = mixture.sample(200, rng)
    labels = some_labels(rng, truth)
    model = GaussianMixture(3, prior=None, random_state=0).fit(X, labels=labels)
    joint = model.mixture_.log_joint(X)
    known = labels >= 0
    direct = np.where(known, joint[np.arange(200), labels], logsumexp(joint, axis=1))
    assert model.lower_bound_ == pytest.approx(direct.mean(), rel=1e-9)


def test_few_labels_tell_overlapping_classes_apart(rng):
    # two clusters in each of two classes: without labels the wrong pairs may join
    X = np.concatenate([rng.normal(size=(200, 2)) * [4, 0.7], rng.normal(size=(200, 2)) * [0.7, 4]])
    truth = np.repeat([0, 1], 200)
    labels = some_labels(rng, truth, share=0.2)
    model = GaussianMixture(2, random_state=0).fit(X, labels=labels)
    swapped = GaussianMixture(2, random_state=0).fit(X, labels=np.where(labels < 0, -1, 1 - labels))
    np.testing.assert_allclose(model.means_, swapped.means_[::-1], atol=1e-3)
    assert accuracy_score(truth, model.predict(X)) > 0.7


def test_labels_go_with_gaps_weights_and_given_parts(rng):
    mixture = random_mixture(rng, 3, 3, spread=6.0)
    X, truth = mixture.sample(300, rng)
    X[rng.random(X.shape) < 0.1] = np.nan
    means = np.full((3, 3), np.nan)
    means[1] = mixture.means[1]
    weights = rng.integers(0, 3, size=300)
    model = GaussianMixture(3, fixed={"means": means}, random_state=0)
    model.fit(X, sample_weight=weights, labels=some_labels(rng, truth))
    np.testing.assert_allclose(model.means_[1], means[1], rtol=1e-12)
    assert accuracy_score(truth, model.predict(X)) > 0.9


def test_no_label_known_is_the_plain_fit(rng):
    X = blobs(rng, 100, 2)
    plain = GaussianMixture(2, random_state=0).fit(X)
    same = GaussianMixture(2, random_state=0).fit(X, labels=np.full(100, -1))
    np.testing.assert_array_equal(plain.means_, same.means_)


def test_torch_agrees(rng):
    pytest.importorskip("torch")
    mixture = random_mixture(rng, 3, 2)
    X, truth = mixture.sample(200, rng)
    labels = some_labels(rng, truth)
    models = [
        GaussianMixture(3, method="em", engine=engine, random_state=0).fit(X, labels=labels)
        for engine in ("memory", "torch")
    ]
    np.testing.assert_allclose(models[0].means_, models[1].means_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("labels", "message"), [
    ([0, 1], r"labels must have shape \(50,\), one for each row, got \(2,\)"),
    (np.full(50, 2), "labels must be from 0 to 1, or -1 .* got 2 to 2"),
    (np.full(50, -2), "got -2 to -2"),
    (np.full(50, 0.5), "labels must be whole numbers, -1 where"),
    (np.full(50, np.nan), "labels must be whole numbers"),
    (["a"] * 50, "labels must be whole numbers"),
])  # fmt: skip
def test_bad_labels_are_named(rng, labels, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2).fit(blobs(rng, 50, 2), labels=labels)


def test_labels_need_rows_in_memory_and_a_number_of_components(rng):
    X, labels = blobs(rng, 50, 2), np.zeros(50, dtype=int)
    with pytest.raises(ValueError, match=r"labels need rows in memory.*chunked"):
        GaussianMixture(2, engine="chunked").fit(X, labels=labels)
    with pytest.raises(ValueError, match="labels need a number of components"):
        GaussianMixture("auto").fit(X, labels=labels)
