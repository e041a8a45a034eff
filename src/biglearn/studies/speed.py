"""Study 6: the time of one EM step, ours and scikit-learn's from the same start in one run.

Each does the same number of steps from the same parameters; the likelihood they end at stands
beside the time, and must agree. Start-up is removed by taking the difference of two lengths.
"""

from __future__ import annotations

import functools
import time
import warnings
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from biglearn.studies.simulated import Array, overlapping
from biglearn.studies.store import Cell
from biglearn.studies.study import Options, Plan, Task

NAME = "speed"
SIZES = {
    "n2000-d2-k25": (2000, 2, 25),
    "n7494-d16-k12": (7494, 16, 12),
    "n20000-d16-k26": (20000, 16, 26),
    "n100000-d10-k10": (100_000, 10, 10),
    "n50000-d54-k7": (50_000, 54, 7),
    "n500-d3-k4": (500, 3, 4),
}
METHODS = ("biglearn", "sklearn")
FLOOR = 1e-6
SHORT, LONG, REPEATS = 3, 13, 3
PROFILES = {
    "tiny": Plan(("n500-d3-k4",), METHODS, (0,)),
    "short": Plan(tuple(SIZES)[:3], METHODS, (0,)),
    "full": Plan(tuple(SIZES)[:5], METHODS, (0, 1)),
}


def tasks(options: Options) -> list[Task]:
    """Return one task per size, method and seed.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """
    plan = options.plan
    for name in (*plan.problems, *plan.methods):
        if name not in SIZES and name not in METHODS:
            raise ValueError(f"unknown {name!r}; choose from {', '.join((*SIZES, *METHODS))}")
    return [
        Task(p, m, s, (None,), functools.partial(_measure, p, m, s, options.threads))
        for p in plan.problems
        for s in plan.seeds
        for m in plan.methods
    ]


def _measure(size: str, method: str, seed: int, threads: int) -> list[Cell]:
    N, D, K = SIZES[size]
    rng = np.random.default_rng(seed)
    X, _ = overlapping(D, K)(rng).sample(N, rng)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    means = X[rng.choice(N, K, replace=False)]
    fit = {"biglearn": _ours, "sklearn": _sklearn}[method]
    best: dict[int, float] = {}
    likelihood = float("nan")
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(REPEATS):
            for steps in (SHORT, LONG):
                began = time.perf_counter()
                likelihood = fit(X, K, means, steps, threads)
                best[steps] = min(best.get(steps, np.inf), time.perf_counter() - began)
    step = (best[LONG] - best[SHORT]) / (LONG - SHORT)
    size_cell = {"N": N, "D": D, "K": K, "dtype": "float64"}
    return [
        {
            "budget": None,
            "status": "finished",
            **size_cell,
            "step_seconds": step,
            "log_likelihood": likelihood,
        }
    ]


def _settings(K: int, D: int, means: Array, steps: int) -> dict[str, Any]:
    return {
        "n_components": K,
        "weights_init": np.full(K, 1 / K),
        "means_init": means,
        "precisions_init": np.tile(np.eye(D), (K, 1, 1)),
        "tol": 0.0,
        "max_iter": steps,
        "reg_covar": FLOOR,
        "random_state": 0,
    }


def _ours(X: Array, K: int, means: Array, steps: int, threads: int) -> float:
    from biglearn import BigLearnGaussianMixture

    settings = _settings(K, X.shape[1], means, steps)
    model = BigLearnGaussianMixture(method="em", scaling="none", n_threads=threads, **settings)
    return model.fit(X).score(X)


def _sklearn(X: Array, K: int, means: Array, steps: int, threads: int) -> float:
    from sklearn.mixture import GaussianMixture

    # without a start of its own scikit-learn would run k-means before it takes ours
    settings = _settings(K, X.shape[1], means, steps)
    model = GaussianMixture(init_params="random_from_data", **settings)
    return float(model.fit(X).score(X))


def table(cells: list[Cell]) -> str:
    """Return milliseconds per step and their ratio.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    lines = [
        "| N | D | K | threads | biglearn ms | scikit-learn ms | ratio | likelihoods agree to |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    good = [c for c in cells if c["status"] == "finished"]
    for size in dict.fromkeys(c["problem"] for c in good):
        pair = {}
        for method in METHODS:
            own = [c for c in good if (c["problem"], c["method"]) == (size, method)]
            if own:
                pair[method] = min(own, key=lambda c: float(c["step_seconds"]))
        if len(pair) == 2:
            a, b = pair["biglearn"], pair["sklearn"]
            apart = abs(a["log_likelihood"] - b["log_likelihood"])
            ms = (1000 * a["step_seconds"], 1000 * b["step_seconds"])
            lines.append(
                f"| {a['N']} | {a['D']} | {a['K']} | {a['threads']} | {ms[0]:.2f} | {ms[1]:.2f} "
                f"| {ms[1] / ms[0]:.1f} | {apart:.1g} |"
            )
    return "\n".join(lines) + "\n"
