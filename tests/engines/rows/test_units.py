"""Units: there and back, whatever the offset, the spread and the weights."""

import numpy as np
import pytest

from biglearn import DoubtfulFitWarning, GaussianMixture
from biglearn.engines.rows.summaries import Extent
from biglearn.engines.rows.units import Units, unresolved
from biglearn.model.mixture import Mixture
from helpers import random_mixture, with_gaps


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_standard_units_have_mean_zero_and_variance_one(rng, offset):
    X = rng.normal(size=(20_000, 2)) * [1e-3, 1e5] + offset  # more than one block
    units = Units.of(X)
    Y = (X - units.centre) / units.scale
    # the mean of the rows is itself rounded: eps · offset / spread
    noise = 1e-12 + 4e-16 * offset / 1e-3
    np.testing.assert_allclose(Y.mean(axis=0), 0, atol=noise)
    np.testing.assert_allclose(Y.var(axis=0), 1, rtol=1e-9 + noise)


def test_minmax_maps_the_range_to_one(rng):
    X = rng.normal(size=(50, 2)) * [1e-3, 1e5]
    units = Units.of(X, scaling="minmax")
    Y = (X - units.centre) / units.scale
    np.testing.assert_allclose([Y.min(axis=0), Y.max(axis=0)], [[0, 0], [1, 1]], atol=1e-14)


def test_no_scaling_only_centres(rng):
    X = rng.normal(size=(50, 2)) * [1e-3, 1e5] + 7
    units = Units.of(X, scaling="none")
    np.testing.assert_array_equal(units.scale, [1, 1])
    np.testing.assert_allclose(units.centre, X.mean(axis=0), rtol=1e-12)
    assert units.log_volume == 0


def test_weights_repeat_rows(rng):
    X, weights = rng.normal(size=(50, 2)), rng.integers(1, 4, size=50)
    ours, repeated = Units.of(X, weights=weights.astype(float)), Units.of(np.repeat(X, weights, 0))
    np.testing.assert_allclose(ours.centre, repeated.centre, atol=1e-14)
    np.testing.assert_allclose(ours.scale, repeated.scale, rtol=1e-13)


def test_mixtures_go_there_and_back(rng):
    mixture = random_mixture(rng, 3, 2)
    X = rng.normal(size=(20, 2))
    units = Units(np.array([1e3, -2.0]), np.array([1e-2, 1e4]))
    inward = units.inward(mixture)
    back = units.outward(inward)
    np.testing.assert_allclose(back.means, mixture.means, atol=1e-9)
    np.testing.assert_allclose(back.covariances, mixture.covariances, rtol=1e-12)
    np.testing.assert_array_equal(back.weights, mixture.weights)
    Y = (X - units.centre) / units.scale
    np.testing.assert_allclose(
        Mixture.of(inward).log_density(Y) - units.log_volume, mixture.log_density(X), rtol=1e-8
    )


@pytest.mark.parametrize("value", [0.0, -3.0, 1e300, 5e-324])
@pytest.mark.parametrize("scaling", ["standard", "minmax", "none"])
def test_a_constant_column_keeps_its_scale(value, scaling):
    units = Units.of(np.full((5, 1), value), scaling=scaling)
    assert units.scale[0] == 1
    assert units.centre[0] == value


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_of_rounding_errors_are_told_from_narrow_ones(dtype):
    step = np.finfo(dtype).eps
    ones = (1 + step * np.arange(9)).astype(dtype)  # half the range is four steps
    wide = (1 + step * np.arange(11)).astype(dtype)
    for column, expected in ((ones, True), (wide, False), (np.ones(3, dtype), False)):
        assert unresolved(Extent.of(column[:, None]), np.dtype(dtype)).tolist() == [expected]


@pytest.mark.parametrize("scaling", ["standard", "minmax"])
def test_rounding_errors_make_no_clusters_and_are_said(rng, scaling):
    clusters = np.append(rng.normal(0, 1, 100), rng.normal(9, 1, 100))
    steps = rng.integers(-2, 3, size=200) * 2.0**-54
    X = np.column_stack([clusters, 0.3 + steps])
    model = GaussianMixture(2, scaling=scaling, random_state=0)
    with pytest.warns(
        DoubtfulFitWarning, match=r"columns \[1\] can hardly be resolved: .* 5.55e-17"
    ):
        model.fit(X)
    np.testing.assert_allclose(np.sort(model.means_[:, 0]), [0, 9], atol=0.3)
    width = np.sqrt(model.covariances_[:, 1, 1])
    assert (width > 0.9 * steps.std()).all()
    assert (width < 2 * steps.std()).all()


@pytest.mark.parametrize("offset", [1e15, 1e16])
def test_a_model_has_the_size_of_the_spread_whatever_the_offset(rng, offset):
    X = rng.normal(0, 1.8, size=(300, 2)) + offset
    model = GaussianMixture(1).fit(X)
    width = np.sqrt(np.diagonal(model.covariances_[0]))
    np.testing.assert_allclose(width, X.std(axis=0), rtol=0.05)
    said = "columns [0, 1] can hardly be resolved: their numbers come in steps of 2,"
    assert [doubt.startswith(said) for doubt in model.doubts_] == [True] * (offset == 1e16)


def test_a_constant_column_is_no_doubt():
    X = np.column_stack([np.random.default_rng(0).normal(size=60), np.full(60, 1e17)])
    assert GaussianMixture(1).fit(X).doubts_ == []


def test_units_are_those_of_the_values_that_are_there(rng):
    X, w = with_gaps(rng, rng.normal(3, [1, 5], size=(300, 2))), rng.random(300)
    for weights in (None, w):
        units = Units.of(X, weights=weights)
        for j in range(2):
            there = ~np.isnan(X[:, j])
            each = None if weights is None else weights[there]
            mean = np.average(X[there, j], weights=each)
            spread = np.sqrt(np.average((X[there, j] - mean) ** 2, weights=each))
            assert units.centre[j] == pytest.approx(mean)
            assert units.scale[j] == pytest.approx(spread)


def test_a_narrow_column_on_a_huge_offset_is_seen(rng):
    times = np.append(rng.normal(1.7e18, 2e3, size=300), rng.normal(1.7e18 + 2e5, 2e3, size=300))
    units = Units.of(times[:, None])
    assert units.scale[0] == pytest.approx(1e5, rel=0.01)
    model = GaussianMixture(2, random_state=0).fit(times[:, None])
    np.testing.assert_allclose(np.sqrt(model.covariances_.ravel()), 2e3, rtol=0.1)
    far = GaussianMixture(1).fit(rng.normal(0, 3.24, size=(500, 1)) + 1e14)
    assert np.sqrt(far.covariances_[0, 0, 0]) == pytest.approx(3.24, rel=0.1)
