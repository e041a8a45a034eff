"""What the memory engine does beyond the protocol; tests/engines has the conformance suite."""

import numpy as np
import pytest

from biglearn.engines import MemoryEngine, engine_over
from biglearn.engines.memory.threads import Threads
from biglearn.engines.rows.units import Units
from biglearn.model.views import View
from helpers import direct_moments, random_mixture


def test_rows_come_in_units_and_view(rng):
    X = rng.normal(size=(300, 2)) * [1e6, 1e-6] + [1e9, 5.0]
    units, view = Units.of(X), View.marginal([1], 2)
    engine = MemoryEngine(X, units=units)
    rows = (X - units.centre) / units.scale
    np.testing.assert_allclose(engine.rows(), rows, atol=1e-12)
    np.testing.assert_allclose(engine.project(view).rows(), rows[:, [1]], atol=1e-12)


@pytest.mark.parametrize("n_features", [3, 45])
def test_given_responsibilities(rng, n_features):
    X, shares = rng.normal(size=(700, n_features)), rng.dirichlet(np.ones(2), size=700)
    moments = MemoryEngine(X).moments_of(shares)
    _, means, covariances = direct_moments(X, shares)
    np.testing.assert_allclose(moments.means, means, atol=1e-12)
    np.testing.assert_allclose(moments.covariances, covariances, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_change_no_bit_in_the_whitened_form(rng, dtype):
    mixture = random_mixture(rng, 6, 45)
    X = mixture.sample(3000, rng)[0].astype(dtype)
    seen = []
    for n_threads in (1, 2, 3):
        engine = MemoryEngine(X, n_threads=n_threads)
        with engine.running():
            seen.append(engine.expect(mixture))
    for other in seen[1:]:
        np.testing.assert_array_equal(other.second, seen[0].second)
        assert other.log_likelihood == seen[0].log_likelihood


def test_engines_over_the_same_rows_share_threads(rng, monkeypatch):
    mixture = random_mixture(rng, 6, 12)
    X, threads, used = mixture.sample(9000, rng)[0], Threads(2), []
    fold = threads.fold
    monkeypatch.setattr(threads, "fold", lambda *arguments: used.append(1) or fold(*arguments))
    view = View.marginal(range(11), 12)
    engines = [engine_over(X, n_threads=threads), engine_over(X, n_threads=threads).project(view)]
    with threads.running():
        engines[0].expect(mixture)
        engines[1].expect(mixture.project(view))
        engines[0].subsample(8000, rng).expect(mixture)
    assert len(used) == 3
