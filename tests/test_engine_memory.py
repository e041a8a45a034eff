"""Conformance of the engines: every one gives the moments of the direct formulas.

A new engine joins with one line in ENGINES.
"""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from biglearn.engines import MemoryEngine
from biglearn.mixture import Mixture
from biglearn.units import Units
from biglearn.views import View
from helpers import direct_moments, random_mixture, scipy_log_density

ENGINES = {
    "memory": MemoryEngine,
    "memory, two threads": lambda X, **k: MemoryEngine(X, n_threads=2, **k),
}


@pytest.fixture(params=list(ENGINES))
def make(request):
    return ENGINES[request.param]


def check(moments, mixture, X, weights=None, *, rtol=1e-9):
    ones = np.ones(len(X)) if weights is None else weights
    shares = mixture.responsibilities(X)
    counts, means, covariances = direct_moments(X, shares, ones)
    np.testing.assert_allclose(moments.counts, counts, rtol=rtol)
    np.testing.assert_allclose(moments.means, means, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(moments.covariances, covariances, rtol=rtol, atol=10 * rtol)
    total = ones @ scipy_log_density(mixture, X)
    assert moments.log_likelihood == pytest.approx(total, rel=rtol)
    assert moments.total == pytest.approx(ones.sum(), rel=1e-12)
    assert moments.rows == (ones > 0).sum()


@pytest.mark.parametrize("n_rows", [1, 255, 256, 2049, 5000])
def test_moments_are_the_direct_ones_over_any_number_of_blocks(rng, make, n_rows):
    mixture = random_mixture(rng, 3, 2)
    X = mixture.sample(n_rows, rng)[0]
    check(make(X).expect(mixture), mixture, X)


@pytest.mark.parametrize("n_features", [1, 5, 45])  # 45 is beyond the quadratic form
def test_moments_are_the_direct_ones_at_any_width(rng, make, n_features):
    mixture = random_mixture(rng, 2, n_features)
    X = mixture.sample(400, rng)[0]
    check(make(X).expect(mixture), mixture, X, rtol=1e-8)


def test_weights_multiply_rows(rng, make):
    mixture = random_mixture(rng, 3, 2)
    X, weights = mixture.sample(500, rng)[0], rng.integers(0, 4, size=500).astype(float)
    check(make(X, weights=weights).expect(mixture), mixture, X, weights)
    present = np.repeat(X, weights.astype(int), axis=0)
    ours, repeated = make(X, weights=weights).expect(mixture), make(present).expect(mixture)
    np.testing.assert_allclose(ours.second, repeated.second, rtol=1e-10, atol=1e-9)


def test_float32_is_close_and_sums_in_float64(rng, make):
    mixture = random_mixture(rng, 3, 2)
    X = mixture.sample(3000, rng)[0].astype(np.float32)
    moments = make(X).expect(mixture)
    assert moments.second.dtype == np.float64
    # 6e-8 for each term, amplified by the terms' size over their sum
    check(moments, mixture, X.astype(float), rtol=1e-4)


def test_views_see_projected_rows(rng, make):
    mixture = random_mixture(rng, 3, 4)
    X = mixture.sample(600, rng)[0]
    view = View.transformed([0, 2], 4, rng)
    engine = make(X).project(view)
    assert engine.n_features == 2
    check(engine.expect(mixture.project(view)), mixture.project(view), X @ view.basis.T)
    inner = View.marginal([1], 2)
    nested = engine.project(inner)
    np.testing.assert_allclose(nested.rows(), X @ (inner.basis @ view.basis).T, atol=1e-12)


def test_rows_are_seen_in_units(rng, make):
    X = rng.normal(size=(300, 2)) * [1e6, 1e-6] + [1e9, 5.0]
    units = Units.of(X)
    rows = make(X, units=units).rows()
    np.testing.assert_allclose(rows, (X - units.centre) / units.scale, atol=1e-12)
    mixture = random_mixture(rng, 2, 2, spread=1.0)
    check(make(X, units=units).expect(mixture), mixture, rows)


def test_diagonal_moments_leave_the_rest_at_zero(rng, make):
    mixture = random_mixture(rng, 2, 3)
    mixture = Mixture(mixture.weights, mixture.means, mixture.covariances * np.eye(3))
    X = mixture.sample(400, rng)[0]
    full, diagonal = make(X).expect(mixture), make(X).expect(mixture, diagonal=True)
    np.testing.assert_allclose(diagonal.second, full.second * np.eye(3), rtol=1e-10)
    np.testing.assert_allclose(diagonal.log_likelihood, full.log_likelihood, rtol=1e-12)


def test_given_responsibilities(rng, make):
    X, shares = rng.normal(size=(700, 3)), rng.dirichlet(np.ones(2), size=700)
    moments = make(X).moments_of(shares)
    _, means, covariances = direct_moments(X, shares)
    np.testing.assert_allclose(moments.means, means, atol=1e-12)
    np.testing.assert_allclose(moments.covariances, covariances, atol=1e-12)


def test_samples_are_rows_with_their_weights(rng, make):
    X = np.arange(100.0).reshape(-1, 1)
    engine = make(X, weights=X[:, 0] + 1).subsample(30, rng)
    assert engine.n_rows == 30
    assert len(np.unique(engine.rows())) == 30
    np.testing.assert_allclose(engine.weights, engine.rows()[:, 0] + 1)
    assert make(X).subsample(100, rng).n_rows == 100


def test_a_sharp_component_far_out_is_as_exact_as_any(rng, make):
    # Here the quadratic form would cancel: λ_max(Σ⁻¹)·|μ|² = 1e12
    X = np.vstack([rng.normal(size=(200, 2)), 1e-4 * rng.normal(size=(200, 2)) + 100])
    means = [[0.0, 0.0], [100.0, 100.0]]
    mixture = Mixture([0.5, 0.5], means, [np.eye(2), 1e-8 * np.eye(2)])
    moments = make(X).expect(mixture)
    assert moments.log_likelihood == pytest.approx(scipy_log_density(mixture, X).sum(), rel=1e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_features", [3, 45])
def test_threads_change_no_bit(rng, dtype, n_features):
    mixture = random_mixture(rng, 6, n_features)
    X = mixture.sample(20_000 if n_features == 3 else 3000, rng)[0].astype(dtype)
    seen = []
    for n_threads in (1, 2, 3):
        engine = MemoryEngine(X, n_threads=n_threads)
        with engine.running():
            seen.append(engine.expect(mixture))
    for other in seen[1:]:
        np.testing.assert_array_equal(other.second, seen[0].second)
        np.testing.assert_array_equal(other.first, seen[0].first)
        assert other.log_likelihood == seen[0].log_likelihood


def test_the_users_limit_on_blas_is_back_after_a_fit(rng):
    with threadpool_limits(1, user_api="blas"):
        before = [pool["num_threads"] for pool in threadpool_info()]
        with MemoryEngine(rng.normal(size=(10, 2)), n_threads=2).running():
            pass
        assert [pool["num_threads"] for pool in threadpool_info()] == before
