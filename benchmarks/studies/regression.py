"""Study: new rows are predicted, and the prediction and its density are scored.

The number of components is chosen by five-fold cross-validation of our log-score among 1, 2, 4
and 8; gmr and cgmm, which have no such choice, get ours, and the seconds of everybody are of one
fit.
"""

from __future__ import annotations

import functools
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, train_test_split

from benchmarks import markdown
from benchmarks.studies import environments, processes
from benchmarks.studies.equal_time import missing
from benchmarks.studies.once import RIVALS
from benchmarks.studies.simulated import Array
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, every
from biglearn import BigLearnRegressor

NAME = "regression"
SIZES = (1, 2, 4, 8)
OTHERS = ("gmr", "cgmm", "experts")
TITLES = {
    "search": "biglearn, default",
    "em": "biglearn `em`",
    "linear": "linear",
    "process": "Gaussian process",
    "gmr": "gmr",
    "cgmm": "cgmm, joint mixture",
    "experts": "cgmm, mixture of experts",
}
ALL = ("diabetes", "friedman1", "folded")
PROFILES = {
    "tiny": Plan(("folded",), ("em", "linear"), (0,)),
    "short": Plan(ALL, ("em", "linear", *OTHERS), (0,)),
    "full": Plan(ALL, tuple(TITLES), (0, 1)),
}

#: What a regressor hands back: its prediction, and its log-score of the true values.
Predicted = tuple[Array, Callable[[Array], float]]


def folded(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return an inverse problem: several positions give the same reading."""
    y = rng.uniform(0, 1, 1000)
    return (y + 0.3 * np.sin(2 * np.pi * y) + rng.normal(0, 0.05, 1000))[:, None], y


#: Rows and targets by name.
SETS: dict[str, Callable[[np.random.Generator], tuple[Array, Array]]] = {
    "diabetes": lambda rng: load_diabetes(return_X_y=True),
    "friedman1": lambda rng: make_friedman1(1000, 8, noise=1.0, random_state=int(rng.integers(99))),
    "folded": folded,
}


def tasks(options: Options) -> list[Task]:
    """Return one task per set, method and seed.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """
    return every(options.plan, _work)


def gaussian_score(y: Array, expected: Array, deviation: Array | float) -> float:
    """Return the mean log-density of targets under one Gaussian each."""
    z = (y - expected) / deviation
    return float((-0.5 * z**2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)).mean())


def by_linear(X: Array, y: Array, T: Array, seed: int) -> Predicted:
    """Fit a line, with one deviation for all rows."""
    model = LinearRegression().fit(X, y)
    deviation = float((y - model.predict(X)).std())
    value = model.predict(T)
    return value, lambda t: gaussian_score(t, value, deviation)


def by_process(X: Array, y: Array, T: Array, seed: int) -> Predicted:
    """Fit a Gaussian process with a length for each feature."""
    kernel = ConstantKernel() * RBF(np.ones(X.shape[1])) + WhiteKernel()
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed).fit(X, y)
    value, deviation = model.predict(T, return_std=True)
    return value, lambda t: gaussian_score(t, value, deviation)


def _by_mixture(X: Array, y: Array, T: Array, seed: int, *, K: int, method: str) -> Predicted:
    model = _regressor(method, seed).set_params(n_components=K).fit(X, y)
    return model.predict(T), lambda t: model.log_score(T, t)


def _regressor(method: str, seed: int) -> BigLearnRegressor:
    return BigLearnRegressor(method=method, random_state=seed, mixture_params={"n_threads": 1})


@functools.cache
def split(name: str, seed: int) -> tuple[Array, Array, Array, Array]:
    """Return rows, new rows, targets and new targets of a set, all standardised."""
    X, y = SETS[name](np.random.default_rng(seed))
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    X, T, y, t = train_test_split(X, y, test_size=0.3, random_state=seed)
    return X, T, y, t


@functools.cache
def chosen(name: str, seed: int, method: str) -> tuple[int, float]:
    """Return the number of components of the best log-score in five folds, and the seconds."""
    X, _, y, _ = split(name, seed)
    began = time.perf_counter()
    search = GridSearchCV(
        _regressor(method, seed),
        {"n_components": list(SIZES)},
        scoring=BigLearnRegressor.log_score,
        refit=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
    return int(search.best_params_["n_components"]), time.perf_counter() - began


def _work(name: str, method: str, seed: int) -> list[Cell]:
    X, T, y, t = split(name, seed)
    cell: Cell = {"budget": None, "status": "finished", "N": len(X), "D": X.shape[1]}
    if method in OTHERS:
        gap = environments.gap("conditional")
        if gap:
            return missing(gap, (None,))
        K, _ = chosen(name, seed, "em")
        return [cell | {"K": K} | _elsewhere(method, (X, T, y, t), K, seed)]
    rule: Callable[..., Predicted] = by_linear if method == "linear" else by_process
    if method in ("search", "em"):
        K, seconds = chosen(name, seed, method)
        cell |= {"K": K, "choice_seconds": seconds}
        rule = functools.partial(_by_mixture, K=K, method=method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some do not converge; their scores show it
        began, used = time.perf_counter(), time.process_time()
        value, score = rule(X, y, T, seed)
        cell |= {"log_score": score(t), "rmse": float(np.sqrt(((value - t) ** 2).mean()))}
    cell |= {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}
    return [cell]


def _elsewhere(method: str, rows: tuple[Array, ...], K: int, seed: int) -> Cell:
    """Fit gmr or cgmm in their environment."""
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        np.savez(folder / "rows.npz", X=rows[0], T=rows[1], y=rows[2], t=rows[3])
        request: dict[str, Any] = {"method": method, "n_components": K, "seed": seed}
        (folder / "request.json").write_text(json.dumps(request))
        script = RIVALS / "conditional.py"
        ended = processes.run(script, folder, environment="conditional", threads=1, timeout=300)
        if ended:
            return {"status": "failed", "message": ended}
        done: Cell = json.loads((folder / "done.json").read_text())
        return done


def table(cells: list[Cell]) -> str:
    """Return errors, log-scores and seconds, means over the seeds.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    methods = [m for m in TITLES if any(c["method"] == m for c in cells)]
    rows = []
    for problem in dict.fromkeys(c["problem"] for c in cells):
        row = [problem]
        for method in methods:
            own = [
                c
                for c in cells
                if (c["problem"], c["method"], c["status"]) == (problem, method, "finished")
            ]
            numbers = [mean(c[n] for c in own) for n in ("rmse", "log_score", "cpu")] if own else []
            row.append("{:.3f}, {:.2f}, {:.2g} s".format(*numbers) if own else "–")
        sizes = {c["K"] for c in cells if c["problem"] == problem and c["method"] == "search"}
        rows.append([*row, ", ".join(map(str, sorted(sizes)))])
    note = (
        "Root mean squared error in deviations, log-score (higher is better), seconds of one "
        f"processor for one fit; mean of {len({c['seed'] for c in cells})} seeds."
    )
    absent = {c["method"]: c["message"] for c in cells if c["status"] == "missing"}
    gaps = " ".join(f"{TITLES[m]}: {why}." for m, why in absent.items())
    head = ["set", *(TITLES[m] for m in methods), "K chosen by ours"]
    return markdown.table(head, rows) + f"\n\n{note} {gaps}".rstrip() + "\n"
