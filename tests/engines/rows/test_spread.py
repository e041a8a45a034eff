"""The spread that a few far values cannot move, and units made of it."""

import numpy as np
import pytest

from biglearn import BigLearnAnomalyDetector, BigLearnRegressor, GaussianMixture
from biglearn.engines import Chunked, RowOptions, open_source
from biglearn.engines.rows.sampled import sample_rows
from biglearn.engines.rows.spread import measure_spread
from biglearn.engines.rows.summaries import ArrayRows
from biglearn.engines.rows.units import Units

SIZES = [1e2, 1e4, 1e6, 1e9, 1e12]


@pytest.fixture
def two(rng):
    return np.vstack([rng.normal(size=(150, 2)), rng.normal(6, 1, size=(150, 2))])


def test_the_median_and_the_upper_quartile_of_distances(rng):
    X = rng.normal(3.0, 2.0, size=(5000, 1))
    median, distance = measure_spread(ArrayRows(X))
    assert median[0] == pytest.approx(np.median(X), abs=1e-3)
    assert distance[0] == pytest.approx(np.quantile(np.abs(X - median), 0.75), rel=1e-3)


def test_a_column_that_is_mostly_one_value_is_judged_by_the_others(rng):
    X = np.where(rng.random((2000, 1)) < 0.8, 0.0, rng.normal(5, 1, size=(2000, 1)))
    median, distance = measure_spread(ArrayRows(X))
    assert median[0] == 0
    assert 5 < distance[0] < 6
    constant = measure_spread(ArrayRows(np.ones((9, 1))))
    assert (constant[0][0], constant[1][0]) == (1, 0)


def test_integer_weights_repeat_rows_and_gaps_are_left_out(rng):
    X, weights = rng.normal(size=(200, 2)), rng.integers(1, 4, size=200)
    X[::7, 1] = np.nan
    ours = measure_spread(ArrayRows(X, weights.astype(float)))
    repeated = measure_spread(ArrayRows(np.repeat(X, weights, axis=0)))
    np.testing.assert_array_equal(ours, repeated)


@pytest.mark.parametrize("engine", ["memory", Chunked(block_bytes=4000)])
def test_a_sample_has_the_rows_of_every_block(rng, engine):
    X = rng.normal(size=(900, 2))
    sample = sample_rows(open_source(X, RowOptions(engine=engine)), 1000)
    np.testing.assert_array_equal(sample.rows, X)
    thinned = sample_rows(open_source(X, RowOptions(engine=engine)), 100)
    assert 100 <= len(thinned.rows) <= 200
    assert sample.weights.tolist() == [1.0] * 900


@pytest.mark.parametrize("size", SIZES)
def test_units_stay_where_far_values_come(two, size):
    clean, far = Units.of(two), Units.of(np.vstack([two, [[size, -size]]]))
    assert (far.scale < 15 * clean.scale).all()
    assert (np.abs(far.centre - clean.centre) < 3).all()


@pytest.mark.parametrize("kind", ["normal", "uniform", "laplace", "two", "binary"])
def test_units_of_clean_columns_are_mean_and_deviation(rng, kind):
    X = {
        "normal": rng.normal(size=2000),
        "uniform": rng.random(2000),
        "laplace": rng.laplace(size=2000),
        "two": np.append(rng.normal(size=1900), rng.normal(40, 1, size=100)),
        "binary": (rng.random(2000) < 0.01).astype(float),
    }[kind][:, None]
    units = Units.of(X)
    assert units.centre[0] == pytest.approx(X.mean())
    assert units.scale[0] == pytest.approx(X.std())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("how", [{}, {"family": "student"}, {"noise": True}])
def test_a_far_row_merges_no_clusters(two, size, how):
    X = np.vstack([two, [[size, size]]])
    model = GaussianMixture(2 if how else 3, random_state=0, **how).fit(X)
    means = model.means_[np.argsort(model.means_[:, 0])][:2]
    np.testing.assert_allclose(means[0], two[:150].mean(axis=0), atol=0.2)
    np.testing.assert_allclose(means[1], two[150:].mean(axis=0), atol=0.2)
    labels = model.predict(two)
    assert len(set(labels[:150])) == len(set(labels[150:])) == 1
    assert labels[0] != labels[-1]
    assert -4.1 < model.score(X) < -3.4


@pytest.mark.parametrize("how", [{}, {"family": "student"}, {"noise": True}])
def test_a_far_value_merges_no_clusters_in_one_dimension(two, how):
    X = np.append(two[:, 0], 1e6)[:, None]
    model = GaussianMixture(2 if how else 3, random_state=0, **how).fit(X)
    means = np.sort(model.means_.ravel())[:2]
    np.testing.assert_allclose(means, [two[:150, 0].mean(), two[150:, 0].mean()], atol=0.3)


@pytest.mark.parametrize("column", [0, 1], ids=["x", "y"])
def test_a_far_value_leaves_a_regression_of_several_components_alone(rng, column):
    x = rng.uniform(-2, 2, size=500)
    rows = np.column_stack([x, np.abs(x) + rng.normal(0, 0.1, size=500)])
    spoilt = rows.copy()
    spoilt[7, column] = 1e6
    grid = np.linspace(-1.9, 1.9, 50)
    model = BigLearnRegressor(3, random_state=0).fit(spoilt[:, :1], spoilt[:, 1])
    gaps = np.abs(model.predict(grid[:, None]) - np.abs(grid))
    assert np.median(gaps) < 0.1


def test_far_rows_leave_the_detector_alone(two):
    X = np.vstack([two, np.full((3, 2), 1e4)])
    detector = BigLearnAnomalyDetector(3, alarm_rate=0.02, random_state=0).fit(X)
    between = detector.predict([[0.0, 0.0], [3.0, 3.0], [6.0, 6.0], [1e5, 1e5]])
    assert between.tolist() == [1, -1, 1, -1]


@pytest.mark.parametrize("code", [-999.0, 1e9])
def test_codes_for_missing_values_make_a_component_of_their_own(rng, two, code):
    X = two.copy()
    X[rng.choice(300, 15, replace=False), 0] = code
    means = GaussianMixture(3, random_state=0).fit(X).means_
    assert sorted(means[:, 0].round().astype(int).tolist())[0 if code < 0 else -1] == int(code)
    kept = means[np.abs(means[:, 0] - code) > 1]
    np.testing.assert_allclose(np.sort(kept[:, 0]), [0, 6], atol=0.3)
