"""Conformance of the engines: every one gives the moments of the direct formulas.

A new engine joins with one line in ENGINES of conftest.py.
"""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from biglearn import GaussianMixture
from biglearn.engines import MemoryEngine
from biglearn.engines.rows.units import Units
from biglearn.model.blocks import in_blocks
from biglearn.model.mixture import Mixture
from biglearn.model.views import View
from biglearn.search.methods import Paper
from helpers import COVARIANCE_TYPES, blobs, direct_moments, random_mixture, scipy_log_density


def check(moments, mixture, X, weights=None, *, rtol=1e-9):
    """Compare moments with those of the direct formulas; only the weights' ratios matter."""
    ones = np.ones(len(X)) if weights is None else weights
    shares = mixture.responsibilities(X)
    counts, means, covariances = direct_moments(X, shares, ones)
    unit = moments.total / ones.sum()
    assert np.log2(unit) == pytest.approx(np.round(np.log2(unit)), abs=1e-9)
    np.testing.assert_allclose(moments.counts / unit, counts, rtol=rtol)
    np.testing.assert_allclose(moments.means, means, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(moments.covariances, covariances, rtol=rtol, atol=10 * rtol)
    total = ones @ scipy_log_density(mixture, X)
    assert moments.log_likelihood / unit == pytest.approx(total, rel=rtol)
    assert moments.rows == (ones > 0).sum()


@pytest.mark.parametrize("n_rows", [1, 256, 8193, 20_000])
def test_moments_are_the_direct_ones_over_any_number_of_blocks(rng, kind, n_rows):
    mixture = random_mixture(rng, 3, 2)
    X = mixture.sample(n_rows, rng)[0]
    engine = kind(X)
    assert (engine.n_rows, engine.n_features) == X.shape
    check(engine.expect(mixture), mixture, X, rtol=kind.rtol)


@pytest.mark.parametrize("n_features", [1, 5, 45])  # 45 is beyond the quadratic form
def test_moments_are_the_direct_ones_at_any_width(rng, kind, n_features):
    mixture = random_mixture(rng, 2, n_features)
    X = mixture.sample(400, rng)[0]
    check(kind(X).expect(mixture), mixture, X, rtol=10 * kind.rtol)


def test_weights_multiply_rows(rng, kind):
    mixture = random_mixture(rng, 3, 2)
    X, weights = mixture.sample(9000, rng)[0], rng.integers(0, 4, size=9000).astype(float)
    check(kind(X, weights=weights).expect(mixture), mixture, X, weights, rtol=kind.rtol)


def test_float32_is_close_and_sums_in_float64(rng, kind):
    mixture = random_mixture(rng, 3, 2)
    X = mixture.sample(9000, rng)[0].astype(np.float32)
    moments = kind(X).expect(mixture)
    assert moments.second.dtype == np.float64
    # 6e-8 for each term, amplified by the terms' size over their sum
    check(moments, mixture, X.astype(float), rtol=1e-4)


def test_views_see_projected_rows(rng, kind):
    mixture = random_mixture(rng, 3, 4)
    X = mixture.sample(600, rng)[0]
    view, inner = View.transformed([0, 2], 4, rng), View.marginal([1], 2)
    engine = kind(X).project(view)
    assert engine.n_features == 2
    seen = Mixture.of(mixture.project(view))
    check(engine.expect(seen), seen, X @ view.basis.T, rtol=kind.rtol)
    both = inner.basis @ view.basis
    nested, deeper = engine.project(inner), Mixture.of(seen.project(inner))
    check(nested.expect(deeper), deeper, X @ both.T, rtol=kind.rtol)
    assert kind(X).project(View.joint(4)).n_features == 4


def test_rows_are_seen_in_units(rng, kind):
    X = rng.normal(size=(300, 2)) * [1e6, 1e-6] + [1e9, 5.0]
    units = Units.of(X)
    mixture = random_mixture(rng, 2, 2, spread=1.0)
    rows = (X - units.centre) / units.scale
    check(kind(X, units=units).expect(mixture), mixture, rows, rtol=kind.rtol)


@pytest.mark.parametrize("scaling", ["standard", "minmax", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_units_are_those_of_an_array(rng, kind, scaling, weighted):
    X = rng.normal(size=(20_000, 2)) * [1e-3, 1e5] + [1e3, 1e9]
    weights = rng.integers(1, 4, size=len(X)).astype(float) if weighted else None
    ours = Units.measure(kind.open(X, weights=weights), scaling=scaling)
    theirs = Units.of(X, scaling=scaling, weights=weights)
    np.testing.assert_allclose(ours.centre, theirs.centre, rtol=1e-14)
    np.testing.assert_allclose(ours.scale, theirs.scale, rtol=1e-12)


def test_diagonal_covariances_need_the_squares_alone(rng, kind):
    mixture = random_mixture(rng, 2, 3)
    mixture = Mixture(mixture.weights, mixture.means, mixture.covariances * np.eye(3))
    X = mixture.sample(400, rng)[0]
    engine, diagonals = kind(X), mixture.in_blocks(1)
    full, diagonal = engine.expect(mixture), engine.expect(diagonals)
    assert diagonal.second.shape == diagonals.blocks.shape == (2, 3, 1, 1)
    np.testing.assert_allclose(diagonal.second, in_blocks(full.second, 1), rtol=1e-10)
    np.testing.assert_allclose(diagonal.log_likelihood, full.log_likelihood, rtol=1e-12)
    # the view of some features keeps the diagonals, that of a rotation cannot
    for view, shape in (
        (View.marginal([2, 0], 3), (2, 2, 1, 1)),
        (View.transformed([0, 1], 3, rng), (2, 2, 2)),
    ):
        seen = engine.project(view).expect(diagonals.project(view))
        assert seen.second.shape == shape
        wanted = engine.project(view).expect(mixture.project(view))
        second = in_blocks(wanted.second, shape[-1])
        np.testing.assert_allclose(seen.second, second, rtol=1e-9, atol=1e-9)


def test_moments_add(rng, kind):
    mixture = random_mixture(rng, 3, 2)
    X = mixture.sample(900, rng)[0]
    whole, parts = kind(X).expect(mixture), [kind(X[:200]), kind(X[200:])]
    total = parts[0].expect(mixture) + parts[1].expect(mixture)
    np.testing.assert_allclose(total.second, whole.second, rtol=1e-10, atol=1e-9)
    assert total.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
    assert total.rows == whole.rows


@pytest.mark.parametrize("weighted", [False, True])
def test_samples_are_those_of_the_memory_engine(rng, kind, weighted):
    X = np.arange(20_000.0).reshape(-1, 1)
    weights = 2.0 ** -rng.integers(0, 3, size=len(X)) if weighted else None  # 1 at most
    ours = kind(X, weights=weights).subsample(30, np.random.default_rng(3))
    theirs = MemoryEngine(X, weights=weights).subsample(30, np.random.default_rng(3))
    np.testing.assert_array_equal(ours.rows(), theirs.rows())
    if weighted:
        np.testing.assert_array_equal(ours.weights, theirs.weights)
    assert kind(X[:100]).subsample(100, rng).n_rows == 100


def test_samples_of_a_view_are_projected(rng, kind):
    X, view = rng.normal(size=(50, 3)), View.marginal([2, 0], 3)
    rows = kind(X).project(view).subsample(50, rng).rows()
    np.testing.assert_allclose(rows, X[:, [2, 0]], atol=1e-12)


def test_a_sharp_component_far_out_is_as_exact_as_any(rng, kind):
    # Here the quadratic form would cancel: λ_max(Σ⁻¹)·|μ|² = 1e12
    X = np.vstack([rng.normal(size=(200, 2)), 1e-4 * rng.normal(size=(200, 2)) + 100])
    means = [[0.0, 0.0], [100.0, 100.0]]
    mixture = Mixture([0.5, 0.5], means, [np.eye(2), 1e-8 * np.eye(2)])
    moments = kind(X).expect(mixture)
    assert moments.log_likelihood == pytest.approx(scipy_log_density(mixture, X).sum(), rel=1e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_change_no_bit(rng, kind, dtype):
    mixture = random_mixture(rng, 6, 3)
    X = mixture.sample(20_000, rng)[0].astype(dtype)
    seen = []
    for n_threads in (1, 2, 3):
        engine = kind(X, n_threads=n_threads)
        with engine.running():
            seen.append(engine.expect(mixture))
    rtol = kind.threads_rtol if dtype == np.float32 else 0.0
    for other in seen[1:]:
        np.testing.assert_allclose(other.second, seen[0].second, rtol=rtol)
        assert other.log_likelihood == pytest.approx(seen[0].log_likelihood, rel=rtol, abs=0)


def test_the_users_limit_on_blas_is_back_after_a_fit(rng, kind):
    with threadpool_limits(1, user_api="blas"):
        before = [pool["num_threads"] for pool in threadpool_info()]
        with kind(rng.normal(size=(10, 2)), n_threads=2).running():
            pass
        assert [pool["num_threads"] for pool in threadpool_info()] == before


METHODS = {"em": "em", "paper": Paper(steps=12), "search": "search"}


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("weighted", [False, True])
def test_every_method_gives_the_model_of_the_memory_engine(rng, kind, method, weighted):
    X = blobs(rng, 600, 3, spread=6.0)
    weights = rng.integers(0, 3, size=600) if weighted else None

    def fit(engine, rows):
        model = GaussianMixture(
            3, method=METHODS[method], random_state=0, max_iter=3000, tol=1e-8, engine=engine
        )
        return model.fit(rows, sample_weight=weights)

    ours, theirs = fit(kind.engine, kind.wrap(X)), fit("memory", X)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, abs=1e-7)
    # legs of a search that find the same optimum differ in the last digit, and in the order
    # of the components: which one is kept is a matter of rounding
    one, other = np.argsort(ours.means_[:, 0]), np.argsort(theirs.means_[:, 0])
    np.testing.assert_allclose(ours.means_[one], theirs.means_[other], atol=1e-3)
    labels = np.asarray(ours.predict(kind.wrap(X)))
    np.testing.assert_array_equal(np.argsort(one)[labels], np.argsort(other)[theirs.predict(X)])


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_every_structure_and_what_is_said_of_rows(rng, kind, covariance_type):
    X = blobs(rng, 500, 2, spread=6.0)
    parameters = {"covariance_type": covariance_type, "method": "em", "random_state": 0}
    ours = GaussianMixture(3, engine=kind.engine, **parameters).fit(kind.wrap(X))
    theirs = GaussianMixture(3, **parameters).fit(X)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-6)
    new = kind.wrap(X[:40])
    for use in ("score_samples", "predict_proba"):
        got = np.asarray(getattr(ours, use)(new))
        np.testing.assert_allclose(got, getattr(theirs, use)(X[:40]), rtol=1e-6, atol=1e-9)
    for use in ("score", "bic", "aic", "icl"):
        assert getattr(ours, use)(new) == pytest.approx(getattr(theirs, use)(X[:40]), rel=1e-6)


@pytest.mark.parametrize(
    "init", ["labels", "callable", "k-means++", "kmeans", "ward", "random", "normal"]
)
def test_every_start_is_that_of_the_memory_engine(rng, kind, init):
    X = blobs(rng, 400, 2, spread=6.0)
    labels = rng.integers(3, size=400)
    init_params = {
        "labels": labels,
        "callable": lambda rows, n_components, rng: rng.integers(n_components, size=len(rows)),
    }.get(init, init)
    weights = rng.integers(0, 3, size=400)

    def start(engine, rows):
        model = GaussianMixture(
            3, method="em", max_time=1e-9, init_params=init_params, engine=engine, random_state=0
        )
        return model.fit(rows, sample_weight=weights)

    ours, theirs = start(kind.engine, kind.wrap(X)), start("memory", X)
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-9)
