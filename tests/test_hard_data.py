"""Data that break naive mixtures: each is fitted by every method without a leaked warning."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from biglearn import GaussianMixture
from biglearn.engines.rows.units import Units
from biglearn.search.methods import Paper
from helpers import COVARIANCE_TYPES

ML = {"prior": None, "resolution": None}
METHODS = {"em": "em", "paper": Paper(steps=15), "search": "search"}


def outliers(rng):
    return np.vstack([rng.normal(size=(60, 2)), [[1e6, 0.0], [0.0, -1e6]]])


def flat(rng):
    X = rng.normal(size=(80, 3))
    X[:, 2] = X[:, 0] + X[:, 1]
    return X


def spikes(rng):
    return np.vstack([rng.normal(size=(60, 2)), np.repeat(rng.normal(size=(2, 2)), 15, axis=0)])


def counts(rng):
    return rng.poisson(0.5, size=(100, 3)).astype(float)


def one_hot(rng):
    return np.eye(4)[rng.integers(4, size=80)]


def heavy_tails(rng):
    return rng.standard_cauchy(size=(100, 2))


PROBLEMS = [outliers, flat, spikes, counts, one_hot, heavy_tails]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("regularised", [ML, {}], ids=["ml", "auto"])
def test_hard_data_are_fitted_under_the_floor(rng, problem, kind, method, regularised):
    X = problem(rng)
    model = GaussianMixture(
        3,
        covariance_type=kind,
        method=METHODS[method],
        reg_covar=1e-4,
        random_state=0,
        **regularised,
    )
    with warnings.catch_warnings():  # what the library says itself is allowed, all else fails
        warnings.filterwarnings("ignore", "components .* re-seeded", UserWarning)
        warnings.filterwarnings(
            "ignore", "Best performing initialization did not converge", ConvergenceWarning
        )
        model.fit(X)
    assert np.isfinite(model.lower_bound_)
    penalty = model.score(X) - model.lower_bound_  # c KL, of the prior
    assert penalty > -1e-6
    assert model.prior_rows_ or penalty == pytest.approx(0, abs=1e-6)
    spread = Units.of(X, one_scale=kind == "spherical").scale
    lowest = np.linalg.eigvalsh(model.mixture_.covariances / np.outer(spread, spread))
    assert lowest.min() >= 1e-4 * (1 - 1e-6)
    if method == "em" and model.n_reseeded_ == 0 and not model.prior_rows_:
        assert np.diff(model.lower_bounds_).min() > -1e-9
