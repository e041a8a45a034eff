"""How many legs a search makes in a second, and how much of its time is in compiled loops.

    python -m benchmarks.legs --output benchmarks/results/legs.json --before CHECKOUT --seconds 10

`--before` is another checkout of the library; both run the same problems in turn, one thread each,
with the likelihood of the rows alone as objective.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import markdown
from benchmarks.studies import store

ROOT = Path(__file__).parents[1]

#: Functions of `biglearn.kernels` that return compiled loops.
LOOPS = ("passes", "triangles", "climbs", "patches", "overlaps")

#: The five problems whose profile was taken first, and larger ones.
PROBLEMS = {
    "30 clusters, D = 5": ("overlap", 5, 30, 5000),
    "81 on a grid, D = 2": ("grid", 2, 81, 4000),
    "20 clusters, D = 10": ("overlap", 10, 20, 4000),
    "unbalanced, K = 10, D = 5": ("unbalanced", 5, 10, 2000),
    "60 clusters, D = 2": ("overlap", 2, 60, 6000),
    "200 clusters, D = 10": ("overlap", 10, 200, 20_000),
}


def rows_of(name: str) -> Any:
    """Return the standardised rows of a problem.

    Parameters
    ----------
    name : str
        A key of `PROBLEMS`.

    Returns
    -------
    array of shape (N, D)
    """
    import numpy as np

    from benchmarks.studies import simulated

    kind, size, count, n_rows = PROBLEMS[name]
    rng = np.random.default_rng(0)
    truths = {
        "overlap": lambda: simulated.overlapping(size, count),
        "grid": lambda: simulated.grid(round(count**0.5)),
        "unbalanced": lambda: simulated.unbalanced(count, size),
    }
    X, _ = truths[kind]()(rng).sample(n_rows, rng)
    return (X - X.mean(axis=0)) / X.std(axis=0)


def thinned(curve: list[list[float]]) -> list[list[float]]:
    """Return the points of a curve at which it rises."""
    kept: list[list[float]] = []
    for point in curve:
        if not kept or point[1] > kept[-1][1] + 1e-5:
            kept.append([round(point[0], 3), round(point[1], 6)])
    return kept


def child(name: str, seconds: float) -> dict[str, Any]:
    """Search for some seconds in this process.

    Parameters
    ----------
    name : str
    seconds : float

    Returns
    -------
    dict
        Legs per second, the share of the time in compiled loops, and the best likelihood.
    """
    inside = [0.0]

    def timed(loop: Any) -> Any:
        def run(*arguments: Any) -> None:
            began = time.perf_counter()
            loop(*arguments)
            inside[0] += time.perf_counter() - began

        return run

    def watched(function: Any) -> Any:
        @functools.cache
        def loops(*arguments: Any) -> Any:
            made = function(*arguments)
            parts = {k: timed(v) for k, v in made._asdict().items() if callable(v)}
            return made._replace(**parts)

        return loops

    X = rows_of(name)
    import numpy as np

    from biglearn import BigLearnGaussianMixture, kernels

    kernels.load(np.dtype(np.float64))
    for function in LOOPS:
        if hasattr(kernels, function):  # those of other versions are others
            setattr(kernels, function, watched(getattr(kernels, function)))
    settings: dict[str, Any] = {"prior": None, "resolution": None, "init_params": "k-means++"}
    model = BigLearnGaussianMixture(
        PROBLEMS[name][2],
        max_time=seconds,
        reg_covar=1e-3,
        scaling="none",
        random_state=0,
        n_threads=1,
        **settings,
    )
    began = time.perf_counter()
    model.fit(X)
    took = time.perf_counter() - began
    moves = [record.move for record in model.history_]
    legs = sum(one != "em" and other == "em" for one, other in pairwise(moves))
    return {
        "legs_per_second": legs / took,
        "compiled_share": inside[0] / took,
        "log_likelihood": model.lower_bound_,
        "curve": thinned([[r.seconds, r.best] for r in model.history_ if np.isfinite(r.best)]),
        "seconds": took,
    }


def run(checkout: Path, name: str, seconds: float) -> dict[str, Any]:
    """Search in a process of its own, with the library of a checkout.

    Parameters
    ----------
    checkout : pathlib.Path
    name : str
    seconds : float

    Returns
    -------
    dict
        See `child`.
    """
    paths = os.pathsep.join([str(checkout / "src"), str(ROOT)])
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.legs", "--child", name, "--seconds", str(seconds)],
        env={**os.environ, **threads, "PYTHONPATH": paths},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def time_to(curve: list[list[float]], goal: float) -> float:
    """Return when a curve of (seconds, value) first reaches a goal; infinite if never."""
    return min((seconds for seconds, value in curve if value >= goal), default=float("inf"))


def table(path: Path) -> str:
    """Return the table of a result file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    str
        Markdown.
    """
    result = json.loads(path.read_text())
    head = ["problem", "legs per second, before", "now", "ratio", "share in compiled loops, before"]
    head += ["now", "best before", "now", "seconds to the best before, now"]
    rows = []
    for name, (before, now) in result["problems"].items():
        ratio = now["legs_per_second"] / before["legs_per_second"]
        goal = before["log_likelihood"] - 1e-4
        reached = time_to(now["curve"], goal)
        if now["log_likelihood"] >= goal:  # the time may end before the last step is recorded
            reached = min(reached, now["seconds"])
        row = [
            name,
            f"{before['legs_per_second']:.2f}",
            f"{now['legs_per_second']:.2f}",
            f"{ratio:.1f}",
            f"{100 * before['compiled_share']:.0f} %",
            f"{100 * now['compiled_share']:.0f} %",
            f"{before['log_likelihood']:.4f}",
            f"{now['log_likelihood']:.4f}",
            f"{reached:.1f} of {before['seconds']:.0f}"
            if reached < float("inf")
            else "not reached",
        ]
        rows.append(row)
    about = result["about"]
    note = (
        f"{about['seconds']:g} s each on one thread, {about['machine']}, load "
        f"{about['load']:.1f}; before: commit {about['before']}, now: {about['now']}."
    )
    return f"{markdown.table(head, rows)}\n\n{note}\n"


def main() -> None:
    """Run both versions on all problems, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--child")
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given.child, given.seconds)))
        return
    problems = {}
    for name in PROBLEMS:
        pair = [run(checkout, name, given.seconds) for checkout in (given.before, ROOT)]
        problems[name] = pair
        print(name, *(f"{one['legs_per_second']:.2f} {one['compiled_share']:.2f}" for one in pair))
    about = {
        "seconds": given.seconds,
        "machine": store.machine(),
        "versions": store.versions(),
        "load": os.getloadavg()[0],
        "before": store.commit(given.before),
        "now": store.commit(ROOT),
    }
    given.output.write_text(json.dumps({"about": about, "problems": problems}, indent=1) + "\n")


if __name__ == "__main__":
    main()
