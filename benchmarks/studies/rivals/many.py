"""Fit many components with one program in this process: ``many.py FOLDER``.

The folder holds ``rows.npy`` and ``request.json`` with the program, K, a seed and a floor; it
leaves ``model.npz`` and ``done.json``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

Array = Any
Model = tuple[Array, Array, Array, int]


def biglearn(X: Array, K: int, request: dict[str, Any]) -> Model:
    """Our own, for likelihood alone."""
    package: Any = importlib.import_module("biglearn")
    settings: dict[str, Any] = {
        "method": "em",
        "prior": None,
        "resolution": None,
        "scaling": "none",
    }
    settings |= {"reg_covar": request["floor"], "n_threads": 1}
    model = package.GaussianMixture(K, random_state=request["seed"], **settings).fit(X)
    return model.weights_, model.means_, model.covariances_, len(model.history_)


def sklearn(X: Array, K: int, request: dict[str, Any]) -> Model:
    """scikit-learn's, with its defaults."""
    package: Any = importlib.import_module("sklearn.mixture")
    model = package.GaussianMixture(
        K, reg_covar=request["floor"], random_state=request["seed"]
    ).fit(X)
    return model.weights_, model.means_, model.covariances_, model.n_iter_


def vamm(X: Array, K: int, request: dict[str, Any]) -> Model:
    """Fit by truncated variational EM, full covariances, defaults but for the tolerance."""
    package: Any = importlib.import_module("vamm")
    model = package.Gaussian(C=K, D=X.shape[1], covariance_type="full", reg_covar=request["floor"])
    with contextlib.redirect_stdout(None):
        model.fit(X=X, rng=np.random.default_rng(request["seed"]), eps=request["tolerance"])
    weights = np.array(model.prior, dtype=np.float64)
    active = weights > 0
    means, covariances = np.array(model.means), np.array(model.covariances)
    return weights[active], means[active], covariances[active], len(model.log)


#: Programs, the package of each, and what is different in their variants.
PROGRAMS: dict[str, tuple[Callable[..., Model], str, dict[str, Any]]] = {
    "em": (biglearn, "biglearn-em", {}),
    "sklearn": (sklearn, "scikit-learn", {}),
    "vamm": (vamm, "vamm", {"tolerance": 1e-4}),
    "vamm-tight": (vamm, "vamm", {"tolerance": 1e-6}),
}


def main(folder: Path) -> None:
    """Fit, time, and leave the model."""
    warnings.simplefilter("ignore")
    request = json.loads((folder / "request.json").read_text())
    fit, package, variant = PROGRAMS[request["program"]]
    X = np.load(folder / "rows.npy")
    fit(X[:500], 20, request | variant)  # imports and compiled loops are not timed
    began, used = time.perf_counter(), time.process_time()
    weights, means, covariances, steps = fit(X, request["K"], request | variant)
    done: dict[str, Any] = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - used,
    }
    done |= {"steps": int(steps), "rival_versions": {package: metadata.version(package)}}
    np.savez(folder / "model.npz", weights=weights, means=means, covariances=covariances)
    (folder / "done.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)
