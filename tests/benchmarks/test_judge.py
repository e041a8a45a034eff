"""The judge on cases whose answers are known."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from benchmarks.studies import problems
from benchmarks.studies.densities import clip, log_joint, log_likelihood
from benchmarks.studies.judge import accuracy, judge
from benchmarks.studies.polish import polish
from benchmarks.studies.simulated import Parameters


@pytest.fixture(scope="module")
def problem():
    return problems.make("elongated", 1, rows=400)


def test_densities_agree_with_scipy(problem):
    truth = problem.truth
    expected = np.log(
        sum(
            w * multivariate_normal(m, c).pdf(problem.X)
            for w, m, c in zip(truth.weights, truth.means, truth.covariances, strict=True)
        )
    ).mean()
    assert log_likelihood(problem.X, truth) == pytest.approx(expected, abs=1e-10)


def test_a_single_component_has_the_closed_form(problem):
    X = problem.X
    start = Parameters(np.ones(1), np.full((1, 2), 0.3), 2 * np.eye(2)[None])
    result = polish(X, start, floor=1e-6)
    np.testing.assert_allclose(result.parameters.means[0], X.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(result.parameters.covariances[0], np.cov(X.T, bias=True), atol=1e-12)


def test_polish_never_falls_and_respects_a_binding_floor(problem):
    floor = 0.05
    result = polish(problem.X, problem.truth, floor=floor)
    assert np.diff(result.log_likelihoods).min() > -1e-12
    values = np.linalg.eigvalsh(result.parameters.covariances)
    assert values.min() == pytest.approx(floor)
    assert result.converged


def test_clipping_is_the_best_covariance_above_the_floor():
    rng = np.random.default_rng(0)
    sample, floor = np.diag([2.0, 0.01]), 0.1

    def objective(covariance):
        return -np.linalg.slogdet(covariance)[1] - np.trace(np.linalg.solve(covariance, sample))

    best = clip(sample[None], floor)[0]
    for _ in range(200):
        change = rng.normal(size=(2, 2)) * 0.1
        other = clip((best + change @ change.T - 0.01 * np.eye(2))[None], floor)[0]
        assert objective(other) <= objective(best) + 1e-12


def test_separated_clusters_are_judged_perfect():
    problem = problems.make("hidden", 0, rows=900)
    verdict = judge(problem, problem.truth)
    assert verdict.ari == verdict.accuracy == 1.0
    assert verdict.n_alive == 9
    counts = np.bincount(problem.y)
    assert verdict.smallest == pytest.approx(counts.min(), abs=1e-3)


def test_the_order_of_components_does_not_matter(problem):
    order = np.random.default_rng(0).permutation(8)
    t = problem.truth
    other = Parameters(t.weights[order], t.means[order], t.covariances[order])
    a, b = judge(problem, t).as_dict(), judge(problem, other).as_dict()
    assert {k: pytest.approx(v, abs=1e-9) for k, v in a.items()} == b


def test_accuracy_takes_the_best_matching():
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert accuracy(labels, np.array([2, 2, 0, 0, 1, 1])) == 1.0
    assert accuracy(labels, np.zeros(6, dtype=int)) == pytest.approx(1 / 3)


def test_kl_of_two_gaussians_by_hand():
    # KL(N(0,1) || N(1,4)) = log 2 + (1 + 1) / 8 - 1/2
    X = np.random.default_rng(0).standard_normal((200_000, 1))
    p = Parameters(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
    q = Parameters(np.ones(1), np.ones((1, 1)), np.full((1, 1, 1), 4.0))
    gaps = (log_joint(X, p) - log_joint(X, q))[:, 0]
    expected = np.log(2) + 0.25 - 0.5
    assert abs(gaps.mean() - expected) < 4 * gaps.std() / np.sqrt(len(X))


def test_a_model_that_is_not_finite_is_refused(problem):
    t = problem.truth
    with pytest.raises(ValueError, match="NaN"):
        judge(problem, Parameters(t.weights, t.means * np.nan, t.covariances))
    with pytest.raises(ValueError, match="does not fit 2 features"):
        judge(problem, Parameters(t.weights, t.means[:, :1], t.covariances))


def test_the_truth_is_scaled_with_the_rows():
    raw = problems.make("unbalanced", 0, scaling="none", rows=500)
    scaled = problems.make("unbalanced", 0, rows=500)
    shift = np.log(raw.X.std(axis=0)).sum()
    assert log_likelihood(scaled.X, scaled.truth) == pytest.approx(
        log_likelihood(raw.X, raw.truth) + shift
    )
