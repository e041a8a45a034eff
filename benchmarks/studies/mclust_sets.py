"""Study: the data sets of R's mclust, with R's mclust as judge.

Everybody fits full covariances (its model VVV) and the same number of components in the data's own
units.  R reads the parameters, and its own functions say log-likelihood, BIC and adjusted Rand
index.  The sets of R's tclust are a gap: it is not among Debian's packages.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import markdown
from benchmarks.studies import environments
from benchmarks.studies.equal_time import missing
from benchmarks.studies.generalise import METHODS, TITLES
from benchmarks.studies.once import RIVALS
from benchmarks.studies.simulated import Array, Parameters
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, every

NAME = "mclust-sets"

#: Sets by their number of classes, as their help pages name them.
CLASSES = {
    "banknote": 2,
    "chevron": 2,
    "cross": 2,
    "diabetes": 3,
    "thyroid": 3,
    "wdbc": 2,
}
#: Sets without classes; K is what mclust's own BIC chooses for VVV among 1 to 9, for wreath its 14.
WITHOUT = {
    "acidity": 3,
    "ex4.1": 4,
    "ex4.2": 5,
    "ex4.3": 2,
    "ex4.4.1": 4,
    "ex4.4.2": 6,
    "Test1D": 8,
    "GvHD.control": 8,
    "GvHD.pos": 9,
    "wreath": 14,
}
COMPONENTS = CLASSES | WITHOUT
COMPARED = ("mclust", "mclust-prior", "search", "search-likeliest", "em")
GAP_OF_TCLUST = "tclust is not among Debian's packages of R"
PROFILES = {
    "tiny": Plan(("banknote", "acidity"), ("mclust", "em"), (0,)),
    "short": Plan(("banknote", "diabetes", "thyroid", "acidity", "wreath"), COMPARED, (0,)),
    "full": Plan((*COMPONENTS, "tclust"), COMPARED, (0,)),
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
    return every(options.plan, lambda problem, method, seed: _work(problem, method))


def _work(name: str, method: str) -> list[Cell]:
    gap = environments.gap("R") or (GAP_OF_TCLUST if name == "tclust" else "")
    if gap:
        return missing(gap, (None,))
    X, labels = rows_of(name)
    K = COMPONENTS[name]
    METHODS[method](X[:60], 1)  # compiled loops, or R's package, are loaded
    cell: Cell = {"budget": None, "status": "finished", "N": len(X), "D": X.shape[1], "K": K}
    began, used = time.perf_counter(), time.process_time()
    try:
        found = METHODS[method](X, K).parameters
        used, seconds = time.process_time() - used, time.perf_counter() - began
        cell |= judged(X, found, labels)
    except RuntimeError as error:
        return [cell | {"status": "no model", "message": str(error)[:200]}]
    smallest = float(found.weights.min() * len(X))
    cpu = None if method.startswith("mclust") else used  # it works in another process
    return [cell | {"seconds": seconds, "cpu": cpu, "smallest": smallest}]


def _run(script: str, *arguments: Any) -> str:
    run = subprocess.run(
        ["Rscript", "--vanilla", str(RIVALS / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    if run.returncode:
        raise RuntimeError(f"{script} failed: {run.stderr.strip()[-200:]}")
    return run.stdout


@functools.cache
def rows_of(name: str) -> tuple[Array, NDArray[np.int32]]:
    """Return the rows of one of mclust's sets, and its labels, from 1; none where it has none."""
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as folder:
        paths = Path(folder, "rows"), Path(folder, "labels")
        n_rows, size = map(int, _run("mclust_rows.R", name, *paths).split())
        X = np.fromfile(paths[0]).reshape(size, n_rows).T
        return np.ascontiguousarray(X), np.fromfile(paths[1], dtype=np.int32)


def judged(X: Array, found: Parameters, labels: NDArray[np.int32]) -> Cell:
    """Return what R's mclust says of a mixture.

    Parameters
    ----------
    X : array of shape (N, D)
    found : Parameters
    labels : array of shape (N,) or (0,)

    Returns
    -------
    dict
        With log_likelihood in all, bic as mclust signs it (higher is better) and ari.

    Raises
    ------
    RuntimeError
        Where R refuses the parameters.
    """
    (n_rows, size), K = X.shape, len(found.weights)
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        X.ravel(order="F").tofile(folder / "rows")
        parts = [found.weights, found.means.ravel(order="F"), found.covariances.ravel()]
        np.concatenate(parts).astype(np.float64).tofile(folder / "model")
        labels.astype(np.int32).tofile(folder / "labels")
        sizes = (n_rows, size, K)
        files = (folder / "model", folder / "labels")
        said = _run("mclust_judge.R", folder / "rows", *sizes, *files).split()
    return {
        "log_likelihood": float(said[0]),
        "bic": float(said[1]),
        "ari": None if said[2] == "NA" else float(said[2]),
        "rival_versions": {"mclust": said[3]},
    }


def table(cells: list[Cell]) -> str:
    """Return what R says of everybody's fit of every set, and who is ahead how often.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    methods = [m for m in COMPARED if any(c["method"] == m for c in cells)]
    done = [c for c in cells if c["status"] == "finished"]
    rows = []
    for problem in (p for p in COMPONENTS if any(c["problem"] == p for c in done)):
        own = {c["method"]: c for c in done if c["problem"] == problem}
        some = next(iter(own.values()))
        row = [problem, f"{some['N']} × {some['D']}, {some['K']}"]
        rows.append(row + [_shown(own.get(m)) for m in methods])
    head = ["set", "N × D, K", *(TITLES[m] for m in methods)]
    note = (
        "Log-likelihood, BIC as mclust signs it (higher is better), adjusted Rand index where the "
        "set has classes, rows of the smallest component; all by R's mclust."
    )
    absent = {c["problem"]: c["message"] for c in cells if c["status"] == "missing"}
    gaps = " ".join(f"{problem}: {why}." for problem, why in absent.items())
    return "\n\n".join([markdown.table(head, rows), f"{note} {gaps}".strip(), _ahead(done)]) + "\n"


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    ari = "" if cell["ari"] is None else f", **{cell['ari']:.2f}**"
    return f"{cell['log_likelihood']:.1f}, {cell['bic']:.0f}{ari}, {cell['smallest']:.0f} rows"


def _ahead(done: list[Cell]) -> str:
    """Return on how many sets each method is ahead of mclust, level with it and behind."""
    found = {(c["problem"], c["method"]): c for c in done}
    rows = []
    for method in (m for m in COMPARED if m != "mclust"):
        both = [p for p, m in found if m == method and (p, "mclust") in found]
        pairs = [(found[p, method], found[p, "mclust"]) for p in both]
        if pairs:
            values = [a["log_likelihood"] - b["log_likelihood"] for a, b in pairs]
            aris = [a["ari"] - b["ari"] for a, b in pairs if a["ari"] is not None]
            rows.append([TITLES[method], _counts(values, 0.01), _counts(aris, 0.005)])
    head = ["beside R mclust VVV", "likelihood: higher, level, lower", "ARI: higher, level, lower"]
    return markdown.table(head, rows)


def _counts(differences: list[float], level: float) -> str:
    above = sum(d > level for d in differences)
    below = sum(d < -level for d in differences)
    return f"{above}, {len(differences) - above - below}, {below}"
