"""What the mixture is used for, beside others: filling gaps, regression, the choice of K.

    python -m benchmarks.uses [missing] [regression] [selection] [--output FOLDER]

Each part writes a file of its own.  gmr is a visible gap where it is not installed.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine, make_friedman1
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.studies.realdata import load
from benchmarks.studies.store import Cell, conditions, read_json, write_json
from biglearn import BigLearnGaussianMixture, BigLearnRegressor, Mixture, select_mixture

Array = NDArray[np.float64]

RESULTS = Path(__file__).parent / "results"
SEEDS = (0, 1, 2)

#: What a regressor hands back: its prediction, and its log-score of the true values.
Predicted = tuple[Array, Callable[[Array], float]]


def standardised(X: Array) -> Array:
    """Return rows with mean 0 and deviation 1 in each column."""
    scaled: Array = StandardScaler().fit_transform(X)
    return scaled


def simulated(rng: np.random.Generator) -> Array:
    """Return rows of five overlapping clusters in eight dimensions."""
    factors = rng.normal(size=(5, 8, 8)) / 3
    covariances = factors @ np.swapaxes(factors, 1, 2) + 0.05 * np.eye(8)
    truth = Mixture(np.full(5, 0.2), 1.5 * rng.normal(size=(5, 8)), covariances)
    return truth.sample(2000, rng)[0]


def sample(name: str, rng: np.random.Generator, n_rows: int = 2000) -> Array:
    """Return some rows of a real set, drawn without replacement."""
    X = load(name).X
    return X[np.sort(rng.choice(len(X), min(n_rows, len(X)), replace=False))]


#: Rows by name, and the number of components: fixed, the same at every share of gaps.
GAPPY: dict[str, tuple[Callable[[np.random.Generator], Array], int]] = {
    "wdbc": (lambda rng: load_breast_cancer().data, 2),
    "wine": (lambda rng: load_wine().data, 3),
    "vehicle": (lambda rng: sample("vehicle", rng), 4),
    "pendigits": (lambda rng: sample("pendigits", rng), 10),
    "simulated": (simulated, 5),
}


def by_mixture(X: Array, n_components: int, seed: int) -> BigLearnGaussianMixture:
    """Fit full covariances and as many components as are given."""
    return BigLearnGaussianMixture(n_components, **_filling(seed)).fit(X)


def by_choice(X: Array, n_components: int, seed: int) -> BigLearnGaussianMixture:
    """Let BIC choose K, at most the given one, and the structure of the covariances."""
    return select_mixture(
        X,
        range(1, n_components + 1),
        covariance_type=["full", "tied", "factor"],
        n_factors=2,
        **_filling(seed),
    ).best_estimator_


def _filling(seed: int) -> dict[str, Any]:
    return {"method": "em", "reg_covar": 1e-2, "max_time": 8, "random_state": seed}


#: What fits rows with gaps, by name.
FILLERS: dict[str, Callable[[Array, int, int], Any]] = {
    "biglearn": by_mixture,
    "biglearn, by BIC": by_choice,
    "IterativeImputer": lambda X, K, seed: IterativeImputer(random_state=seed).fit(X),
    "KNNImputer": lambda X, K, seed: KNNImputer().fit(X),
    "column means": lambda X, K, seed: SimpleImputer().fit(X),
}


def missing() -> list[Cell]:
    """Hide values at random, fill them, and compare with what was hidden."""
    cells = []
    for problem, (make, n_components) in GAPPY.items():
        for share in (0.1, 0.3, 0.5):
            for seed in SEEDS[:2]:
                rng = np.random.default_rng(seed)
                X = standardised(make(rng))
                hidden = rng.random(X.shape) < share
                hidden[hidden.all(axis=1), 0] = False
                gappy = np.where(hidden, np.nan, X)
                for method, filler in FILLERS.items():
                    if method == "biglearn, by BIC" and n_components > 3:
                        continue  # a path through K on so many patterns takes minutes
                    with conditions(1) as noted:
                        began = time.perf_counter()
                        fitted = filler(gappy, n_components, seed)
                        ours = isinstance(fitted, BigLearnGaussianMixture)
                        filled = fitted.impute(gappy) if ours else fitted.transform(gappy)
                        seconds = time.perf_counter() - began
                    gaps = (filled - X)[hidden]
                    score = -0.5 * np.log(2 * np.pi * np.e * (gaps**2).mean())
                    if ours:  # log p(hidden | seen), exactly
                        told = fitted.score_samples(X) - fitted.score_samples(gappy)
                        score = told.sum() / hidden.sum()
                    cells.append(
                        {
                            "study": "missing", "problem": problem, "method": method,
                            "seed": seed, "budget": share, "status": "finished",
                            "N": len(X), "D": X.shape[1],
                            "K": fitted.n_components if ours else None,
                            "rmse": float(np.sqrt((gaps**2).mean())),
                            "log_score": float(score), "seconds": seconds, **noted,
                        }
                    )  # fmt: skip
                    print(
                        problem,
                        share,
                        seed,
                        method,
                        round(cells[-1]["rmse"], 3),
                        f"{seconds:.2f} s",
                    )
    return cells


def folded(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return an inverse problem: several positions give the same reading."""
    y = rng.uniform(0, 1, 1000)
    return (y + 0.3 * np.sin(2 * np.pi * y) + rng.normal(0, 0.05, 1000))[:, None], y


