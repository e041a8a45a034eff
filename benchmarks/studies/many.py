"""Study: many components, beside truncated variational EM, whose steps hardly grow with K.

Everybody fits full covariances with the same floor to the same rows, and one judge says the exact
log-likelihood of what they hand back, of the fitted and of new rows.  vc-GMM has spherical and
diagonal covariances alone, and needs the library blaze; vamm is its successor, of the same group.
"""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import markdown
from benchmarks.studies import environments, processes
from benchmarks.studies.equal_time import missing
from benchmarks.studies.once import RIVALS
from benchmarks.studies.rivals.worker import clipped_log_likelihood
from benchmarks.studies.simulated import overlapping
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, every

NAME = "many"
FLOOR = 1e-3
SIZE, TRUE_COMPONENTS = 4, 400
#: Seconds after which a fit is killed.
TIMEOUT = 400.0
TITLES = {
    "em": "biglearn `em`",
    "sklearn": "scikit-learn",
    "vamm": "vamm",
    "vamm-tight": "vamm, tolerance 1e-6",
}
COUNTS = ("k25", "k50", "k100", "k200", "k400", "k1000")
PROFILES = {
    "tiny": Plan(("k5",), ("em", "sklearn"), (0,), rows=500),
    "short": Plan(COUNTS[:3], ("em", "sklearn", "vamm"), (0,), rows=10_000),
    "full": Plan(COUNTS, tuple(TITLES), (0,), rows=10_000),
}


def tasks(options: Options) -> list[Task]:
    """Return one task per number of components and method.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """
    n_rows = options.plan.rows or 10_000

    def work(problem: str, method: str, seed: int) -> list[Cell]:
        return _work(int(problem[1:]), method, seed, n_rows)

    return every(options.plan, work)


@functools.lru_cache(maxsize=1)
def _rows(n_rows: int, seed: int) -> tuple[Any, Any]:
    """Return rows and as many new ones, in the deviations of the first."""
    rng = np.random.default_rng(seed)
    X, _ = overlapping(SIZE, TRUE_COMPONENTS)(rng).sample(2 * n_rows, rng)
    X = (X - X[:n_rows].mean(axis=0)) / X[:n_rows].std(axis=0)
    return X[:n_rows], X[n_rows:]


def _work(K: int, method: str, seed: int, n_rows: int) -> list[Cell]:
    environment = "vamm" if method.startswith("vamm") else None
    gap = environments.gap(environment)
    if gap:
        return missing(gap, (None,))
    X, new = _rows(n_rows, seed)
    cell: Cell = {"budget": None, "status": "finished", "N": n_rows, "D": SIZE, "K": K}
    request = {"program": method, "K": K, "seed": seed, "floor": FLOOR}
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        np.save(folder / "rows.npy", X)
        (folder / "request.json").write_text(json.dumps(request))
        ended = processes.run(
            RIVALS / "many.py", folder, environment=environment, threads=1, timeout=TIMEOUT
        )
        if ended:
            return [cell | {"status": "killed", "message": ended}]
        cell |= json.loads((folder / "done.json").read_text())
        with np.load(folder / "model.npz") as file:
            model = (file["weights"], file["means"], file["covariances"])
    cell["components"] = len(model[0])
    cell["log_likelihood"] = clipped_log_likelihood(X, *model, FLOOR)
    cell["held_out"] = clipped_log_likelihood(new, *model, FLOOR)
    return [cell]


def table(cells: list[Cell]) -> str:
    """Return seconds and likelihoods by the number of components.

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
    for problem in sorted({c["problem"] for c in cells}, key=lambda name: int(name[1:])):
        own = {c["method"]: c for c in cells if c["problem"] == problem}
        rows.append([problem[1:], *(_shown(own.get(m)) for m in methods)])
    some: Cell = next((c for c in cells if c["status"] == "finished"), {"N": 0, "D": 0})
    note = (
        f"Seconds of one processor, log-likelihood per row of {some['N']} fitted and as many "
        f"new rows of {some['D']} features, drawn from {TRUE_COMPONENTS} components."
    )
    absent = {c["method"]: c["message"] for c in cells if c["status"] == "missing"}
    gaps = " ".join(f"{TITLES[m]}: {why}." for m, why in absent.items())
    head = ["K", *(TITLES[m] for m in methods)]
    return markdown.table(head, rows) + f"\n\n{note} {gaps}".rstrip() + "\n"


def _shown(cell: Cell | None) -> str:
    if cell is None or cell["status"] == "missing":
        return "–"
    if cell["status"] != "finished":
        return str(cell["message"]).partition(":")[0]
    lost = cell["K"] - cell["components"]
    left = f", {lost} given up" if lost else ""
    scores = f"{cell['log_likelihood']:.3f}, {cell['held_out']:.3f}"
    return f"{cell['cpu']:.2g} s, {scores}{left}"
