"""Study 11: a mixture per class as a classifier, in log-loss and accuracy on new rows.

Real sets in five stratified folds, beside scikit-learn's quadratic discriminant analysis and
`MclustDA` of R's mclust, each as its users call it.  Classes of fewer than ten rows and constant
columns are left out.  Probabilities are at least 1e-15 in the log-loss of everyone.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold

from benchmarks import markdown
from benchmarks.studies import environments, realdata
from benchmarks.studies.equal_time import missing
from benchmarks.studies.generalise import from_folder
from benchmarks.studies.once import RIVALS
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, every
from biglearn import BigLearnClassifier

NAME = "classes"
FOLDS, LEAST_ROWS, LEAST_PROBABILITY = 5, 10, 1e-15

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

SETS = (
    "iris",
    "wine",
    "diabetes",
    "thyroid",
    "banknote",
    "wdbc10",
    "glass",
    "ecoli",
    "yeast",
    "wdbc",
)
CLUSTBENCH = ("glass", "ecoli", "yeast")


def _ours(X: Array, y: Labels, new: Array, seed: int, n_components: int | str) -> Array:
    model = BigLearnClassifier(
        n_components, random_state=seed, mixture_params={"n_threads": 1}
    ).fit(X, y)
    return model.predict_proba(new)


def _qda(X: Array, y: Labels, new: Array, seed: int) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(QuadraticDiscriminantAnalysis().fit(X, y).predict_proba(new))


def _mclust_da(X: Array, y: Labels, new: Array, seed: int) -> Array:
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        for stem, values in (("rows", X), ("labels", y), ("new", new)):
            np.asarray(values, dtype=np.float64).ravel(order="F").tofile(folder / stem)
        arguments = [folder, *X.shape, len(new)]
        run = subprocess.run(
            ["Rscript", "--vanilla", str(RIVALS / "mclust_da.R"), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=900,
        )
        if run.returncode:
            raise RuntimeError(f"MclustDA returned no model (exit status {run.returncode})")
        values = np.fromfile(folder / "posteriors", dtype=np.float64)
        return values.reshape(-1, len(new)).T


METHODS: dict[str, Callable[[Array, Labels, Array, int], Array]] = {
    "one": functools.partial(_ours, n_components=1),
    "auto": functools.partial(_ours, n_components="auto"),
    "qda": _qda,
    "mclust-da": _mclust_da,
}
TITLES = {
    "one": "`BigLearnClassifier()`",
    "auto": '`BigLearnClassifier("auto")`',
    "qda": "scikit-learn QDA",
    "mclust-da": "R mclust MclustDA",
}
PROFILES = {
    "tiny": Plan(("iris",), ("one", "qda"), (0,)),
    "short": Plan(SETS[:6], tuple(METHODS), (0,)),
    "full": Plan(SETS, tuple(METHODS), (0,)),
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
    return every(options.plan, functools.partial(_work, options=options))


def rows_of(name: str, data: Path | None) -> tuple[Array, Labels]:
    """Return the rows of a set and their classes, those of too few rows left out."""
    if name in CLUSTBENCH:
        X, (y, *_) = from_folder("clustbench", f"uci_{name}", data)
    else:
        raw = realdata.load(name, data=data)
        assert raw.y is not None
        X, y = raw.X, raw.y
    names, counts = np.unique(y, return_counts=True)
    kept = np.isin(y, names[counts >= LEAST_ROWS])
    X, y = X[kept], np.unique(y[kept], return_inverse=True)[1]
    return np.asarray(X[:, np.ptp(X, axis=0) > 0], dtype=np.float64), y.astype(np.int64)


def _work(name: str, method: str, seed: int, options: Options) -> list[Cell]:
    gap = environments.gap("R" if method == "mclust-da" else None)
    if gap:
        return missing(gap, (None,))
    try:
        X, y = rows_of(name, options.data)
    except MissingDataError as error:
        return missing(str(error), (None,))
    size = {"budget": None, "N": len(X), "D": X.shape[1], "classes": int(y.max()) + 1}
    posteriors = np.empty((len(X), size["classes"]))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    began = time.perf_counter()
    try:
        for seen, unseen in folds.split(X, y):
            posteriors[unseen] = METHODS[method](X[seen], y[seen], X[unseen], seed)
    except (RuntimeError, ValueError, np.linalg.LinAlgError, subprocess.SubprocessError) as error:
        return [{**size, "status": "failed", "message": str(error)[:200]}]
    seconds = (time.perf_counter() - began) / FOLDS
    own = posteriors[np.arange(len(y)), y]
    return [
        {
            **size,
            "status": "finished",
            "log_loss": float(-np.log(np.clip(own, LEAST_PROBABILITY, 1)).mean()),
            "accuracy": float((posteriors.argmax(axis=1) == y).mean()),
            "seconds": seconds,
        }
    ]


def wins(cells: list[Cell], method: str, other: str) -> tuple[int, int]:
    """Return on how many sets a method has the lower log-loss, of those where both have one.

    Parameters
    ----------
    cells : list of dict
    method, other : str

    Examples
    --------
    >>> cell = {"problem": "p", "seed": 0, "status": "finished"}
    >>> mine, theirs = ({**cell, "method": m, "log_loss": v} for m, v in [("a", 0.1), ("b", 0.2)])
    >>> wins([mine, theirs], "a", "b")
    (1, 1)
    """
    own, others = (
        {c["problem"]: c["log_loss"] for c in cells if c["method"] == m and "log_loss" in c}
        for m in (method, other)
    )
    both = [problem for problem in own if problem in others]
    return sum(own[p] < others[p] for p in both), len(both)


def table(cells: list[Cell]) -> str:
    """Return log-loss and accuracy of every set and method, and who is ahead on how many.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
    """
    done = [c for c in cells if c["status"] != "missing"]
    if not done:
        return "No results yet.\n"
    methods = [m for m in METHODS if any(c["method"] == m for c in done)]
    rows = []
    for problem in dict.fromkeys(n for n in SETS if any(c["problem"] == n for c in done)):
        own = {c["method"]: c for c in done if c["problem"] == problem}
        losses = [c["log_loss"] for c in own.values() if "log_loss" in c]
        first = next(iter(own.values()))
        size = f"{problem}, {first['N']} × {first['D']}, {first['classes']}"
        rows.append([size, *(_entry(own.get(m), min(losses)) for m in methods)])
    rows.append(["seconds a fit, median", *(_seconds(done, m) for m in methods)])
    head = ["log-loss, accuracy on new rows", *(TITLES[m] for m in methods)]
    lines = [
        f"{TITLES[m]}: lower log-loss than {TITLES[o]} on {won} of {both} sets."
        for m in ("one", "auto")
        for o in ("qda", "mclust-da")
        for won, both in [wins(done, m, o)]
        if both
    ]
    return "\n\n".join([markdown.table(head, rows), "\n".join(f"- {line}" for line in lines)])


def _entry(cell: Cell | None, least: float) -> str:
    if cell is None:
        return "–"
    if "log_loss" not in cell:
        return "no model"
    loss = f"{cell['log_loss']:.3f}"
    loss = f"**{loss}**" if cell["log_loss"] <= least else loss
    return f"{loss}, {cell['accuracy']:.3f}"


def _seconds(cells: list[Cell], method: str) -> str:
    own = [c["seconds"] for c in cells if c["method"] == method and "seconds" in c]
    return f"{np.median(own):.1f} (mean {mean(own):.1f})" if own else "–"
