"""Displays are tested by the artists they are made of."""

import importlib

import numpy as np
import pytest
from scipy.stats import norm

pytest.importorskip("matplotlib")

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import biglearn.plots as plots
from biglearn import (
    BigLearnAnomalyDetector,
    BigLearnRegressor,
    GaussianMixture,
    Mixture,
    select_mixture,
)
from biglearn.model.profiles import distinctness, profiles
from biglearn.plots.base import COLOURS, colour_of, plain
from helpers import clusters


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def X(mixture, rng):
    return mixture.sample(400, rng)[0]


@pytest.fixture
def wide(rng):
    """Two components in 50 features, told apart by features 7 and 31."""
    means = np.zeros((2, 50))
    means[1, [7, 31]] = 6.0, 8.0
    return Mixture([0.5, 0.5], means, np.ones((2, 50, 1, 1)))


@pytest.fixture
def line():
    return Mixture([0.3, 0.7], [[0.0], [5.0]], [[[1.0]], [[4.0]]])


def with_rows(mixture, n=200):
    return mixture, mixture.sample(n, 0)[0]


# Pairs


def test_pairs_have_marginals_on_the_diagonal_and_ellipses_below(mixture, X):
    display = plots.PairsDisplay.from_estimator(mixture, X, features=["c", "a"], figure=Figure())
    (first, nothing), (pair, second) = display.axes_
    assert nothing is None
    assert [axes.get_xlabel() for axes in (pair, second)] == ["c", "a"]
    assert pair.get_ylabel() == "a"
    centres = [patch.get_center() for patch in pair.patches]
    np.testing.assert_allclose(centres, mixture.means[:, [2, 0]])
    assert [text.get_text() for text in pair.texts] == ["0", "1", "2"]
    np.testing.assert_allclose(pair.collections[0].get_offsets(), X[:, [2, 0]])
    found = {tuple(colour[:3]) for colour in pair.collections[0].get_facecolors()}
    assert found == {to_rgb(colour_of(k)) for k in range(3)}
    across, total = first.lines[-1].get_data()
    np.testing.assert_allclose(
        total, np.exp(mixture.marginal(["c"]).log_density(across[:, None])), rtol=1e-9
    )
    (legend,) = display.figure_.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "component 0 (50 %)", "component 2 (30 %)", "component 1 (20 %)",
    ]  # fmt: skip


def test_of_many_features_the_telling_ones_are_drawn(wide):
    assert {7, 31} <= set(np.argsort(-distinctness(wide))[:2])
    display = plots.PairsDisplay.from_estimator(*with_rows(wide), figure=Figure())
    assert display.axes_.shape == (4, 4)
    assert {7, 31} <= set(display.columns)
    assert plots.DensityDisplay.from_estimator(wide, ax=Figure().subplots()).columns == [7, 31]
    profile = plots.ProfilesDisplay.from_estimator(wide, ax=Figure().subplots())
    assert profile.image_.get_array().shape == (2, 12)


def test_every_picture_works_in_one_feature(line):
    X = line.sample(100, 0)[0]
    assert plots.PairsDisplay.from_estimator(line, X, figure=Figure()).axes_.shape == (1, 1)
    for name in ("Density", "Uncertainty", "Histogram", "Responsibilities", "Anomalies"):
        kind = getattr(plots, f"{name}Display")
        display = kind.from_estimator(line, X, ax=Figure().subplots())
        assert display.ax_.has_data(), name
    assert plots.ProfilesDisplay.from_estimator(line, ax=Figure().subplots()).ax_.has_data()


def test_noise_is_grey_and_named(littered):
    X, _ = littered
    model = GaussianMixture(3, noise=True, random_state=0).fit(X)
    display = plots.PairsDisplay.from_estimator(model, X, figure=Figure())
    assert display.figure_.legends[0].get_texts()[-1].get_text() == "noise"
    assert (display.labels == model.predict(X)).all()
    shares = plots.ResponsibilitiesDisplay.from_estimator(model, X, ax=Figure().subplots())
    assert shares.areas_[-1].get_label() == "noise"


