"""Missing values: every closed form against one row and one component at a time."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from biglearn import GaussianMixture, Mixture
from biglearn.engines import MemoryEngine, engine_over
from biglearn.engines.memory.with_gaps import MissingEngine
from biglearn.model.blocks import in_blocks
from biglearn.model.gaps import find_patterns
from biglearn.model.views import View
from helpers import COVARIANCE_TYPES, blobs, random_mixture, with_gaps


def views(rng, size=4):
    return [
        View.joint(size),
        View.marginal([2, 0], size),
        View.transformed([0, 1, 2], size, rng),
        View.transformed([1], size, rng),
        View(np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]]) / np.sqrt(2)),
    ]


def step_by_rows(mixture, X, basis, weights):
    """One E-step of EM on observed data, row by row, with regression inside the view."""
    K, d = mixture.n_components, len(basis)
    counts, first, second = np.zeros(K), np.zeros((K, d)), np.zeros((K, d, d))
    log_likelihood = total = 0.0
    for x, w in zip(X, weights, strict=True):
        left, values, _ = np.linalg.svd(basis[:, np.isnan(x)])
        C = left[:, (values > 1e-10).sum() :].T
        if not len(C):
            continue
        z = C @ basis @ np.nan_to_num(x)
        means, covariances = mixture.means @ basis.T, basis @ mixture.covariances @ basis.T
        log_joint = np.array(
            [
                np.log(pi) + multivariate_normal(C @ m, C @ S @ C.T).logpdf(z)
                for pi, m, S in zip(mixture.weights, means, covariances, strict=True)
            ]
        )
        log_likelihood, total = log_likelihood + w * logsumexp(log_joint), total + w
        for k, r in enumerate(w * np.exp(log_joint - logsumexp(log_joint))):
            S = covariances[k]
            gain = S @ C.T @ np.linalg.inv(C @ S @ C.T)
            y = means[k] + gain @ (z - C @ means[k])
            counts[k] += r
            first[k] += r * y
            second[k] += r * (np.outer(y, y) + S - gain @ C @ S)
    return counts, first, second, log_likelihood, total


@pytest.mark.parametrize("plenty", [2, 10**6])  # all patterns lifted, or none
@pytest.mark.parametrize("weighted", [False, True])
def test_a_pass_is_the_e_step_on_what_is_observed(rng, monkeypatch, plenty, weighted):
    monkeypatch.setattr("biglearn.engines.memory.with_gaps._PLENTY", plenty)
    mixture = random_mixture(rng, 3, 4, spread=1.0)
    X = with_gaps(rng, mixture.sample(80, rng)[0], 0.4)
    X[5] = np.nan
    weights = rng.random(80) if weighted else None
    for view in views(rng):
        engine = MissingEngine(X, weights=weights).project(view)
        got = engine.expect(mixture.project(view))
        each = np.ones(80) if weights is None else weights
        expected = step_by_rows(mixture, X, view.basis, each)
        for ours, theirs in zip(
            (got.counts, got.first, got.second, got.log_likelihood, got.total),
            expected,
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


def test_rows_without_gaps_give_the_moments_of_the_engine_in_memory(rng):
    X = blobs(rng, 700, 3)
    mixture = random_mixture(rng)
    ours, theirs = MissingEngine(X).expect(mixture), MemoryEngine(X).expect(mixture)
    np.testing.assert_allclose(ours.second, theirs.second, rtol=1e-10)
    assert isinstance(engine_over(X), MemoryEngine)


def test_background_threads_and_the_diagonal_are_those_of_other_engines(rng):
    X, mixture = with_gaps(rng, blobs(rng, 900, 3)), random_mixture(rng)
    engine = MissingEngine(X, n_threads=2)
    with engine.running():
        threaded = engine.expect(mixture)
    np.testing.assert_array_equal(threaded.second, MissingEngine(X).expect(mixture).second)
    independent = Mixture(mixture.weights, mixture.means, mixture.covariances * np.eye(3))
    diagonal = engine.expect(independent.in_blocks(1)).second
    np.testing.assert_array_equal(diagonal, in_blocks(engine.expect(independent).second, 1))
    # A background that is a fourth component takes that component's share.
    log_joint = mixture.log_joint(X)
    rest = Mixture(mixture.weights[:2] / mixture.weights[:2].sum(), *parts(mixture, 2))
    background = log_joint[:, 2] - np.log(mixture.weights[:2].sum())
    some = MissingEngine(X[::2], background=background[::2]).expect(rest)
    half = MissingEngine(X[::2]).expect(mixture)
    np.testing.assert_allclose(some.counts, half.counts[:2])
    np.testing.assert_allclose(some.second, half.second[:2])


def parts(mixture, n):
    return mixture.means[:n], mixture.covariances[:n]


def test_blocks_of_rows_add_up(rng):
    X, mixture = with_gaps(rng, blobs(rng, 500, 3)), random_mixture(rng)
    parts = MissingEngine(X[:201]).expect(mixture) + MissingEngine(X[201:]).expect(mixture)
    whole = MissingEngine(X).expect(mixture)
    np.testing.assert_allclose(parts.second, whole.second, rtol=1e-10)
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood)


def test_thousands_of_patterns(rng):
    mixture = random_mixture(rng, 2, 14)
    X = with_gaps(rng, mixture.sample(4000, rng)[0], 0.5)
    assert len(find_patterns(np.isnan(X), View.joint(14))) > 3000
    got = MissingEngine(X).expect(mixture)
    assert got.log_likelihood == pytest.approx(mixture.log_density(X).sum())
    assert got.counts.sum() == pytest.approx(got.total)


def test_filled_rows_have_the_covariance_of_the_data(rng):
    true = Mixture([1.0], [[1.0, -1.0]], [[[1.0, 0.8], [0.8, 1.0]]])
    X = with_gaps(rng, true.sample(20_000, rng)[0], 0.4)
    filled = MissingEngine(X).subsample(len(X), rng).rows()
    np.testing.assert_allclose(filled[~np.isnan(X)], X[~np.isnan(X)], atol=1e-12)
    np.testing.assert_allclose(np.cov(filled.T), true.covariance, atol=5 * 1.5 / np.sqrt(12_000))


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_em_never_lowers_the_observed_likelihood(rng, kind):
    X = with_gaps(rng, blobs(rng, 250, 3), 0.4)
    X[7] = np.nan
    model = GaussianMixture(
        3,
        method="em",
        covariance_type=kind,
        prior=None,
        random_state=0,
        scaling="minmax",
        tol=1e-7,
    ).fit(X)
    assert np.diff(model.lower_bounds_).min() > -1e-10
    told = ~np.isnan(X).all(axis=1)
    assert model.lower_bound_ == pytest.approx(model.score(X[told]))


@pytest.mark.parametrize("method", ["em", "search", "paper"])
def test_every_method_takes_rows_with_gaps(rng, method):
    X = with_gaps(rng, blobs(rng, 150, 3), 0.3).astype(np.float32)
    model = GaussianMixture(2, method=method, random_state=0, max_time=1.0).fit(X)
    assert model.predict_proba(X).shape == (150, 2)
    filled = model.impute(X)
    assert filled.dtype == np.float32
    assert np.isfinite(filled).all()
    assert model.impute(X, "sample", 3, random_state=1).shape == (3, 150, 3)
    np.testing.assert_array_equal(
        model.impute(X, "sample", random_state=1), model.impute(X, "sample", random_state=1)
    )


def test_engines_and_kinds_of_input_agree(rng):
    X = with_gaps(rng, blobs(rng, 200, 2))
    model = GaussianMixture(2, method="em", random_state=0)
    expected = model.fit(X).means_
    chunked = GaussianMixture(2, method="em", random_state=0, engine="chunked").fit(X)
    np.testing.assert_allclose(chunked.means_, expected, rtol=1e-6)
    frame = pd.DataFrame({"a": X[:, 0], "b": pd.array(X[:, 1]).astype("Float64")})
    np.testing.assert_allclose(model.fit(frame).means_, expected, rtol=1e-10)
    with pytest.warns(UserWarning, match="MemoryEngine does not support missing values and X has"):
        model.set_params(engine=MemoryEngine).fit(X)
    np.testing.assert_array_equal(model.means_, expected)


def test_rows_of_weight_zero_and_rows_without_values_are_absent(rng):
    X = with_gaps(rng, blobs(rng, 200, 2))
    X = X[~np.isnan(X).all(axis=1)]
    more = np.vstack([X, np.full((5, 2), np.nan)])

    def fit(rows, weights=None):
        start = {"weights_init": [0.5, 0.5], "means_init": [[-1.0, 0], [1, 0]]}
        model = GaussianMixture(2, method="em", precisions_init=[np.eye(2)] * 2, tol=1e-9, **start)
        return model.fit(rows, sample_weight=weights).means_

    np.testing.assert_allclose(fit(more), fit(X), rtol=1e-8)
    weights = rng.integers(0, 3, len(X))
    np.testing.assert_allclose(fit(X, weights), fit(np.repeat(X, weights, axis=0)), rtol=1e-6)


def test_parameters_are_recovered_as_well_as_the_effective_size_allows(rng):
    # Variance of a mean from n complete rows is Σ/n; of what is observed there are 0.7 n.
    true = Mixture(
        [0.4, 0.6],
        [[-4.0, 0, 0], [4.0, 0, 0]],
        [np.eye(3), 0.6 * np.eye(3) + 0.4 * np.ones((3, 3))],
    )
    n = 6000
    X = with_gaps(rng, true.sample(n, rng)[0], 0.3)
    model = GaussianMixture(2, method="em", random_state=0).fit(X)
    order = model.means_[:, 0].argsort()
    error = 1 / np.sqrt(0.7 * n * true.weights)[:, None]
    assert (abs(model.means_[order] - true.means) < 4.5 * error).all()
    assert (abs(model.covariances_[order] - true.covariances) < 7 * error[:, :, None]).all()
    means_only = np.where(np.isnan(X), np.nanmean(X, axis=0), X)
    naive = GaussianMixture(2, method="em", random_state=0).fit(means_only)
    assert model.score(X) > naive.score(X)


@pytest.mark.parametrize(("share", "means", "covariances"), [(0.1, 1.15, 1.2), (0.3, 1.25, 1.4)])
def test_parameters_are_recovered_as_from_fewer_whole_rows(share, means, covariances):
    """Beside whole rows of the same number of values; pairs of values are rarer than that."""
    truth = Mixture(
        [0.3, 0.3, 0.4],
        [[0, 0, 0, 0], [4, 0, 2, 0], [0, 4, 0, 3]],
        [np.eye(4), 0.5 * np.eye(4) + 0.5, np.diag([2, 1, 0.5, 1])],
    )

    def errors(X):
        model = GaussianMixture(3, means_init=truth.means, method="em").fit(X)
        return [
            ((model.means_ - truth.means) ** 2).mean(),
            ((model.covariances_ - truth.covariances) ** 2).mean(),
        ]

    gappy, whole = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = truth.sample(1500, rng)[0]
        whole.append(errors(X[: int(1500 * (1 - share))]))
        gappy.append(errors(np.where(rng.random(X.shape) < share, np.nan, X)))
    ratios = np.sqrt(np.mean(gappy, axis=0) / np.mean(whole, axis=0))
    assert (ratios < [means, covariances]).all()
