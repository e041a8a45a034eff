"""The same seed gives the same bits, whatever the number of threads."""

import numpy as np
import pytest

from biglearn import GaussianMixture
from biglearn.search.methods import Paper
from helpers import blobs

METHODS = {"em": "em", "paper": Paper(steps=8), "search": "search"}
STARTS = ["k-means++", "kmeans", "ward", "random", "random_from_data", "normal"]


def fit(X, method="em", **parameters):
    parameters = {"random_state": 3, "max_iter": 2000, **parameters}
    return GaussianMixture(3, method=METHODS[method], **parameters).fit(X)


def assert_same(one, other):
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.lower_bound_ == other.lower_bound_


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_and_repetition_change_no_bit(rng, method, dtype):
    X = blobs(rng, 12_000 if method == "em" else 1500, 3).astype(dtype)
    one = fit(X, method, n_threads=1)
    assert_same(one, fit(X, method, n_threads=2))
    assert_same(one, fit(X, method, n_threads=1))


@pytest.mark.parametrize("start", STARTS)
def test_every_start_follows_the_seed(rng, start):
    X = blobs(rng, 300, 2)
    assert_same(fit(X, init_params=start, n_threads=1), fit(X, init_params=start, n_threads=2))


def test_another_seed_is_another_start(rng):
    X = blobs(rng, 300, 2)
    first = [
        fit(X, init_params="k-means++", random_state=seed).lower_bounds_[0] for seed in range(3)
    ]
    assert len(set(first)) == 3


def test_numpys_global_state_is_left_alone(rng):
    X = blobs(rng, 200, 2)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    fit(X)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