# One and two features


def test_lines_over_a_histogram_are_the_weighted_components(line, ax):
    X = line.sample(300, 0)[0]
    display = plots.HistogramDisplay.from_estimator(line, X, ax=ax)
    assert (display.ax_, display.figure_) == (ax, ax.figure)
    across = ax.lines[0].get_xdata()
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 0.3 * norm.pdf(across), rtol=1e-9)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), 0.7 * norm.pdf(across, 5, 2), rtol=1e-9)
    area = sum(bar.get_width() * bar.get_height() for bar in ax.patches)
    assert area == pytest.approx(1.0)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["rows", "component 0", "component 1", "mixture"]


def test_contours_hold_the_shares_that_they_say(ax):
    mixture = Mixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    far = np.array([[-6.0, -6.0], [6.0, 6.0]] * 50)
    display = plots.DensityDisplay.from_estimator(mixture, far, ax=ax)
    peak = 1 / (2 * np.pi)
    # outside of radius r lies exp(-r²/2) of the mass, which is density over peak
    expected = peak * (1 - np.array([0.99, 0.9, 0.7, 0.5, 0.3, 0.1]))
    np.testing.assert_allclose(display.contours_.levels[:6], expected, rtol=0.05)


def test_doubt_is_a_half_between_two_equal_components(ax):
    mixture = Mixture([0.5, 0.5], [[-2.0, 0.0], [2.0, 0.0]], [np.eye(2), np.eye(2)])
    X = np.array([[-2.0, 0.0], [0.0, 1.0], [2.0, 0.0], [1.5, -1.0]])
    display = plots.UncertaintyDisplay.from_estimator(mixture, X, ax=ax)
    np.testing.assert_allclose(display.doubt, 1 - mixture.responsibilities(X).max(axis=1))
    sizes = display.points_.get_sizes()
    assert sizes.argmax() == 1
    ground = display.mesh_.get_array()
    across = display.mesh_.get_coordinates()[0, :, 0]
    peak = ground[len(ground) // 2].argmax()
    assert abs(across[peak]) < 0.1
    assert 0.45 < ground.max() <= 0.5


def test_a_picture_of_two_features_refuses_three(mixture, ax):
    with pytest.raises(ValueError, match=r"one or two features, got \[0, 1, 2\]"):
        plots.DensityDisplay.from_estimator(mixture, features=[0, 1, 2], ax=ax)


def test_gaps_are_left_out_of_pictures(mixture, X):
    X[::3, 1] = np.nan
    display = plots.PairsDisplay.from_estimator(mixture, X, figure=Figure())
    assert np.isfinite(display.axes_[1, 1].get_xlim()).all()
    plots.UncertaintyDisplay.from_estimator(mixture, X, ax=Figure().subplots())


# The way of a fit


def test_the_history_has_points_by_move_over_passes_and_seconds(X, ax):
    model = GaussianMixture(3, random_state=0).fit(X)
    known = [record for record in model.history_ if np.isfinite(record.best)]
    display = plots.HistoryDisplay.from_estimator(model, ax=ax)
    assert set(display.points_) == {record.move for record in known}
    for move, points in display.points_.items():
        expected = [(r.passes, r.best) for r in known if r.move == move]
        np.testing.assert_allclose(np.transpose(points.get_data()), expected)
    display.plot(over="seconds", ax=Figure().subplots())
    np.testing.assert_allclose(display.line_.get_xdata(), [record.seconds for record in known])
    assert display.ax_.get_xlabel() == "seconds"
    with pytest.raises(ValueError, match="over must be 'passes' or 'seconds', got 'steps'"):
        display.plot(over="steps")


def test_a_criterion_has_a_line_for_each_structure_and_a_star(rng, ax):
    X = clusters(rng, [[0, 0], [6, 6]])
    found = select_mixture(X, [1, 2, 3], covariance_type=["full", "diag"], random_state=0)
    display = plots.CriterionDisplay.from_estimator(found, ax=ax)
    full, diag, star = ax.lines
    assert (full.get_label(), diag.get_label()) == ("full", "diag")
    assert full.get_ydata().tolist() == [one.bic for one in found.candidates[:3]]
    assert star.get_xydata().tolist() == [[found.best.n_components, found.best.bic]]
    icl = plots.CriterionDisplay.from_estimator(found, name="icl", ax=Figure().subplots())
    assert icl.ax_.get_ylabel() == "icl"
    assert display.name == "bic"


# Components


def test_profiles_are_standardised_differences_from_the_rest(mixture, ax):
    display = plots.ProfilesDisplay.from_estimator(mixture, ax=ax)
    values = display.image_.get_array()
    rest = Mixture(mixture.weights[1:] / 0.5, mixture.means[1:], mixture.covariances[1:])
    spread = (np.diag(mixture.covariances[0]) + np.diag(rest.covariance)) / 2
    np.testing.assert_allclose(values[0], (mixture.means[0] - rest.mean) / np.sqrt(spread))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "c"]
    assert ax.get_yticklabels()[0].get_text() == "component 0"
    assert ax.texts[0].get_text() == f"{values[0, 0]:+.1f}"
    assert (profiles(Mixture([1.0], [[3.0]], [[[2.0]]])) == 0).all()


