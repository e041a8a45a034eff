"""Study: hidden values are filled, and compared with what was hidden.

Values are hidden completely at random.  The log-score is the mean log-density of a hidden value:
ours is that of the exact conditional of all that a row hides; the others, which have none, get
the best single Gaussian for their errors, fitted on those very errors.
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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

from benchmarks import markdown
from benchmarks.studies import environments, realdata
from benchmarks.studies.equal_time import missing as gaps_of
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.simulated import Array, Parameters
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task
from biglearn import CovariancePrior, GaussianMixture

NAME = "missing"
MICE = Path(__file__).parent / "rivals" / "mice.R"

#: Seconds after which a search ends; its best model by then fills the gaps.
MOST_SECONDS = 8.0

#: The same for EM, which takes minutes where every row has gaps of its own.
MOST_EM_SECONDS = 240.0
MOST_ROWS = 2000

#: Components by set: fixed, the same at every share of gaps.
COMPONENTS = {"wdbc": 2, "wine": 3, "vehicle": 4, "pendigits": 10, "simulated": 5}
OURS: dict[str, dict[str, Any]] = {
    "search": {"max_time": MOST_SECONDS},
    "em": {"method": "em", "max_time": MOST_EM_SECONDS},
    "one": {"method": "em", "n_components": 1},
    "ridge": {"method": "em", "n_components": 1, "prior": "ridge"},
    "ridge-loo": {"method": "em", "n_components": 1, "prior": "ridge-loo"},
}
IMPUTERS: dict[str, Callable[[int], Any]] = {
    "iterative": lambda seed: IterativeImputer(random_state=seed),
    "knn": lambda seed: KNNImputer(),
    "means": lambda seed: SimpleImputer(),
}
TITLES = {
    "search": f"biglearn, default, {MOST_SECONDS:.0f} s",
    "em": "biglearn `em`",
    "one": "biglearn, one Gaussian",
    "ridge": "one Gaussian with a ridge",
    "ridge-loo": "one Gaussian, ridge by leave-one-out",
    "iterative": "IterativeImputer",
    "mice": "R mice, mean of 5",
    "knn": "KNNImputer",
    "means": "column means",
}
SHARES = (0.1, 0.3, 0.5)
PROFILES = {
    "tiny": Plan(("wine",), ("em", "iterative", "means"), (0,), (0.1,)),
    "short": Plan(("wine", "simulated"), tuple(TITLES), (0,), (0.3,)),
    "full": Plan(tuple(COMPONENTS), tuple(TITLES), (0, 1), SHARES),
}


def tasks(options: Options) -> list[Task]:
    """Return one task per set, method, seed and share of gaps, which stands as the budget.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """
    plan = options.plan
    return [
        Task(p, m, s, (share,), functools.partial(_work, p, m, s, share, options))
        for s in plan.seeds
        for p in plan.problems
        for share in plan.budgets
        for m in plan.methods
    ]


def rows_of(name: str, seed: int, data: Path | None) -> Array:
    """Return the rows of a set, 2000 at most, with mean 0 and deviation 1 in each column."""
    rng = np.random.default_rng(seed)
    if name == "simulated":
        factors = rng.normal(size=(5, 8, 8)) / 3
        covariances = factors @ np.swapaxes(factors, 1, 2) + 0.05 * np.eye(8)
        truth = Parameters(np.full(5, 0.2), 1.5 * rng.normal(size=(5, 8)), covariances)
        X, _ = truth.sample(MOST_ROWS, rng)
    else:
        X = realdata.load(name, data=data).X
        chosen = rng.choice(len(X), min(MOST_ROWS, len(X)), replace=False)
        X = X[np.sort(chosen)]
    scaled: Array = (X - X.mean(axis=0)) / X.std(axis=0)
    return scaled


def hide(X: Array, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which values are hidden, completely at random; every row keeps one."""
    hidden: NDArray[np.bool_] = rng.random(X.shape) < share
    hidden[hidden.all(axis=1), 0] = False
    return hidden


def _work(name: str, method: str, seed: int, share: float, options: Options) -> list[Cell]:
    reason = environments.gap_of_r("mice") if method == "mice" else ""
    if reason:
        return gaps_of(reason, (share,))
    try:
        X = rows_of(name, seed, options.data)
    except MissingDataError as error:
        return gaps_of(str(error), (share,))
    hidden = hide(X, share, np.random.default_rng(1000 + seed))
    gappy = np.where(hidden, np.nan, X)
    cell: Cell = {"budget": share, "status": "finished", "N": len(X), "D": X.shape[1]}
    if method in OURS:
        cell |= _by_mixture(gappy, X, hidden, {"n_components": COMPONENTS[name], **OURS[method]})
    elif method == "mice":
        cell |= _by_mice(gappy, seed)
    else:
        cell |= _timed(lambda: IMPUTERS[method](seed).fit_transform(gappy))
    errors = (cell.pop("filled") - X)[hidden]
    cell["rmse"] = float(np.sqrt((errors**2).mean()))
    cell.setdefault("log_score", float(-0.5 * np.log(2 * np.pi * np.e * (errors**2).mean())))
    return [cell]


