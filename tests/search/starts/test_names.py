"""Every start is a valid mixture of the rows."""

import numpy as np
import pytest

from biglearn import GaussianMixture
from biglearn.model.fixed import Fixed
from biglearn.search.starts.names import STARTS
from helpers import COVARIANCE_TYPES, blobs, make_run


@pytest.mark.parametrize("name", list(STARTS))
@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_random_starts_are_valid_and_follow_the_seed(rng, name, kind, weighted):
    X = blobs(rng, 100, 3)
    weights = rng.uniform(0.1, 2, size=100) if weighted else None
    mixtures = [
        STARTS[name](make_run(X, 4, structure=kind, weights=weights, seed=seed, floor=1e-3))
        for seed in (0, 0, 1)
    ]
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


def test_the_papers_start_is_standard_normal(rng):
    X = rng.normal(size=(5, 20))
    mixture = STARTS["normal"](make_run(X, 200, floor=1e-3))
    np.testing.assert_array_equal(mixture.weights, 1 / 200)
    np.testing.assert_array_equal(mixture.covariances, np.tile(np.eye(20), (200, 1, 1)))
    assert abs(mixture.means.mean()) < 5 / np.sqrt(4000)
    assert abs(mixture.means.std() - 1) < 5 / np.sqrt(8000)


def test_the_papers_start_respects_what_is_given(rng):
    X = rng.normal(size=(100, 2))
    model = GaussianMixture(
        1, fixed={"means": [[5.0, 5.0]]}, init_params="normal", method="em", random_state=0
    ).fit(X)
    np.testing.assert_array_equal(model.means_, [[5.0, 5.0]])
    fixed = Fixed(np.full(1, np.nan), np.array([[5.0, 5.0]]), np.full((1, 2, 2), np.nan))
    first = STARTS["normal"](make_run(X, 1, fixed=fixed))
    np.testing.assert_array_equal(first.means, [[5.0, 5.0]])


def test_the_papers_start_respects_the_floor(rng):
    X = rng.normal(size=(50, 2))
    run = make_run(X, 3, floor=3.0)
    first = STARTS["normal"](run)
    assert np.linalg.eigvalsh(first.covariances).min() >= 3.0
    assert run.counters.repairs.raised == 6
    model = GaussianMixture(3, reg_covar=3.0, init_params="normal", random_state=0).fit(X)
    inside = model.covariances_ / X.std(axis=0)[:, None] / X.std(axis=0)
    assert np.linalg.eigvalsh(inside).min() >= 3.0 * (1 - 1e-9)
