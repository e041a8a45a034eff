"""Regression by gmr and cgmm in an environment of their own: ``conditional.py FOLDER``.

The folder holds ``rows.npz`` with X, y, new rows T and their targets t, and ``request.json`` with
the method, K and a seed; the answer is ``done.json``.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

Array = Any
Fit = tuple[Array, Callable[[Array], float]]


def by_gmr(X: Array, y: Array, T: Array, n_components: int, seed: int) -> Fit:
    """Fit gmr's joint mixture and condition it."""
    gmr: Any = importlib.import_module("gmr")
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


def by_cgmm(X: Array, y: Array, T: Array, n_components: int, seed: int) -> Fit:
    """Fit cgmm's joint mixture and condition it."""
    return _cgmm("ConditionalGMMRegressor", X, y, T, n_components, seed)


def by_experts(X: Array, y: Array, T: Array, n_components: int, seed: int) -> Fit:
    """Fit cgmm's mixture of experts, which models y given x alone."""
    return _cgmm("MixtureOfExpertsRegressor", X, y, T, n_components, seed)


def _cgmm(kind: str, X: Array, y: Array, T: Array, n_components: int, seed: int) -> Fit:
    cgmm: Any = importlib.import_module("cgmm")
    model = getattr(cgmm, kind)(n_components=n_components, random_state=seed).fit(X, y)
    return np.ravel(model.predict(T)), lambda t: float(np.mean(model.log_prob(T, t)))


#: Methods and the package that each needs.
METHODS = {"gmr": (by_gmr, "gmr"), "cgmm": (by_cgmm, "cgmm"), "experts": (by_experts, "cgmm")}


def main(folder: Path) -> None:
    """Fit, predict and score."""
    warnings.simplefilter("ignore")
    request = json.loads((folder / "request.json").read_text())
    fit, package = METHODS[request["method"]]
    with np.load(folder / "rows.npz") as file:
        X, y, T, t = (file[name] for name in ("X", "y", "T", "t"))
    fit(X[:50], y[:50], T[:5], 1, 0)  # lazy imports are not timed
    began, used = time.perf_counter(), time.process_time()
    value, score = fit(X, y, T, request["n_components"], request["seed"])
    done: dict[str, Any] = {
        "log_score": score(t),
        "rmse": float(np.sqrt(((value - t) ** 2).mean())),
    }
    done |= {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}
    done["rival_versions"] = {package: metadata.version(package)}
    (folder / "done.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