def test_profiles_do_not_depend_on_units_and_order(mixture, rng):
    turned = mixture.transform(np.diag([100.0, 0.01, 5.0]), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(profiles(turned), profiles(mixture), atol=1e-9)
    order = [2, 0, 1]
    moved = Mixture(mixture.weights[order], mixture.means[order], mixture.covariances[order])
    np.testing.assert_allclose(profiles(moved), profiles(mixture)[order], rtol=1e-9)


def test_components_in_alarm_are_filled_and_named(rng, ax):
    X = np.concatenate([rng.normal(size=(300, 2)), 9 + rng.normal(size=(40, 2)) * [1, 0]])
    model = GaussianMixture(2, random_state=0).fit(X)
    display = plots.AlarmsDisplay.from_estimator(model, ax=ax)
    spike = int(model.means_[:, 0].argmax())
    assert [p.get_fillstyle() for p in display.points_][spike] == "full"
    assert [p.get_fillstyle() for p in display.points_][1 - spike] == "none"
    assert display.points_[spike].get_xdata()[0] == pytest.approx(40, abs=1)
    assert ax.get_title() == "1 of 2 in alarm"
    (said,) = ax.get_legend().get_texts()
    assert said.get_text().startswith(f"component {spike}: on the floor")


def test_alarms_of_a_fit_that_nobody_judged_are_refused(line):
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    with pytest.raises(ValueError, match="not judged, so that its rows, gaps, alarms"):
        plots.AlarmsDisplay.from_estimator(model)


# Rows


def test_areas_are_stacked_responsibilities(mixture, X, ax):
    display = plots.ResponsibilitiesDisplay.from_estimator(mixture, X, ax=ax)
    heights = []
    for area in display.areas_:
        path = area.get_paths()[0].vertices
        steps = path[np.argsort(path[:, 0], kind="stable")]
        heights.append(np.ptp([y for x, y in steps if x == 0]))
    shares = mixture.responsibilities(X)
    first = shares[shares.argmax(axis=1) == 0]
    np.testing.assert_allclose(heights, first[first.max(axis=1).argmax()], atol=1e-12)
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2"]


def test_the_threshold_has_the_share_below_it_or_is_the_detectors_own(rng, ax):
    X = rng.normal(size=(500, 2))
    mixture = Mixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    display = plots.AnomaliesDisplay.from_estimator(mixture, X, share=0.1, ax=ax)
    assert (mixture.log_density(X) < display.line_.get_xdata()[0]).mean() == 0.1
    assert ax.get_title().startswith("50 of 500 rows")
    assert sum(bar.get_height() for bar in ax.patches) == 500
    detector = BigLearnAnomalyDetector(random_state=0).fit(X)
    own = plots.AnomaliesDisplay.from_estimator(detector, X, ax=Figure().subplots())
    assert own.threshold == detector.offset_


def test_a_regression_band_has_the_quantiles_of_a_gaussian(rng, ax):
    cov = np.array([[2.0, 1.0], [1.0, 3.0]])
    mixture = Mixture([1.0], [[1.0, -1.0]], [cov])
    X = mixture.sample(200, 0)[0]
    display = plots.RegressionDisplay.from_estimator(mixture, X, ax=ax)
    mean = -1 + 0.5 * (display.across - 1)
    for row, share in zip(display.quantiles, [0.05, 0.25, 0.5, 0.75, 0.95], strict=True):
        np.testing.assert_allclose(row, norm.ppf(share, mean, np.sqrt(2.5)), atol=0.05)
    np.testing.assert_allclose(display.line_.get_ydata(), mean, atol=0.05)
    back = plots.RegressionDisplay.from_estimator(
        mixture, X, feature=1, target=0, ax=Figure().subplots()
    )
    assert (back.ax_.get_xlabel(), back.ax_.get_ylabel()) == ("feature 1", "feature 0")


def test_the_band_of_a_regressor_names_its_target_and_holds_its_rows(rng, ax):
    X = rng.uniform(-3, 3, size=(500, 2))
    y = X[:, 1] ** 2 + 0.2 * rng.normal(size=500)
    model = BigLearnRegressor(4, random_state=0).fit(X, y)
    display = plots.RegressionDisplay.from_estimator(model, X, y, feature=1, ax=ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 1", "y")
    low, high = (np.interp(X[:, 1], display.across, display.quantiles[i]) for i in (0, 4))
    assert 0.86 < ((y > low) & (y < high)).mean() < 0.94


# What all share


def test_a_figure_is_made_where_no_axes_are_given(mixture, X):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    display = plots.DensityDisplay.from_estimator(mixture, X)
    assert display.ax_ in display.figure_.axes
    pairs = plots.PairsDisplay.from_estimator(mixture, X)
    assert pairs.ax_ is pairs.axes_[0, 0]
    importlib.import_module("matplotlib.pyplot").close("all")


def test_colours_stay_apart_for_every_vision():
    """After what a protanope and a deuteranope see (Viénot, Brettel and Mollon 1999)."""
    seen = np.array([to_rgb(colour) for colour in COLOURS])
    linear = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)
    protan = np.array([[0.1124, 0.8876, 0.0], [0.1124, 0.8876, 0.0], [0.004, -0.004, 1.0]])
    deutan = np.array([[0.2925, 0.7075, 0.0], [0.2925, 0.7075, 0.0], [-0.0223, 0.0223, 1.0]])
    for matrix in (np.eye(3), protan, deutan):
        colours = np.clip(linear @ matrix.T, 0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
        assert apart[~np.eye(len(colours), dtype=bool)].min() > 0.12


def test_a_frame_is_read_by_name(mixture, X):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X[:, [2, 0, 1]], columns=["c", "a", "b"])
    ours = plots.DensityDisplay.from_estimator(mixture, X, ax=Figure().subplots())
    theirs = plots.DensityDisplay.from_estimator(mixture, frame, ax=Figure().subplots())
    np.testing.assert_array_equal(ours.rows, theirs.rows)
    with pytest.raises(ValueError, match=r"lacks the columns \['b'\]"):
        plots.DensityDisplay.from_estimator(mixture, frame[["a", "c"]])


def test_what_is_no_fit_is_refused():
    with pytest.raises(TypeError, match="a fitted estimator or a Mixture, got GaussianMixture"):
        plots.ProfilesDisplay.from_estimator(GaussianMixture())


def test_names_with_dollars_are_no_formulas(X, ax):
    mixture = Mixture([1.0], [[0.0, 0.0]], [np.eye(2)], feature_names=["$price$", "x" * 99])
    plots.DensityDisplay.from_estimator(mixture, ax=ax)
    assert ax.get_xlabel() == r"\$price\$"
    assert len(ax.get_ylabel()) == 40
    ax.figure.canvas.draw()
    assert plain("a$b") == r"a\$b"
