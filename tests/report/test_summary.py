"""Summaries: their numbers against those that the estimator computes anew, and their faces."""

import json

import numpy as np
import pytest
from sklearn import config_context

from biglearn import DoubtfulFitWarning, GaussianMixture, Mixture, select_mixture
from biglearn.display import Grid, shown
from biglearn.report.summary import Summary
from helpers import blobs, clusters, with_gaps


@pytest.fixture
def X(rng):
    return clusters(rng, [[0, 0, 5], [6, 1, 0], [0, 7, 1]])


def fitted(X, K=3, **more):
    return GaussianMixture(K, random_state=0, **more).fit(X)


KINDS = {
    "full": {},
    "diag": {"covariance_type": "diag", "prior": None},
    "student": {"family": "student"},
    "noise": {"noise": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_those_that_another_pass_over_the_rows_gives(X, rng, kind):
    model = fitted(X, **KINDS[kind])
    info = model.summary().info
    told = {name: info[name] for name in ("log_likelihood", "loo", "bic", "icl", "aic")}
    again = {
        "log_likelihood": model.score(X),
        "loo": model.loo_score(X),
        "bic": model.bic(X),
        "icl": model.icl(X),
        "aic": model.aic(X),
    }
    assert told == pytest.approx(again, rel=1e-12)
    np.testing.assert_allclose(info["rows"], len(X) * model.weights_)


def test_gaps_and_weights_are_counted_as_the_criteria_count_them(X, rng):
    rows, weights = with_gaps(rng, X, 0.2), rng.integers(1, 4, size=len(X)).astype(float)
    model = GaussianMixture(3, random_state=0).fit(rows, sample_weight=weights)
    info = model.summary().info
    assert info["bic"] == pytest.approx(model.bic(rows, weights), rel=1e-12)
    assert info["icl"] == pytest.approx(model.icl(rows, weights), rel=1e-12)
    assert sum(info["rows"]) == pytest.approx(weights.sum())
    small = GaussianMixture(3, random_state=0).fit(rows, sample_weight=weights / 100)
    assert small.summary().info["bic"] == pytest.approx(small.bic(rows, weights / 100), rel=1e-12)


def test_text_names_every_part(X):
    text = str(fitted(X).summary())
    assert text.startswith("Gaussian mixture of 3 full components over 3 features\nrows")
    for part in ("BIC", "leave-one-out", "pseudo-rows of the prior", "Components, heaviest first",
                 "conditioning", "Means ± standard deviations", "Steps of the fit",
                 "Legs of the search", "Settings: covariance type full"):  # fmt: skip
        assert part in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_alarms_stand_at_their_components_and_in_words(rng):
    X = np.concatenate([rng.normal(size=(300, 2)), np.full((40, 2), 9.0) + [[0, 1]] * 40])
    X[300:, 0] += rng.normal(size=40)
    with pytest.warns(DoubtfulFitWarning, match="stand on the floor"):
        model = fitted(X, 2)
    summary = model.summary()
    spike = int(model.means_[:, 0].argmax())
    columns = summary.components.columns
    place = list(columns["k"]).index(spike)
    assert (columns["floor"][place], columns["floor"][1 - place]) == ("on it", "–")
    assert summary.warnings == model.doubts_
    assert columns["conditioning"][place] > 1e3 > columns["conditioning"][1 - place]


def test_conditioning_and_the_choice_of_features_do_not_depend_on_units(X):
    units = np.array([1e6, 1e-3, 1.0])
    ours = fitted(X).mixture_
    theirs = ours.transform(np.diag(units))
    first, second = (Summary(one).components.columns["conditioning"] for one in (ours, theirs))
    assert first == pytest.approx(second, rel=1e-2)  # three digits are shown


def test_of_many_features_the_telling_ones_are_shown(rng):
    X = rng.normal(size=(300, 50))
    X[:150, [7, 31]] += 8
    summary = fitted(X, 2, covariance_type="diag").summary()
    assert {"x7", "x31"} <= set(summary.means(6).columns)
    assert next(iter(summary.means(6).columns)) == "k"
    assert "and 44 more features" in str(summary)


def test_one_component_in_one_feature(rng):
    model = fitted(rng.normal(3, 2, size=(100, 1)), 1)
    summary = model.summary()
    assert summary.title == "Gaussian mixture of 1 full component over 1 feature"
    mean, deviation = model.means_[0, 0], np.sqrt(model.covariances_[0, 0, 0])
    assert summary.means().columns["x0"] == [f"{mean:.4g} ± {deviation:.2g}"]


def test_a_model_from_parameters_and_one_of_a_stream_tell_what_they_know(X):
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    assert "log_likelihood" not in model.summary().info
    assert "Components" in str(model.summary())
    stream = GaussianMixture(3, random_state=0)
    stream.partial_fit(X).partial_fit(X)
    assert not {"bic", "alarms", "doubts"} & set(stream.summary().info)  # the rows are gone


def test_a_notebook_shows_the_diagram_and_the_summary_below_once_there_is_a_fit(X):
    model = GaussianMixture(3, random_state=0)
    bare = model._repr_mimebundle_()["text/html"]
    assert "sk-" in bare
    assert "heaviest first" not in bare
    for face in (model.fit(X)._repr_html_(), model._repr_mimebundle_()["text/html"]):
        assert face.index("sk-") < face.index("heaviest first")
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert set(model._repr_mimebundle_()) == {"text/plain"}


def test_names_from_the_data_are_escaped_in_html_and_folded_in_text(X):
    names = ["<script>alert(1)</script>", 'a"b&c', "line\nbreak\x1b[31m"]
    mixture = Mixture([1.0], [[0, 0, 0]], np.eye(3)[None], feature_names=names)
    summary = Summary(mixture, {"data": "<img src=x>", "doubts": ["<b>"], "rows": ["<i>"]})
    for face in (summary._repr_html_(), mixture._repr_html_()):
        assert "<script" not in face
        assert "&lt;script&gt;" in face
        assert "a&quot;b&amp;c" in face
        assert "\x1b" not in face
    assert "<img" not in summary._repr_html_()
    assert "<b>" not in summary._repr_html_().replace("<b>Warnings</b>", "")
    assert "\x1b" not in str(summary)


@pytest.mark.parametrize(
    "info",
    [
        {"rows": "many", "alarms": 3, "history": 5, "legs": [1, {}], "doubts": {}},
        {"rows": [None] * 3, "alarms": [1, "x", None], "curve": [], "outlook": {"a": 1}},
        {"rows": [1.0], "alarms": [[]], "covariance_type": ["full"], "seconds": "slow"},
    ],
)
def test_whatever_a_file_says_it_can_be_shown(mixture, info):
    summary = Summary(mixture, info)
    assert "Components, heaviest first" in str(summary)
    assert "<table" in summary._repr_html_()


def test_all_of_it_can_be_kept_as_json(X):
    json.dumps(dict(fitted(X).summary().info), allow_nan=False)


def test_settings_that_are_objects_are_told_in_words(X):
    labels = (X[:, 0] > 3).astype(int)
    info = GaussianMixture(2, init_params=labels, random_state=0).fit(X).summary().info
    assert info["init_params"] == f"array of shape ({len(X)},)"


def test_the_history_shows_itself_by_move_and_is_a_list_still(X):
    history = fitted(X).history_
    assert isinstance(history, list)
    assert repr(history).startswith("Steps of the fit\nmove")
    assert "<caption>Steps of the fit</caption>" in history._repr_html_()


def test_a_selection_marks_its_choice(rng):
    found = select_mixture(blobs(rng), [1, 2, 3, 4], random_state=0)
    (chosen,) = [line for line in str(found).splitlines() if line.startswith("*")]
    assert chosen.split()[1:3] == ["full", str(found.best.n_components)]
    assert found._repr_html_().count("<tr>") == 5


def test_a_table_aligns_numbers_right_and_shows_what_is_missing():
    grid = Grid({"a": ["x", "long"], "n": [1.5, None], "m": [float("nan"), 22]}, "T", "note")
    assert grid.text == "T\na       n   m\nx     1.5   –\nlong    –  22\nnote"
    assert 'data-value="1.5"' in grid.html()
    assert grid.html().count("data-value") == 2
    assert shown({"a": True, "b": [1, 2.5]}) == "a yes, b 1, 2.5"
