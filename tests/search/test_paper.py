"""The published algorithm against a straightforward implementation of its own."""

import numpy as np
import pytest
from scipy.special import softmax

from biglearn.model.mixture import Mixture
from biglearn.search.methods import Paper, method_of
from biglearn.search.moves import Matching
from biglearn.search.run import carry_out
from biglearn.search.schedules import pseudo_count
from helpers import make_run, scipy_log_joint


def paper_step(theta, X, B, *, inner_steps, lift, alpha, floor):
    """Five EM steps in the view y = B x, from the formulas of the paper."""
    weights, means, covariances = (np.array(a) for a in theta)
    Y = X @ B.T
    for _ in range(inner_steps):
        view_means = means @ B.T
        view_covariances = np.array([B @ S @ B.T for S in covariances])
        r = softmax(scipy_log_joint(weights, view_means, view_covariances, Y), axis=1)
        counts = r.sum(axis=0)
        for k in range(len(weights)):
            m = r[:, k] @ Y / counts[k]
            C = (r[:, k, None] * (Y - m)).T @ (Y - m) / counts[k]
            S = covariances[k]
            G = B.T if lift == "block" else S @ B.T @ np.linalg.inv(B @ S @ B.T)
            S = S + G @ (C - view_covariances[k]) @ G.T
            values, vectors = np.linalg.eigh((S + S.T) / 2)
            means[k] = means[k] + G @ (m - view_means[k])
            covariances[k] = (vectors * np.maximum(values, floor)) @ vectors.T
        weights = (counts / len(X) + alpha) / (1 + len(weights) * alpha)
    return weights, means, covariances


def start_of(K, D, rng):
    return Mixture(np.full(K, 1 / K), rng.normal(size=(K, D)), np.tile(np.eye(D), (K, 1, 1)))


@pytest.mark.parametrize("n_features", [2, 3, 4])
@pytest.mark.parametrize("lift", ["block", "regression"])
@pytest.mark.parametrize("alpha", ["1/sqrt(K)", "1/K", 0.0, lambda step: 0.3 / (1 + step)])
def test_step_by_step(n_features, lift, alpha):
    rng = np.random.default_rng(n_features)
    X = rng.normal(size=(80, n_features)) * np.arange(1, n_features + 1)
    start, floor, steps = start_of(3, n_features, rng), 1e-2, 12
    run = make_run(X, 3, start=start, seed=7, floor=floor)
    method = Paper(steps=steps, lift=lift, pseudo_count=alpha, polish=False)

    views = np.random.default_rng(7)  # the same source draws the same views
    value = pseudo_count(alpha, 3)
    wanted, seen = (start.weights, start.means, start.covariances), []
    moves = method.schedule(run)
    next(moves)
    run.components = start
    for step, move in enumerate(moves):
        assert isinstance(move, Matching)
        list(move(run))
        B = method.draw_view(n_features, views).basis
        seen.append(len(B))
        wanted = paper_step(wanted, X, B, inner_steps=5, lift=lift, alpha=value(step), floor=floor)
        # Rounding grows by each of the 60 EM steps; 1e-7 is still no accident.
        ours = (run.components.weights, run.components.means, run.components.covariances)
        for a, b in zip(ours, wanted, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-7)
    assert len(seen) == steps
    assert min(seen) < n_features  # true views were among them
    assert run.passes == 5 * steps


def test_without_the_polish_the_last_point_of_the_chain_is_returned(rng):
    X, start = rng.normal(size=(60, 2)), start_of(3, 2, rng)
    method = Paper(steps=5, polish=False)
    run = make_run(X, 3, start=start, seed=1)
    records = list(carry_out(run, method))
    last = Mixture.of(run.components)
    assert records[0].move == "start"
    assert len(records) == 6
    assert run.objective == pytest.approx(last.log_density(X).mean(), rel=1e-12)


def test_the_polish_is_never_worse_than_plain_em_from_the_same_start(rng):
    X = np.vstack([rng.normal(size=(40, 2)) + 5 * np.array(c) for c in [(0, 0), (1, 1), (0, 2)]])
    start = start_of(3, 2, rng)
    runs = {}
    for name, method in {"em": "em", "paper": Paper(steps=10)}.items():
        run = make_run(X, 3, start=start, seed=2)
        list(carry_out(run, method_of(method)))
        runs[name] = run.objective
    assert runs["paper"] >= runs["em"]


def test_matchings_are_drawn_with_their_probabilities(rng):
    names = [Paper().draw_view(3, rng).name for _ in range(4000)]
    for name, p in {"joint": 0.4, "marginal": 0.1, "transformed": 0.5}.items():
        assert abs(names.count(name) / 4000 - p) < 5 * np.sqrt(p * (1 - p) / 4000)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": 0}, "got 0 and 5"),
        ({"p_joint": 0.5}, r"sum to 1, got \(0.5, 0.1, 0.5\)"),
        ({"lift": "blok"}, "lift .*got 'blok'"),
        ({"beta": (0, 1)}, r"got \(0, 1\)"),
        ({"size": 0}, "size .*got 0"),
        ({"pseudo_count": -1.0}, "pseudo_count .*got -1.0"),
        ({"pseudo_count": "K"}, "pseudo_count .*got 'K'"),
    ],
)
def test_constants_out_of_range_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        Paper(**parameters)
