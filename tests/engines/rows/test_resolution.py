"""The resolution of columns, and the floor that it sets."""

import numpy as np
import pytest

from biglearn import GaussianMixture
from biglearn.engines import Chunked, RowOptions, open_source
from biglearn.engines.rows.resolution import measure_resolution
from biglearn.engines.rows.summaries import ArrayRows


def test_the_unit_of_rounded_values_is_found(rng):
    X = rng.normal(size=(500, 4)) * [1.0, 10.0, 1000.0, 1.0]
    X[:, 0], X[:, 1], X[:, 2] = X[:, 0].round(1), X[:, 1].round(), (X[:, 2] / 50).round() * 50
    found = measure_resolution(ArrayRows(X))
    np.testing.assert_allclose(found.unit[:3], [0.1, 1.0, 50.0], rtol=1e-6)
    assert found.unit[3] < 1e-3
    assert found.is_grid.tolist() == [True, True, True, False]


def test_a_grid_is_found_where_few_rows_show_its_unit():
    values = 0.01 * np.array([3.0, 5.0, 8.0, 12.0, 15.0, 19.0])  # no two are one unit apart
    found = measure_resolution(ArrayRows(values[:, None]))
    assert found.unit[0] == pytest.approx(0.02)
    assert found.is_grid[0]


def test_a_far_value_hides_no_unit(rng):
    X = np.append(rng.normal(size=300).round(1), 1e12)[:, None]
    found = measure_resolution(ArrayRows(X))
    assert found.unit[0] == pytest.approx(0.1)


def test_rounding_errors_and_gaps_are_no_unit(rng):
    X = np.array([[0.1 + 0.2, np.nan], [0.3, 7.0], [0.4, np.nan], [0.5, 7.0]])
    np.testing.assert_allclose(measure_resolution(ArrayRows(X)).unit, [0.1, 0.0], rtol=1e-6)


@pytest.mark.parametrize("engine", ["memory", Chunked(block_bytes=4000)])
def test_every_engine_finds_the_same(rng, engine):
    X = rng.normal(size=(900, 2)).round(2)
    source = open_source(X, RowOptions(engine=engine))
    np.testing.assert_allclose(measure_resolution(source).unit, [0.01, 0.01], rtol=1e-6)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical", "factor"])
def test_no_component_is_narrower_than_a_cell(rng, kind):
    X = np.column_stack([rng.choice([0.0, 1.0, 2.0, 7.0], 300), rng.normal(size=300)])
    model = GaussianMixture(
        4, covariance_type=kind, resolution="auto", random_state=0, method="em"
    ).fit(X)
    cell = np.diag([1.0 / 12, 0.0])
    gaps = model.mixture_.covariances - cell
    assert np.linalg.eigvalsh(gaps).min() > -1e-9
    plain = GaussianMixture(4, covariance_type=kind, random_state=0, method="em").fit(X)
    assert model.score(X) <= plain.score(X) + 1e-6


def test_the_floor_in_every_direction_is_the_likeliest(rng):
    from biglearn.model.linalg import floor_covariances

    sample = np.array([[[1.0, 0.9], [0.9, 0.82]]])
    floor = np.array([0.05, 0.2])
    best, n_raised = floor_covariances(sample, floor)
    assert n_raised == 1
    assert np.linalg.eigvalsh(best[0] - np.diag(floor))[0] > -1e-12

    def value(covariance):
        return -np.linalg.slogdet(covariance)[1] - np.trace(np.linalg.solve(covariance, sample[0]))

    for _ in range(300):
        shaken = best[0] + 0.05 * rng.normal() * np.array([[1.0, 0.5], [0.5, 1.0]])
        shaken += 0.05 * np.diag(rng.normal(size=2))
        if np.linalg.eigvalsh(shaken - np.diag(floor))[0] >= 0:
            assert value(shaken) <= value(best[0]) + 1e-9


def test_given_units_are_taken_and_checked(rng):
    X = rng.normal(size=(200, 2))
    model = GaussianMixture(1, resolution=[0.0, 3.0], random_state=0).fit(X * [1, 0.01])
    assert model.covariances_[0, 1, 1] == pytest.approx(0.3 * np.var(X[:, 1] * 0.01), rel=10)
    with pytest.raises(ValueError, match="resolution must be 2 numbers at least 0"):
        GaussianMixture(1, resolution=[1.0]).fit(X)
    with pytest.raises(ValueError, match=r"resolution must be one of \['auto'\], got 'fine'"):
        GaussianMixture(1, resolution="fine").fit(X)


def test_clean_continuous_columns_are_not_changed(rng):
    X = rng.normal(size=(400, 3))
    one, other = (
        GaussianMixture(2, resolution=resolution, random_state=0).fit(X)
        for resolution in (None, "auto")
    )
    np.testing.assert_allclose(one.covariances_, other.covariances_, rtol=1e-12)
