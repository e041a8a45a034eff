"""Every start is a valid mixture of the rows."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering

from biglearn.engines import MemoryEngine, RowOptions, open_source
from biglearn.engines.rows.units import Units
from biglearn.model.structures import structure_of
from biglearn.search.run import Run, Settings
from biglearn.search.starts.names import STARTS, GivenResponsibilities, from_user, one_hot
from helpers import COVARIANCE_TYPES, blobs, direct_moments


def users_start(form, X, K):
    return from_user(form, open_source(X, RowOptions()), Units.identity(X.shape[1]), K)


def run_on(X, K=4, kind="full", weights=None, seed=0):
    engine = MemoryEngine(X, weights=weights)
    settings = Settings(K, structure_of(kind), floor=1e-3)
    return Run(engine, settings, STARTS["normal"], np.random.default_rng(seed))


@pytest.mark.parametrize("name", list(STARTS))
@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_random_starts_are_valid_and_follow_the_seed(rng, name, kind, weighted):
    X = blobs(rng, 100, 3)
    weights = rng.uniform(0.1, 2, size=100) if weighted else None
    mixtures = [STARTS[name](run_on(X, 4, kind, weights, seed)) for seed in (0, 0, 1)]
    for m in mixtures:
        assert m.weights.min() > 0
        assert m.weights.sum() == pytest.approx(1, abs=1e-12)
        assert np.isfinite(m.means).all()
        assert np.linalg.eigvalsh(m.covariances).min() >= 1e-3 * (1 - 1e-9)
        np.testing.assert_allclose(m.covariances, np.swapaxes(m.covariances, 1, 2), atol=1e-14)
        if kind in ("diag", "spherical"):
            np.testing.assert_array_equal(m.covariances, m.covariances * np.eye(3))
        if kind == "tied":
            np.testing.assert_array_equal(m.covariances, m.covariances[:1].repeat(4, axis=0))
    np.testing.assert_array_equal(mixtures[0].means, mixtures[1].means)
    # Ward's method sees all of few rows, and draws nothing
    assert np.array_equal(mixtures[0].means, mixtures[2].means) == (name == "ward")


def test_ward_starts_from_the_clusters_of_scikit_learn(rng):
    X = blobs(rng, 120, 2, spread=8.0)
    labels = AgglomerativeClustering(3).fit_predict(X)
    centres = [X[labels == k].mean(axis=0) for k in range(3)]
    mixture = STARTS["ward"](run_on(X, 3))
    np.testing.assert_allclose(mixture.means, centres, atol=0.5)


def test_the_papers_start_is_standard_normal(rng):
    X = rng.normal(size=(5, 20))
    mixture = STARTS["normal"](run_on(X, 200))
    np.testing.assert_array_equal(mixture.weights, 1 / 200)
    np.testing.assert_array_equal(mixture.covariances, np.tile(np.eye(20), (200, 1, 1)))
    assert abs(mixture.means.mean()) < 5 / np.sqrt(4000)
    assert abs(mixture.means.std() - 1) < 5 / np.sqrt(8000)


def test_given_responsibilities_are_one_m_step(rng):
    X, shares = rng.normal(size=(60, 2)), rng.dirichlet(np.ones(3), size=60)
    mixture = GivenResponsibilities(shares)(run_on(X, 3))
    counts, means, covariances = direct_moments(X, shares)
    np.testing.assert_allclose(mixture.weights, counts / 60, rtol=1e-12)
    np.testing.assert_allclose(mixture.means, means, atol=1e-12)
    np.testing.assert_allclose(mixture.covariances, covariances, atol=1e-12)


def test_labels_responsibilities_and_callables_agree(rng):
    X = rng.normal(size=(40, 2))
    labels = np.arange(40) % 3
    forms = [labels, labels.tolist(), one_hot(labels, 3), lambda rows, K, rng: labels]
    made = [users_start(form, X, 3)(run_on(X, 3)) for form in forms]
    for other in made[1:]:
        np.testing.assert_array_equal(other.means, made[0].means)


def test_a_callable_is_given_rows_components_and_randomness(rng):
    X = rng.normal(size=(40, 2))

    def start(rows, n_components, rng):
        np.testing.assert_array_equal(rows, X)
        assert n_components == 3
        return rng.integers(n_components, size=len(rows))

    assert users_start(start, X, 3)(run_on(X, 3)).n_components == 3


def test_random_rows_are_drawn_even_where_weights_vanish(rng):
    X = rng.normal(size=(10, 2))
    weights = np.r_[1.0, np.full(9, 1e-300)]
    assert STARTS["random_from_data"](run_on(X, 4, weights=weights)).n_components == 4
