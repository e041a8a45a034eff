"""Study: the number of components is chosen on sets whose number of clusters is known.

A class is not always a Gaussian, so on real sets the known number is that of the classes, and the
adjusted Rand index of the labels stands beside it.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture as Sklearn

from benchmarks import markdown
from benchmarks.studies import environments, realdata
from benchmarks.studies.equal_time import missing
from benchmarks.studies.once import RIVALS
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.simulated import Array, Truth, grid, overlapping, unbalanced
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, every
from biglearn import GaussianMixture, select_mixture

NAME = "selection"
MOST, MOST_ROWS = 12, 1500

#: Simulated sets: the truth, the rows, and the number.
SIMULATED: dict[str, tuple[Truth, int, int]] = {
    "4 on a grid": (grid(2), 400, 4),
    "9 on a grid": (grid(3), 900, 9),
    "5 in 8-D": (overlapping(8, 5, distance=4.0), 1000, 5),
    "10 unequal in 5-D": (unbalanced(10, 5), 2000, 10),
}
REAL = {
    "iris": 3,
    "wine": 3,
    "wdbc": 2,
    "banknote": 2,
    "thyroid": 3,
    "diabetes": 3,
    "pendigits": 10,
}

#: What chooses K: from rows to their labels, K, and the processor's seconds if elsewhere.
Chosen = tuple[NDArray[Any], int, float | None]
Rule = Callable[[Array], Chosen]


def _auto(X: Array) -> Chosen:
    model = GaussianMixture("auto", random_state=0, n_threads=1).fit(X)
    return model.predict(X), model.mixture_.n_components, None


def _selected(X: Array, **parameters: Any) -> Chosen:
    sizes = range(1, MOST + 1)
    found = select_mixture(X, sizes, random_state=0, n_threads=1, **parameters)
    return found.best_estimator_.predict(X), found.best.n_components, None


def _leave_one_out(X: Array) -> Chosen:
    """Fit every K by itself, and take the best leave-one-out likelihood."""
    fits = [
        GaussianMixture(k, method="em", random_state=0, n_threads=1).fit(X)
        for k in range(1, MOST + 1)
    ]
    best = max(fits, key=lambda fit: fit.loo_score_)
    return best.predict(X), best.mixture_.n_components, None


def _sklearn(X: Array) -> Chosen:
    fits = [Sklearn(k, n_init=3, random_state=0).fit(X) for k in range(1, MOST + 1)]
    best = min(fits, key=lambda fit: fit.bic(X))
    return best.predict(X), best.n_components, None


def _mclust(X: Array, models: str) -> Chosen:
    n_rows, size = X.shape
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        X.ravel(order="F").tofile(folder / "rows")
        arguments = [folder / "rows", n_rows, size, MOST, models, folder / "labels"]
        run = subprocess.run(
            ["Rscript", "--vanilla", str(RIVALS / "mclust_choose.R"), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if run.returncode:
            raise RuntimeError(f"mclust failed: {run.stderr.strip()[-200:]}")
        number, _, cpu, _ = run.stdout.split()
        return np.fromfile(folder / "labels", dtype=np.int32), int(number), float(cpu)


@functools.cache
def _warm() -> None:
    """Load compiled loops before anything is timed."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(centre, 1.0, size=(40, 2)) for centre in (0, 8)])
    for rule in (_auto, _selected, _leave_one_out):
        rule(X)