#: Rows and targets by name.
REGRESSIONS: dict[str, Callable[[np.random.Generator], tuple[Array, Array]]] = {
    "diabetes": lambda rng: load_diabetes(return_X_y=True),
    "friedman1": lambda rng: make_friedman1(1000, 8, noise=1.0, random_state=int(rng.integers(99))),
    "folded": folded,
}


def gaussian_score(y: Array, mean_: Array, deviation: Array | float) -> float:
    """Return the mean log-density of targets under one Gaussian each."""
    z = (y - mean_) / deviation
    return float((-0.5 * z**2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)).mean())


def by_linear(X: Array, y: Array, T: Array, seed: int) -> Predicted:
    """Fit a line, with one deviation for all rows."""
    model = LinearRegression().fit(X, y)
    deviation = (y - model.predict(X)).std()
    return model.predict(T), lambda t: gaussian_score(t, model.predict(T), deviation)


def by_process(X: Array, y: Array, T: Array, seed: int) -> Predicted:
    """Fit a Gaussian process with a length for each feature."""
    kernel = ConstantKernel() * RBF(np.ones(X.shape[1])) + WhiteKernel()
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed).fit(X, y)
    value, deviation = model.predict(T, return_std=True)
    return value, lambda t: gaussian_score(t, value, deviation)


def ours(X: Array, y: Array, seed: int) -> BigLearnRegressor:
    """Choose K by the log-score of five folds."""
    model = BigLearnRegressor(reg_covar=1e-3, random_state=seed, method="em", n_init=3)
    chosen = GridSearchCV(
        model, {"n_components": [1, 2, 4, 8]}, scoring=BigLearnRegressor.log_score
    )
    best: BigLearnRegressor = chosen.fit(X, y).best_estimator_
    return best


def by_biglearn(X: Array, y: Array, T: Array, seed: int) -> Predicted:
    """Fit our own regressor."""
    model = ours(X, y, seed)
    return model.predict(T), lambda t: model.log_score(T, t)


def by_gmr(X: Array, y: Array, T: Array, seed: int) -> Predicted:
    """Fit gmr, an optional rival, with as many components as ours has."""
    import gmr

    n_components = ours(X, y, seed).n_components
    joint = gmr.GMM(n_components, random_state=seed).from_samples(np.column_stack([X, y]))
    given = np.arange(X.shape[1])

    def score(targets: Array) -> float:
        densities = [
            joint.condition(given, row).to_probability_density(np.array([[t]]))[0]
            for row, t in zip(T, targets, strict=True)
        ]
        with np.errstate(divide="ignore"):
            return float(np.log(densities).mean())

    return joint.predict(given, T).ravel(), score


REGRESSORS: dict[str, Callable[[Array, Array, Array, int], Predicted]] = {
    "biglearn": by_biglearn,
    "linear": by_linear,
    "Gaussian process": by_process,
    "gmr": by_gmr,
}


def regression() -> list[Cell]:
    """Predict new rows, and score the prediction and its density."""
    cells = []
    for problem, make in REGRESSIONS.items():
        for seed in SEEDS:
            X, y = make(np.random.default_rng(seed))
            X, y = standardised(X), standardised(y[:, None])[:, 0]
            X, T, y, t = train_test_split(X, y, test_size=0.3, random_state=seed)
            for method, rule in REGRESSORS.items():
                cell: Cell = {
                    "study": "regression", "problem": problem, "method": method, "seed": seed,
                    "budget": None, "status": "finished", "N": len(X), "D": X.shape[1],
                }  # fmt: skip
                with conditions(1) as noted:
                    began = time.perf_counter()
                    try:
                        value, score = rule(X, y, T, seed)
                        cell |= {"rmse": float(np.sqrt(((value - t) ** 2).mean()))}
                        cell |= {"log_score": score(t), "seconds": time.perf_counter() - began}
                    except ImportError as error:
                        cell |= {"status": "missing", "message": str(error)}
                cells.append(cell | noted)
                print(problem, seed, method, cell.get("rmse"), cell.get("log_score"))
    return cells


