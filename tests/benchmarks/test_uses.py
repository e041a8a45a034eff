"""The studies of uses: gaps, regression, the choice of K, many components, R as judge."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.metrics import adjusted_rand_score

from benchmarks.studies import (
    environments,
    many,
    mclust_sets,
    missing,
    realdata,
    regression,
    selection,
    tables,
)
from benchmarks.studies.simulated import Parameters, overlapping
from benchmarks.studies.store import Store, load
from benchmarks.studies.study import Options, run

needs_mclust = pytest.mark.skipif(
    bool(environments.gap("R")), reason="needs R with its package mclust"
)


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setenv(environments.ROOT_VARIABLE, str(tmp_path / "rivals"))
    monkeypatch.delenv(realdata.DATA_VARIABLE, raising=False)
    environments.gap.cache_clear()
    yield
    environments.gap.cache_clear()


def study(module, folder, **changes):
    """Run the tiny profile, and return its cells by problem and method, and the report."""
    store = Store(folder, module.NAME)
    run(module.tasks(Options(replace(module.PROFILES["tiny"], **changes))), store)
    cells = load(store.merged)
    assert all({"commit", "load_before", "threads", "versions"} <= set(c) for c in cells)
    return {(c["problem"], c["method"]): c for c in cells}, tables.report(store.merged)


def test_gaps_are_filled_better_than_by_means(tmp_path, nothing_installed):
    methods = ("em", "ridge", "iterative", "means")
    found, report = study(missing, tmp_path, methods=methods, problems=("wine", "vehicle"))
    ours, means = found["wine", "em"], found["wine", "means"]
    assert ours["rmse"] < means["rmse"]
    assert ours["log_score"] > means["log_score"]
    # of the best Gaussian for errors of one deviation
    assert means["log_score"] == pytest.approx(norm(scale=means["rmse"]).entropy() * -1)
    assert "BIGLEARN_DATA" in found["vehicle", "em"]["message"]
    assert "| biglearn `em` | IterativeImputer |" in report


def test_the_log_score_is_that_of_the_hidden_given_the_seen():
    rng = np.random.default_rng(0)
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    X = rng.multivariate_normal([0, 0], covariance, size=4000)
    hidden = np.zeros(X.shape, dtype=bool)
    hidden[::2, 1] = True
    cell = missing._by_mixture(np.where(hidden, np.nan, X), X, hidden, missing.OURS["one"])
    assert cell["log_score"] == pytest.approx(-norm(scale=0.6).entropy(), abs=0.05)
    np.testing.assert_allclose(cell["filled"][hidden], 0.8 * X[::2, 0], atol=0.1)


def test_every_row_shows_something():
    hidden = missing.hide(np.zeros((200, 2)), 0.9, np.random.default_rng(0))
    assert not hidden.all(axis=1).any()
    assert hidden.mean() > 0.4


def test_regression_scores_densities(tmp_path, nothing_installed):
    found, report = study(regression, tmp_path, methods=("em", "linear", "gmr"))
    ours, line = found["folded", "em"], found["folded", "linear"]
    assert ours["log_score"] > line["log_score"] + 0.5
    assert "not installed" in found["folded", "gmr"]["message"]
    assert "| folded |" in report
    values = np.array([0.5, -1.0])
    expected = norm(1.0, 2.0).logpdf(values).mean()
    assert regression.gaussian_score(values, 1.0, 2.0) == pytest.approx(expected)


def test_the_known_number_is_found(tmp_path):
    found, report = study(selection, tmp_path)
    assert [c["found"] for c in found.values()] == [4, 4]
    assert found["4 on a grid", "auto"]["ari"] > 0.9
    assert '| `n_components="auto"` | 1 of 1 | – |' in report


def test_many_components_are_judged_exactly(tmp_path, nothing_installed):
    found, report = study(many, tmp_path, methods=("em", "sklearn", "vamm"))
    for method in ("em", "sklearn"):
        cell = found["k5", method]
        assert cell["components"] == 5
        assert -6 < cell["held_out"] < cell["log_likelihood"] < -4
    assert "vamm is not installed" in report


@needs_mclust
def test_r_judges_as_scipy_does():
    rng = np.random.default_rng(0)
    truth: Parameters = overlapping(3, 2)(rng)
    X, y = truth.sample(50, rng)
    densities = [
        w * multivariate_normal(m, c).pdf(X)
        for w, m, c in zip(truth.weights, truth.means, truth.covariances, strict=True)
    ]
    said = mclust_sets.judged(X, truth, (y + 1).astype(np.int32))
    total = np.log(np.sum(densities, axis=0)).sum()
    assert said["log_likelihood"] == pytest.approx(total)
    assert said["bic"] == pytest.approx(2 * total - (1 + 2 * 9) * np.log(50))
    expected = adjusted_rand_score(y, np.argmax(densities, axis=0))
    assert said["ari"] == pytest.approx(expected)


@needs_mclust
def test_its_own_sets_are_read_from_mclust(tmp_path):
    found, report = study(mclust_sets, tmp_path, problems=("banknote", "acidity", "tclust"))
    assert (found["banknote", "em"]["N"], found["banknote", "em"]["D"]) == (200, 6)
    assert found["banknote", "em"]["ari"] > 0.9
    assert found["acidity", "mclust"]["ari"] is None
    assert "tclust: tclust is not among Debian's packages of R" in report