METHODS: dict[str, Rule] = {
    "auto": _auto,
    "bic": _selected,
    "icl": functools.partial(_selected, criterion="icl"),
    "structures": functools.partial(_selected, covariance_type=["full", "tied", "diag"]),
    "loo": _leave_one_out,
    "sklearn": _sklearn,
    "mclust": functools.partial(_mclust, models="all"),
    "mclust-vvv": functools.partial(_mclust, models="VVV"),
}
TITLES = {
    "auto": '`n_components="auto"`',
    "bic": "`select_mixture`, BIC",
    "icl": "ICL",
    "structures": "BIC, three structures",
    "loo": "`em` by leave-one-out",
    "sklearn": "scikit-learn, BIC",
    "mclust": "R mclust, all models",
    "mclust-vvv": "R mclust VVV",
}
PROFILES = {
    "tiny": Plan(("4 on a grid",), ("auto", "sklearn"), (0,)),
    "short": Plan((*SIMULATED, "iris", "wine"), ("auto", "bic", "sklearn", "mclust"), (0,)),
    "full": Plan((*SIMULATED, *REAL), tuple(METHODS), (0,)),
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
    return every(options.plan, functools.partial(_work, options=options))


def rows_of(name: str, seed: int, data: Path | None) -> tuple[Array, NDArray[np.int64], int]:
    """Return rows, 1500 of a real set at most, labels, and the known number."""
    rng = np.random.default_rng(seed)
    if name in SIMULATED:
        truth, n_rows, number = SIMULATED[name]
        X, y = truth(rng).sample(n_rows, rng)
        return X, y, number
    raw = realdata.load(name, data=data)
    assert raw.y is not None
    chosen = np.sort(rng.permutation(len(raw.X))[:MOST_ROWS])
    return raw.X[chosen], raw.y[chosen], REAL[name]


def _work(name: str, method: str, seed: int, options: Options) -> list[Cell]:
    gap = environments.gap("R") if method.startswith("mclust") else ""
    if gap:
        return missing(gap, (None,))
    try:
        X, y, number = rows_of(name, seed, options.data)
    except MissingDataError as error:
        return missing(str(error), (None,))
    cell: Cell = {"budget": None, "status": "finished", "N": len(X), "D": X.shape[1]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a K at the end of the range, fits that do not converge
        _warm()
        began, used = time.perf_counter(), time.process_time()
        labels, found, cpu = METHODS[method](X)
        used, seconds = time.process_time() - used, time.perf_counter() - began
    return [
        cell
        | {
            "known": number,
            "found": int(found),
            "ari": float(adjusted_rand_score(y, labels)),
            "seconds": seconds,
            "cpu": used if cpu is None else cpu,
        }
    ]


def table(cells: list[Cell]) -> str:
    """Return the number that everybody chose and the ARI, then how often it is the known one.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    methods = [m for m in METHODS if any(c["method"] == m for c in cells)]
    done = {(c["problem"], c["method"]): c for c in cells if c["status"] == "finished"}
    problems = [p for p in (*SIMULATED, *REAL) if any(key[0] == p for key in done)]
    rows = []
    for problem in problems:
        some = next(c for key, c in done.items() if key[0] == problem)
        row = [problem, f"{some['N']} × {some['D']}", str(some["known"])]
        own = (done.get((problem, method)) for method in methods)
        rows.append(row + [_shown(c) for c in own])
    head = ["set", "N × D", "known", *(TITLES[m] for m in methods)]
    return f"{markdown.table(head, rows)}\n\n{_summary(done, methods)}\n"


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    number = f"**{cell['found']}**" if cell["found"] == cell["known"] else str(cell["found"])
    return f"{number}, {cell['ari']:.2f}, {cell['cpu']:.2g} s"


def _summary(done: dict[tuple[str, str], Cell], methods: list[str]) -> str:
    rows = []
    for method in methods:
        row = [TITLES[method]]
        for names in (SIMULATED, REAL):
            own = [c for (p, m), c in done.items() if m == method and p in names]
            hits = sum(c["found"] == c["known"] for c in own)
            row.append(f"{hits} of {len(own)}" if own else "–")
        rows.append(row)
    note = "The number chosen (bold where it is the known one), ARI, seconds of one processor."
    head = ["chosen by", "known number, simulated", "real"]
    return f"{note}\n\n{markdown.table(head, rows)}"