def selection() -> list[Cell]:
    """Choose K in 1..30 on one path, beside one fit at K = 30 and independent fits."""
    cells = []
    for problem in ("pendigits", "letter"):
        X = standardised(sample(problem, np.random.default_rng(0), 4000))
        one: dict[str, Any] = {"reg_covar": 1e-3, "random_state": 0}

        def path(X: Array = X, one: dict[str, Any] = one) -> dict[str, float]:
            found = select_mixture(X, range(1, 31), **one)
            return {str(c.n_components): c.bic for c in found.candidates}

        def largest(X: Array = X, one: dict[str, Any] = one) -> dict[str, float]:
            return {"30": float(BigLearnGaussianMixture(30, **one).fit(X).bic(X))}

        def plain(X: Array = X, one: dict[str, Any] = one) -> dict[str, float]:
            return {"30": float(BigLearnGaussianMixture(30, method="em", **one).fit(X).bic(X))}

        def rival(X: Array = X, one: dict[str, Any] = one) -> dict[str, float]:
            fits = (GaussianMixture(k, init_params="k-means++", **one) for k in range(1, 31))
            return {str(m.n_components): float(m.fit(X).bic(X)) for m in fits}

        for method, rule in {
            "path, K = 1..30": path,
            "`search` at K = 30": largest,
            "`em` at K = 30": plain,
            "scikit-learn, K = 1..30": rival,
        }.items():
            with conditions(1) as noted:
                began = time.perf_counter()
                criteria = rule()
                seconds = time.perf_counter() - began
            cells.append(
                {
                    "study": "selection", "problem": problem, "method": method, "seed": 0,
                    "budget": None, "status": "finished", "N": len(X), "D": X.shape[1],
                    "bic": criteria, "seconds": seconds, **noted,
                }
            )  # fmt: skip
            print(problem, method, f"{seconds:.1f} s", round(min(criteria.values())))
    return cells


def _rows(cells: list[Cell]) -> list[tuple[str, float | None]]:
    return list(dict.fromkeys((c["problem"], c["budget"]) for c in cells))


def _pick(cells: list[Cell], row: tuple[str, float | None], method: str) -> list[Cell]:
    return [
        c
        for c in cells
        if (c["problem"], c["budget"]) == row and c["method"] == method and "seconds" in c
    ]


def table(path: Path) -> str:
    """Return a result file as Markdown."""
    cells = read_json(path)["cells"]
    return _selected(cells) if path.stem == "selection" else _compared(cells)


def _compared(cells: list[Cell]) -> str:
    """Compare errors, log-scores and seconds, mean over the seeds."""
    methods = list(dict.fromkeys(c["method"] for c in cells))
    lines = ["| set | " + " | ".join(methods) + " |", "| --- " * (len(methods) + 1) + "|"]
    for row in _rows(cells):
        parts = []
        for method in methods:
            own = _pick(cells, row, method)
            numbers = (
                [mean(c[name] for c in own) for name in ("rmse", "log_score", "seconds")]
                if own
                else []
            )
            parts.append("{:.3f}, {:.2f}, {:.2g} s".format(*numbers) if own else "–")
        name = row[0] if row[1] is None else f"{row[0]}, {row[1]:.0%} missing"
        lines.append(f"| {name} | " + " | ".join(parts) + " |")
    seeds = len({c["seed"] for c in cells})
    note = (
        "Root mean squared error in deviations, log-score (higher is better), seconds; "
        f"mean of {seeds} seeds."
    )
    return "\n".join([*lines, "", note, ""])


def _selected(cells: list[Cell]) -> str:
    """Compare seconds, the best BIC, and the BIC at K = 30."""
    lines = ["| set | N | what | seconds | lowest BIC | its K | BIC at 30 |", "| --- " * 7 + "|"]
    for c in cells:
        size, lowest = min(c["bic"].items(), key=lambda item: item[1])
        lines.append(
            f"| {c['problem']} | {c['N']} | {c['method']} | {c['seconds']:.1f} | {lowest:.0f} | "
            f"{size} | {c['bic']['30']:.0f} |"
        )
    return "\n".join([*lines, ""])


PARTS: dict[str, Callable[[], list[Cell]]] = {
    "missing": missing,
    "regression": regression,
    "selection": selection,
}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all, if left out")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # some contenders do not converge; their scores show it
    with threadpool_limits(1):
        for part in options.parts or PARTS:
            cells = PARTS[part]()
            write_json(
                options.output / f"{part}.json",
                {"format": 1, "study": part, "cells": cells},
                lines=True,
            )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