def _timed(fill: Callable[[], Array]) -> Cell:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some do not converge; their scores show it
        began, used = time.perf_counter(), time.process_time()
        filled = fill()
        used = time.process_time() - used
    return {"filled": filled, "seconds": time.perf_counter() - began, "cpu": used}


def _by_mixture(
    gappy: Array, X: Array, hidden: NDArray[np.bool_], parameters: dict[str, Any]
) -> Cell:
    if "prior" in parameters:  # of independent features, as R's norm has one
        size = X.shape[1]
        rows = 0.3 * (size + 1) if parameters["prior"] == "ridge" else "auto"
        parameters = parameters | {"prior": CovariancePrior(np.eye(size), rows)}
    model = GaussianMixture(random_state=0, n_threads=1, **parameters)
    _warm(parameters.get("method", "search"))
    cell = _timed(lambda: np.asarray(model.fit(gappy).impute(gappy)))
    told = model.score_samples(X) - model.score_samples(gappy)  # log p(hidden | seen), exactly
    return cell | {
        "K": model.n_components,
        "log_score": float(told.sum() / hidden.sum()),
        "pseudo_rows": model.prior_rows_,
        "passes": len(model.history_),
    }


@functools.cache
def _warm(method: str) -> None:
    """Load compiled loops before anything is timed."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GaussianMixture(2, method=method, max_time=2, random_state=0, n_threads=1).fit(X)


def _by_mice(gappy: Array, seed: int) -> Cell:
    """Fill by R's mice with its defaults; the mean of its five completed sets."""
    (n_rows, size) = gappy.shape
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        gappy.ravel(order="F").tofile(folder / "rows")
        arguments = [folder / "rows", n_rows, size, seed, folder / "filled"]
        run = subprocess.run(
            ["Rscript", "--vanilla", str(MICE), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if run.returncode:
            raise RuntimeError(f"mice failed (exit status {run.returncode}): {run.stderr[-200:]}")
        seconds, cpu, version = run.stdout.split()[-3:]
        filled = np.fromfile(folder / "filled").reshape(size, n_rows).T
    versions = {"mice": version}
    return {
        "filled": filled,
        "seconds": float(seconds),
        "cpu": float(cpu),
        "rival_versions": versions,
    }


def table(cells: list[Cell]) -> str:
    """Return errors, log-scores and seconds, means over the seeds, then how often who wins.

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
    found: dict[tuple[str, float, str], tuple[float, float, float]] = {}
    for problem, share in dict.fromkeys((c["problem"], c["budget"]) for c in cells):
        row = [f"{problem}, {share:.0%} hidden"]
        for method in methods:
            own = [
                c
                for c in cells
                if (c["problem"], c["budget"], c["method"]) == (problem, share, method)
                and c["status"] == "finished"
            ]
            if not own:
                row.append("–")
                continue
            error, score, cpu = (mean(c[n] for c in own) for n in ("rmse", "log_score", "cpu"))
            found[problem, share, method] = (error, score, cpu)
            row.append(f"{error:.3f}, {score:.2f}, {cpu:.2g} s")
        rows.append(row)
    note = (
        "Root mean squared error in deviations, log-score (higher is better), seconds of one "
        f"processor; seeds: {', '.join(map(str, sorted({c['seed'] for c in cells})))}."
    )
    absent = {c["method"]: c["message"] for c in cells if c["status"] == "missing"}
    gaps = " ".join(f"{TITLES[m]}: {why}." for m, why in absent.items())
    head = ["set", *(TITLES[m] for m in methods)]
    parts = [markdown.table(head, rows), f"{note} {gaps}".strip(), _wins(found, methods)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _wins(found: dict[tuple[str, float, str], tuple[float, float, float]], methods: Any) -> str:
    """Return how often each method has the lower error, higher score, less time than a rival."""
    rows = []
    pairs = list(dict.fromkeys(key[:2] for key in found))
    for ours in (m for m in methods if m in OURS):
        for rival in ("iterative", "mice", "knn"):
            both = [p for p in pairs if (*p, ours) in found and (*p, rival) in found]
            if both:
                mine = [found[(*p, ours)] for p in both]
                others = [found[(*p, rival)] for p in both]
                each = list(zip(mine, others, strict=True))
                counts = [
                    sum(a[0] < b[0] for a, b in each),
                    sum(a[1] > b[1] for a, b in each),
                    sum(a[2] <= b[2] for a, b in each),
                ]
                shown = [f"{count} of {len(both)}" for count in counts]
                rows.append([TITLES[ours], TITLES[rival], *shown])
    head = ["ours", "beside", "lower error", "higher log-score", "no more time"]
    return markdown.table(head, rows) if rows else ""
