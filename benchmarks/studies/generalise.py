"""Study 7: what a fit is worth on new rows, as clusters, and as a detector of anomalies.

Real sets in five folds: the log-likelihood of the rows held out, judged at the data's resolution,
so that nobody is paid for ties: diag(h²/12), h the smallest gap between values of a column, is
added to every covariance of every contender.  Then one fit of all rows for ARI.  Clusterings of
Gagolewski's clustbench beside their published ARIs, and anomaly sets of ADBench, fitted and scored
on all rows.
"""

from __future__ import annotations

import csv
import functools
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.model_selection import KFold

from benchmarks.studies import environments, realdata
from benchmarks.studies.equal_time import missing
from benchmarks.studies.once import mclust, outliers
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.rivals.outliers import SCORES
from benchmarks.studies.simulated import Parameters
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task
from biglearn import BigLearnGaussianMixture, DoubtfulFitWarning, Mixture

NAME = "generalise"
#: Folds, and rows of a set at most: of larger ones so many are drawn.
FOLDS, MOST_ROWS, MOST_ANOMALY_ROWS = 5, 1500, 4000

Array = NDArray[np.float64]
Fit = Callable[[Array, int], "Fitted"]

#: Real sets with labels, and their number of classes.
CLASSES = {
    "iris": 3,
    "wine": 3,
    "wdbc": 2,
    "digits": 10,
    "glass": 6,
    "vehicle": 4,
    "svmguide2": 3,
    "satimage": 6,
    "pendigits": 10,
    "letter": 26,
    "covtype": 7,
    "ecoli": 8,
    "yeast": 10,
    "diabetes": 3,
    "thyroid": 3,
    "banknote": 2,
}
#: Of sets without classes, so many components: the labels of anomaly sets say nothing of clusters.
WITHOUT = {"faithful": 2, "progression": 4}
ANOMALIES = (
    "Pima",
    "Stamps",
    "WDBC",
    "Wilt",
    "annthyroid",
    "breastw",
    "cardio",
    "fault",
    "glass",
    "mammography",
    "satellite",
    "thyroid",
    "vertebral",
    "vowels",
)
ANOMALY_COMPONENTS = 4
REAL = (*CLASSES, *WITHOUT, *(f"anomaly-{name}" for name in ANOMALIES))


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted mixture as the study looks at it.

    Parameters
    ----------
    parameters : Parameters
    loo : float
        Leave-one-out log-likelihood per row; NaN where a contender has none.
    warned, doubted : bool
        Whether the fit did not converge, and whether it warned of its components.
    """

    parameters: Parameters
    loo: float = float("nan")
    warned: bool = False
    doubted: bool = False

    def mixture(self, added: Array | float = 0.0) -> Mixture:
        """Return the mixture, with variances added to the diagonal of every covariance."""
        found = self.parameters
        size = found.means.shape[1]
        covariances = found.covariances + np.diag(np.broadcast_to(added, size))
        weights = np.maximum(found.weights, 0)
        return Mixture(weights / weights.sum(), found.means, covariances)


def _ours(X: Array, n_components: int, **parameters: Any) -> Fitted:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = BigLearnGaussianMixture(
            n_components, random_state=0, n_threads=1, **parameters
        ).fit(X)
    found = model.mixture_
    kinds = [warning.category for warning in caught]
    return Fitted(
        Parameters(np.array(found.weights), np.array(found.means), np.array(found.covariances)),
        model.loo_score_,
        any(issubclass(kind, ConvergenceWarning) for kind in kinds),
        any(issubclass(kind, DoubtfulFitWarning) for kind in kinds),
    )


def _sklearn(X: Array, n_components: int, kind: Any = GaussianMixture, **parameters: Any) -> Fitted:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = kind(n_components=n_components, random_state=0, **parameters).fit(X)
    return Fitted(
        Parameters(model.weights_, model.means_, model.covariances_),
        warned=any(issubclass(warning.category, ConvergenceWarning) for warning in caught),
    )


def _mclust(X: Array, n_components: int, *, prior: bool = False) -> Fitted:
    return Fitted(mclust(X, n_components, prior=prior))


LIKELIEST: dict[str, Any] = {"prior": None, "resolution": None}
METHODS: dict[str, Fit] = {
    "sklearn": _sklearn,
    "sklearn-10": functools.partial(_sklearn, n_init=10),
    "bayesian": functools.partial(_sklearn, kind=BayesianGaussianMixture),
    "mclust": _mclust,
    "mclust-prior": functools.partial(_mclust, prior=True),
    "em": functools.partial(_ours, method="em"),
    "em-likeliest": functools.partial(_ours, method="em", **LIKELIEST),
    "search": _ours,
    "search-likeliest": functools.partial(_ours, **LIKELIEST),
    "ratio": functools.partial(_ours, max_ratio=12),
}
TITLES = {
    "sklearn": "scikit-learn, default",
    "sklearn-10": "scikit-learn, `n_init=10`",
    "bayesian": "scikit-learn, `BayesianGaussianMixture`",
    "mclust": "R mclust VVV",
    "mclust-prior": "R mclust VVV, `priorControl()`",
    "em": "biglearn `em`",
    "em-likeliest": "biglearn `em`, likelihood alone",
    "search": "biglearn, default",
    "search-likeliest": "biglearn `search`, likelihood alone",
    "ratio": "biglearn, `max_ratio=12`",
    "knn": "pyod KNN",
    "gmm": "pyod GMM",
    "iforest": "pyod IForest",
    "ecod": "pyod ECOD",
}
DENSITY = tuple(name for name in METHODS if name != "ratio")
CLUSTERING = ("sklearn", "em", "search", "search-likeliest", "ratio")
DETECTION = ("sklearn", "em", "search", "search-likeliest")
PROFILES = {
    "tiny": Plan(("iris", "clusters-wut_x1"), ("sklearn", "search"), (0,)),
    "short": Plan((*REAL, "clusters", "scores"), ("sklearn", "search"), (0,)),
    "full": Plan((*REAL, "clusters", "scores"), DENSITY, (0,)),
}


def tasks(options: Options) -> list[Task]:
    """Return one task per set and method.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """
    plan = options.plan
    pairs: list[tuple[str, str]] = []
    for name in plan.problems:
        if name == "clusters":
            sets = published(options.data)
            pairs += [(f"clusters-{one}", method) for one in sets for method in CLUSTERING]
        elif name == "scores":
            pairs += [
                (f"scores-{o}", method) for o in ANOMALIES for method in (*DETECTION, *SCORES)
            ]
        else:
            pairs += [(name, method) for method in plan.methods]
    return [
        Task(name, method, 0, (None,), functools.partial(_work, name, method, options))
        for name, method in pairs
    ]


def _work(name: str, method: str, options: Options) -> list[Cell]:
    gap = environments.gap(
        "R" if method.startswith("mclust") else "pyod" if method in SCORES else None
    )
    if gap:
        return missing(gap, (None,))
    rest = name.partition("-")[2]
    make = {"clusters": _clusters, "scores": _scores}.get(kind_of(name))
    began = time.perf_counter()
    try:
        if make is not None:
            cell = make(rest, method, options.data)
        else:
            cell = _density(name, method, options.data)
    except MissingDataError as error:
        return missing(str(error), (None,))
    except (RuntimeError, ValueError, np.linalg.LinAlgError) as error:
        cell = {"status": "failed", "message": str(error)[:200]}
    cell.setdefault("seconds", time.perf_counter() - began)
    return [{"budget": None, "status": "finished", **cell}]


def kind_of(problem: str) -> str:
    """Return of which part of the study a problem is: "density", "clusters" or "scores".

    Examples
    --------
    >>> kind_of("iris"), kind_of("scores-glass"), kind_of("anomaly-glass")
    ('density', 'scores', 'density')
    """
    kind = problem.partition("-")[0]
    return kind if kind in ("clusters", "scores") else "density"


def rows_of(name: str, data: Path | None) -> tuple[Array, NDArray[np.int64] | None, int]:
    """Return the rows of a real set, at most 1500 of them, their labels, and K."""
    if name.startswith("anomaly-"):
        X, _ = from_folder("adbench", name.removeprefix("anomaly-"), data)
        y, K = None, ANOMALY_COMPONENTS
    elif name in ("ecoli", "yeast"):
        X, ys = from_folder("clustbench", f"uci_{name}", data)
        y, K = ys[0], CLASSES[name]
    else:
        raw = realdata.load(name, data=data)
        X, y, K = raw.X, raw.y, {**CLASSES, **WITHOUT}[name]
        y = y if name in CLASSES else None
    chosen = np.arange(len(X))
    if len(X) > MOST_ROWS:
        chosen = np.random.default_rng(0).permutation(len(X))[:MOST_ROWS]
    X, y = X[chosen], None if y is None else y[chosen]
    return np.asarray(X[:, np.ptp(X, axis=0) > 0], dtype=np.float64), y, K


def from_folder(folder: str, name: str, data: Path | None) -> tuple[Array, list[NDArray[np.int64]]]:
    """Return the rows of a set in a folder of the data, and its labellings, -1 for noise."""
    path = None if data is None else Path(data) / folder / f"{name}.npz"
    if path is None or not path.exists():
        raise MissingDataError(f"no file {folder}/{name}.npz in the folder of data")
    with np.load(path) as file:
        labels = [file["y"]]
        if "y_alt" in file:
            labels += list(np.atleast_2d(file["y_alt"]))
        return file["X"].astype(np.float64), labels


def published(data: Path | None) -> dict[str, dict[str, float]]:
    """Return the published ARIs of the clusterings in the folder of data, by set."""
    path = None if data is None else Path(data) / "clustbench" / "published.csv"
    if path is None or not path.exists():
        return {}
    kept = ("sklearn_gm", "sklearn_kmeans", "genie")
    with path.open() as file:
        return {row["set"]: {k: float(row[k]) for k in kept} for row in csv.DictReader(file)}


def resolution(X: Array) -> Array:
    """Return the smallest gap between distinct values of each column, shape (D,)."""
    found = []
    for column in X.T:
        steps = np.diff(np.unique(column))
        steps = steps[steps > 1e-9 * np.abs(column).max()]
        found.append(float(steps.min()) if len(steps) else 0.0)
    return np.array(found)


def _density(name: str, method: str, data: Path | None) -> Cell:
    X, y, n_components = rows_of(name, data)
    cells = resolution(X) ** 2 / 12
    held, medians, raws, loos = [], [], [], []
    warned = doubted = 0
    seconds = 0.0
    for seen, unseen in KFold(FOLDS, shuffle=True, random_state=0).split(X):
        kept = np.ptp(X[seen], axis=0) > 0
        rows, new = X[seen][:, kept], X[unseen][:, kept]
        began = time.perf_counter()
        fitted = METHODS[method](rows, n_components)
        seconds += time.perf_counter() - began
        judged = fitted.mixture(cells[kept] + 1e-12 * rows.var(axis=0)).log_density(new)
        held.append(float(judged.mean()))
        medians.append(float(np.median(judged)))
        raws.append(_mean(fitted, new))
        loos.append(fitted.loo)
        warned, doubted = warned + fitted.warned, doubted + fitted.doubted
    whole = METHODS[method](X, n_components)
    labels = whole.mixture(1e-12 * X.var(axis=0)).responsibilities(X).argmax(axis=1)
    return {
        "N": len(X),
        "D": X.shape[1],
        "K": n_components,
        "heldout": float(np.mean(held)),
        "heldout_median": float(np.mean(medians)),
        "heldout_raw": float(np.mean(raws)),
        "loo": float(np.mean(loos)),
        "training": _mean(whole, X),
        "ari": None if y is None else float(adjusted_rand_score(y, labels)),
        "smallest": float(whole.parameters.weights.min() * len(X)),
        "not_converged": warned,
        "doubted": doubted,
        "seconds": seconds / FOLDS,
    }


def _mean(fitted: Fitted, rows: Array) -> float:
    """Return the log-likelihood per row as the contender says it."""
    return float(fitted.mixture(1e-14 * rows.var(axis=0)).log_density(rows).mean())


def _clusters(name: str, method: str, data: Path | None) -> Cell:
    X, labellings = from_folder("clustbench", name, data)
    found: dict[int, NDArray[np.int64]] = {}
    best = 0.0
    began = time.perf_counter()
    for labels in labellings:
        known = labels >= 0
        n_components = len(np.unique(labels[known]))
        if n_components not in found:
            fitted = METHODS[method](X, n_components)
            mixture = fitted.mixture(1e-12 * X.var(axis=0))
            found[n_components] = mixture.responsibilities(X).argmax(axis=1)
        best = max(best, adjusted_rand_score(labels[known], found[n_components][known]))
    return {
        "ari": float(best),
        "published": published(data).get(name, {}),
        "seconds": (time.perf_counter() - began) / len(found),
    }


def _scores(name: str, method: str, data: Path | None) -> Cell:
    X, labellings = from_folder("adbench", name, data)
    y = labellings[0]
    if len(X) > MOST_ANOMALY_ROWS:
        chosen = np.random.default_rng(0).permutation(len(X))[:MOST_ANOMALY_ROWS]
        X, y = X[chosen], y[chosen]
    began = time.perf_counter()
    if method in SCORES:
        score = -outliers(X, method)
    elif method == "sklearn":
        score = GaussianMixture(ANOMALY_COMPONENTS, random_state=0).fit(X).score_samples(X)
    else:
        parameters: dict[str, Any] = {"method": "em" if method == "em" else "search"}
        parameters |= LIKELIEST if method.endswith("likeliest") else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = BigLearnGaussianMixture(
                ANOMALY_COMPONENTS, random_state=0, n_threads=1, **parameters
            ).fit(X)
        likeliest = method.endswith("likeliest")
        score = model.score_samples(X) if likeliest else model.loo_score_samples(X)
    seconds = time.perf_counter() - began
    finite = np.nan_to_num(np.asarray(score), neginf=-1e300)
    return {
        "auroc": float(roc_auc_score(y == 1, -finite)),
        "seconds": seconds,
    }
