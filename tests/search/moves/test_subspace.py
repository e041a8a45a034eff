"""Starts from the view in which the rows look least Gaussian."""

from itertools import islice

import numpy as np
import pytest
from scipy.stats import kurtosis

from biglearn.model.linalg import random_rotation
from biglearn.model.mixture import Mixture
from biglearn.search.climbing.ascent import climb
from biglearn.search.moves import Ascent, SubspaceStart
from biglearn.search.moves.subspace import flatness, humped_directions
from helpers import make_run


def test_flatness_is_minus_the_excess_kurtosis(rng):
    rows = np.column_stack([
        rng.normal(size=500), rng.uniform(size=500), rng.standard_t(5, size=500),
        np.repeat([-1.0, 1.0], 250),
    ])  # fmt: skip
    np.testing.assert_allclose(flatness(rows), -kurtosis(rows), rtol=1e-10)
    assert flatness(rows)[3] == pytest.approx(2)  # two points are as flat as it gets


def test_the_flatness_of_weighted_rows_is_that_of_repeated_ones(rng):
    rows, weights = rng.normal(size=(50, 3)), rng.integers(0, 4, size=50)
    repeated = flatness(np.repeat(rows, weights, axis=0))
    np.testing.assert_allclose(flatness(rows, weights.astype(float)), repeated, rtol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_directions_are_orthonormal(rng, size):
    directions = humped_directions(rng.normal(size=(200, size)), None, rng)
    np.testing.assert_allclose(directions @ directions.T, np.eye(size), atol=1e-10)


def test_the_directions_of_rows_that_are_flat_in_one_stay_orthonormal(rng):
    rows = rng.normal(size=(200, 4))
    rows[:, 3] = rows[:, 0]
    directions = humped_directions(rows, None, rng)
    np.testing.assert_allclose(directions @ directions.T, np.eye(4), atol=1e-10)


@pytest.mark.parametrize("turned", [False, True])
def test_the_planted_direction_comes_first(rng, turned):
    rows = rng.normal(size=(1500, 6))
    rows[:, 2] += 5 * rng.choice([-1, 1], size=1500)
    wanted = np.eye(6)[2]
    if turned:
        rotation = random_rotation(6, rng)
        rows, wanted = rows @ rotation.T, rotation @ wanted
    first = humped_directions(rows, None, rng)[0]
    assert abs(first @ wanted) > 0.9
    assert flatness(rows @ first[:, None])[0] > 1.5  # 2 for two points, 0 for a Gaussian


def nine_in_two_of_ten(rng):
    """Nine clusters on a grid of two features; the other eight are noise of the same size."""
    centres = np.zeros((9, 10))
    centres[:, :2] = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    covariance = np.diag([0.15**2] * 2 + [0.8**2] * 8)
    return Mixture(np.full(9, 1 / 9), centres, np.tile(covariance, (9, 1, 1)))


def test_nine_clusters_in_two_of_ten_features_are_found(rng):
    truth = nine_in_two_of_ten(rng)
    X = truth.sample(1800, rng)[0]
    run = make_run(X, 9, seed=1)
    *_, best = islice(climb(run, truth), 30)
    reached = []
    for seed in range(3):
        run = make_run(X, 9, seed=seed)
        (record,) = SubspaceStart(2)(run)
        assert np.isnan(record.log_likelihood)
        list(Ascent()(run))
        reached.append(run.objective)
    assert max(reached) > best.objective - 1e-3
    centres = run.components.means[:, :2]
    assert np.ptp(centres, axis=0).min() > 1.5  # every one of them spans the grid


@pytest.mark.parametrize("shape", [(200, 5), (30, 50)])
def test_a_few_directions_are_the_first_of_all(rng, shape):
    rows = rng.normal(size=shape)
    rows[: shape[0] // 2, 3] += 8  # the one with humps, whether or not rows span all features
    seeds = (np.random.default_rng(0) for _ in range(2))
    few, everything = (
        humped_directions(rows, None, seed, n) for seed, n in zip(seeds, (2, None), strict=True)
    )
    np.testing.assert_array_equal(few, everything[:2])
    assert flatness(rows @ few[0]) > 1
    np.testing.assert_allclose(few @ few.T, np.eye(2), atol=1e-10)
