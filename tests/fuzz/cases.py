"""Cases: an estimator, rows and the arguments of `fit`, all drawn from one seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from biglearn import EM, Paper, Search
from biglearn.engines import Chunked

from .rows import draw_rows

STRUCTURES = ["full", "full", "full", "tied", "tied", "diag", "diag", "spherical", "factor"]

STARTS = ["kmeans", "kmeans-own-units", "k-means++", "ward", "random_from_data", "random", "normal"]

#: Values that a fit has to refuse with a sentence, one at a time.
REFUSED: list[tuple[str, Any]] = [
    ("n_components", 0),
    ("n_components", 2.5),
    ("n_components", "many"),
    ("covariance_type", "oval"),
    ("n_factors", -1),
    ("family", "cauchy"),
    ("method", "magic"),
    ("tol", float("nan")),
    ("tol", -1.0),
    ("reg_covar", -1e-3),
    ("reg_covar", "some"),
    ("prior", -2.0),
    ("prior", "strong"),
    ("resolution", "fine"),
    ("resolution", [-1.0]),
    ("max_ratio", 0.5),
    ("max_iter", -1),
    ("max_time", 0.0),
    ("n_init", 0),
    ("init_params", "cold"),
    ("weights_init", [0.9, 0.9, 0.9]),
    ("means_init", [[1.0]] * 17),
    ("precisions_init", [[np.inf]]),
    ("fixed", {"colours": [1.0]}),
    ("fixed", {"weights": [2.0]}),
    ("scaling", "robust"),
    ("n_threads", 0),
    ("engine", "steam"),
    ("random_state", "zero"),
]


@dataclass
class Case:
    """One fit.

    Attributes
    ----------
    seed : int
    X : array of shape (N, D)
    params : dict
        Of `GaussianMixture`.
    arguments : dict
        Of `fit`, beside X.
    refused : str or None
        Parameter that has to be refused.
    use : {"fit", "warm", "stream", "detector", "regressor"}
    """

    seed: int
    X: Any
    params: dict[str, Any]
    arguments: dict[str, Any] = field(default_factory=dict)
    refused: str | None = None
    use: str = "fit"

    def __str__(self) -> str:
        params = {name: _short(value) for name, value in self.params.items()}
        arguments = {name: _short(value) for name, value in self.arguments.items()}
        return f"{self.use} X {self.X.dtype}{self.X.shape} {params} {arguments}"


def _short(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    return getattr(value, "__name__", value)


def case_of(seed: int) -> Case:
    """Return the case of a seed."""
    rng = np.random.default_rng(seed)
    X = draw_rows(rng)
    params = _params(rng, X)
    case = Case(seed, X, params, _arguments(rng, X, params))
    draw = rng.random()
    if draw < 0.06:
        name, value = REFUSED[rng.integers(len(REFUSED))]
        case.params[name], case.refused = value, name
    elif draw < 0.12:
        case.use = "warm"
    elif draw < 0.16:
        case.use = "stream"
    elif draw < 0.19:
        case.use = "detector"
    elif draw < 0.22:
        case.use = "regressor"
    return case


def _params(rng, X):
    n, d = X.shape
    params = {"n_components": _size(rng, n), "random_state": int(rng.integers(1000))}
    few = n <= 40 and params["n_components"] != "auto"  # a step of "factor" takes long
    _maybe(rng, params, 0.7, "covariance_type", STRUCTURES if few else STRUCTURES[:-1])
    _maybe(rng, params, 0.15, "family", ["student"])
    params["method"] = _method(rng)
    _maybe(rng, params, 0.2, "tol", [0.0, 1e-8, 1e-3, 1.0])
    _maybe(rng, params, 0.3, "reg_covar", [0.0, 1e-12, 1e-9, 1e-6, 1e-2, 1.0, 1e3])
    _maybe(rng, params, 0.4, "prior", [None, 0.0, 0.5, 100.0])
    _maybe(rng, params, 0.3, "resolution", [None, np.full(d, 0.1), np.zeros(d)])
    _maybe(rng, params, 0.1, "max_ratio", [1.0, 10.0, 1e6])
    params["max_iter"] = int(rng.choice([0, 1, 2, 3, 20, 200, 1000]))
    _maybe(rng, params, 0.1, "max_time", [1e-9, 0.01, 0.1])
    _maybe(rng, params, 0.1, "n_init", [2, 3])
    _maybe(rng, params, 0.4, "scaling", ["minmax", "none"])
    _maybe(rng, params, 0.1, "noise", [True])
    _maybe(rng, params, 0.1, "n_factors", [2, 5])
    _maybe(rng, params, 0.1, "engine", ["memory", Chunked(block_bytes=4000)])
    _maybe(rng, params, 0.1, "n_threads", [1, 2])
    _add_starts(rng, X, params)
    return params


def _maybe(rng, params, chance, name, values):
    if rng.random() < chance:
        params[name] = values[rng.integers(len(values))]


def _size(rng, n):
    draw = rng.random()
    if draw < 0.02 and n <= 40:
        return "auto"
    if draw < 0.13:
        return max(1, min(n + int(rng.integers(-1, 2)), 12))
    return int(rng.integers(1, 7))


def _method(rng):
    draw = rng.random()
    if draw < 0.5:
        return "em"
    if draw < 0.8:
        return "search"
    if draw < 0.85:
        return Search()
    if draw < 0.9:
        return EM()
    return Paper(steps=int(rng.integers(1, 15)), polish=bool(rng.integers(2)))


def _add_starts(rng, X, params):
    """Add starts and given parameters, of values that the rows suggest or far from them."""
    K, (n, d) = params["n_components"], X.shape
    if K == "auto":
        return
    _maybe(rng, params, 0.4, "init_params", STARTS)
    if rng.random() < 0.05:
        params["init_params"] = rng.integers(K, size=n)
    elif rng.random() < 0.05:
        params["init_params"] = rng.dirichlet(np.ones(K), size=n)
    elif rng.random() < 0.03:
        params["init_params"] = some_labels
    places = np.nan_to_num(X[rng.integers(n, size=K)].astype(float))
    places = places * 10.0 ** (rng.random() < 0.2)
    _maybe(rng, params, 0.08, "weights_init", [rng.dirichlet(np.ones(K))])
    _maybe(rng, params, 0.08, "means_init", [places])
    kind, size = params.get("covariance_type", "full"), 10.0 ** rng.choice([0, -3, 3, -100, 100])
    if rng.random() < 0.06:
        params["precisions_init"] = _matrices(kind, K, d, size)
    if rng.random() < 0.08:
        params["fixed"] = _fixed(rng, kind, K, places)


def some_labels(X, n_components, rng):
    """Label rows by chance: a start that a user brings."""
    return rng.integers(n_components, size=len(X))


def _matrices(kind, K, d, size):
    eye = np.eye(d) * size
    whole = {"tied": eye, "diag": np.full((K, d), size), "spherical": np.full(K, size)}
    return whole.get(kind, np.tile(eye, (K, 1, 1)))


def _fixed(rng, kind, K, places):
    fixed = {}
    free = rng.random(K) < 0.4
    if rng.random() < 0.5:
        fixed["weights"] = np.where(free, np.nan, 1.0 / K)
    if rng.random() < 0.6 or not fixed:
        fixed["means"] = np.where(free[:, None], np.nan, places)
    if rng.random() < 0.3 and kind not in ("tied", "factor"):
        variances = np.nan_to_num(np.var(places, axis=0)) + 1e-3
        each = np.diag(variances) if kind == "full" else variances
        each = variances.mean() if kind == "spherical" else each
        fixed["covariances"] = np.array([each] * K)
    return fixed


def _arguments(rng, X, params):
    """Return weights and labels of the rows, some of the time."""
    n, K, arguments = len(X), params["n_components"], {}
    if rng.random() < 0.2:
        weights = [
            rng.integers(0, 4, size=n).astype(float),
            rng.random(n),
            np.full(n, 1 / n),
            10.0 ** rng.uniform(-300, 300, size=n),
            10.0 ** rng.uniform(-8, 3, size=n),
        ]
        arguments["sample_weight"] = weights[rng.integers(len(weights))]
    if rng.random() < 0.1 and K != "auto" and not isinstance(params.get("engine"), Chunked):
        known = rng.random(n) < rng.choice([0.05, 0.5, 1.0])
        arguments["labels"] = np.where(known, rng.integers(K, size=n), -1)
    return arguments
