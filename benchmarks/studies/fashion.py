"""Study 3: Fashion-MNIST, ten components on 784 pixels, and on 50 principal components.

Pixels between 0 and 1, floor 0.05, 70 outer steps, α = 1/K, N(0, I) start or k-means, training and
test rows together, as in the paper, which publishes no figure.  With 784 features an outer step
takes minutes of one core on all rows, 16 s of them for the floors and lifts of ten matrices of
784 × 784; so the full profile makes the first of the 70 steps there, in float32, and all of them
on the principal components of the training rows, in float64, judged on the test rows.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np

from benchmarks import markdown
from benchmarks.studies import problems
from benchmarks.studies.chain import follow
from benchmarks.studies.densities import log_joint
from benchmarks.studies.equal_time import describe, missing
from benchmarks.studies.judge import agreement
from benchmarks.studies.problems import Problem
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.rivals.worker import peak_bytes
from benchmarks.studies.simulated import Parameters
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, check_methods
from biglearn.search.methods import EM, Paper

NAME = "fashion"
FLOOR = 0.05
#: Test rows of the curves; the figures of the returned model are those of all 10 000.
LOOK_ROWS = 2000

METHODS = ("em", "paper", "paper-kmeans", "search", "kmeans")
TITLES = {
    "em": "`em` from N(0, I)",
    "paper": "`paper`, the published chain",
    "paper-kmeans": "`paper` from k-means",
    "search": "`search`",
    "kmeans": "k-means alone",
}
PCA, PIXELS = "fashion-pca50", "fashion-all"
#: What is run on all pixels, where a step takes minutes, and how many steps.
ON_PIXELS, PIXEL_STEPS = ("paper", "kmeans"), 10
#: `seconds` is the most that `em` and `search` may take.
PROFILES = {
    "tiny": Plan(("digits",), METHODS, (0,), rows=300, settings={"steps": 6, "every": 2}),
    "short": Plan(
        (PCA,),
        METHODS,
        (0,),
        rows=20_000,
        settings={"steps": 10, "every": 2, "seconds": 10.0},
    ),
    "full": Plan(
        (PCA, PIXELS),
        METHODS,
        (0,),
        settings={"steps": 70, "every": 1, "seconds": 60.0},
    ),
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
    plan = options.plan
    check_methods(plan, METHODS)
    return [
        Task(
            name,
            m,
            s,
            (None,),
            functools.partial(_fit, name, m, s, options),
            steps=_steps(name, plan) if m.startswith("paper") else 0,
        )
        for name in plan.problems
        for s in plan.seeds
        for m in plan.methods
        if name != PIXELS or m in ON_PIXELS
    ]


def _steps(name: str, plan: Plan) -> int:
    steps: int = plan.settings["steps"]
    return min(steps, PIXEL_STEPS) if name == PIXELS else steps


def _fit(name: str, method: str, seed: int, options: Options) -> list[Cell]:
    settings = options.plan.settings
    try:
        problem = problems.make(
            name,
            seed,
            data=options.data,
            scaling="none",
            rows=options.plan.rows,
            download=options.download,
        )
    except MissingDataError as error:
        return missing(str(error), (None,))
    problem = _in_pixels(problem)
    cell: Cell = {"budget": None, "status": "finished", **describe(problem)}
    if method == "kmeans":
        return [{**cell, **_kmeans(problem, seed)}]
    steps, every = _steps(name, options.plan), settings["every"]
    chain = method.startswith("paper")
    chosen: Any = EM() if method == "em" else "search"
    if chain:
        chosen = Paper(steps=steps, pseudo_count="1/K", polish=False)
    starts = {"paper-kmeans": "kmeans", "search": "k-means++"}
    more: dict[str, Any] = {"init_params": starts.get(method, "normal")}
    if not chain:
        more["max_time"] = settings.get("seconds")
    look = functools.partial(_look, problem, LOOK_ROWS) if chain else None
    done = follow(
        problem, chosen, seed=seed, threads=options.threads, look=look, every=every, **more
    )
    cell |= {"seconds": done.seconds, "peak_bytes": peak_bytes(), "dtype": str(problem.X.dtype)}
    if chain:
        curves = {key: [seen[key] for seen in done.looks] for key in ("nmi", "accuracy")}
        cell |= {"chain_steps": steps, "steps": done.steps, "curves": curves}
    return [{**cell, **_look(problem, None, done.parameters)}]


def _in_pixels(problem: Problem) -> Problem:
    """Bring the brightest pixel to 1; many features are worked on in float32."""
    brightest = 255.0 if problem.name in (PCA, PIXELS) else float(problem.X.max())
    dtype = np.float32 if problem.X.shape[1] > 100 else np.float64
    return replace(
        problem,
        X=(problem.X / brightest).astype(dtype),
        X_test=problem.X_test / brightest,
        floor=FLOOR,
    )


def _look(problem: Problem, rows: int | None, parameters: Parameters) -> dict[str, float]:
    joint = log_joint(problem.X_test[:rows], parameters)
    labels = None if problem.y_test is None else problem.y_test[:rows]
    ari, nmi, accuracy = agreement(labels, joint.argmax(axis=1))
    density = float(np.mean(np.logaddexp.reduce(joint, axis=1)))
    return {"ari": ari, "nmi": nmi, "accuracy": accuracy, "held_out": density}


def _kmeans(problem: Problem, seed: int) -> Cell:
    import time

    from sklearn.cluster import KMeans

    began = time.perf_counter()
    model = KMeans(problem.n_components, n_init=1, random_state=seed).fit(problem.X)
    seconds = time.perf_counter() - began
    labels = model.predict(problem.X_test.astype(problem.X.dtype)).astype(np.int64)
    found = dict(zip(("ari", "nmi", "accuracy"), agreement(problem.y_test, labels), strict=True))
    return {**found, "seconds": seconds, "peak_bytes": peak_bytes(), "dtype": str(problem.X.dtype)}


def table(cells: list[Cell]) -> str:
    """Return the figures on the test rows, and what they took.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    head = ["features", "rows", "method", "outer steps", "NMI", "accuracy", "log-likelihood"]
    head += ["most over the steps: NMI", "accuracy", "seconds", "s per outer step", "peak memory"]
    rows = []
    for name in dict.fromkeys(c["problem"] for c in cells):
        for method in METHODS:
            own = [c for c in cells if (c["problem"], c["method"]) == (name, method)]
            good = [c for c in own if c["status"] == "finished"]
            if good:
                rows.append(_row(method, good))
            elif own:
                rows.append([name, "–", TITLES[method], own[0]["message"]])
    note = (
        "Figures of the returned model on the test rows, of all pixels on all rows. The most over "
        f"the steps, which the paper reports, is of {LOOK_ROWS} rows and peeks at their classes. "
        "`em` and `search` end at a time limit where they have not before. Peak memory is the "
        "whole process's."
    )
    return f"{markdown.table(head, rows)}\n\n{note}\n"


def _row(method: str, cells: list[Cell]) -> list[str]:
    def average(name: str, digits: int) -> str:
        found = [c[name] for c in cells if c.get(name) is not None]
        return f"{mean(found):.{digits}f}" if found else "–"

    one = cells[0]
    steps = one.get("chain_steps")
    seconds = mean(c["seconds"] for c in cells)
    return [
        f"{one['D']}{' principal components' if 'pca' in one['problem'] else ''}",
        f"{one['N']} ({one['dtype']})",
        TITLES[method],
        str(steps or "–"),
        average("nmi", 3),
        average("accuracy", 3),
        average("held_out", 2),
        *[f"{max(one['curves'][k]):.3f}" if steps else "–" for k in ("nmi", "accuracy")],
        f"{seconds:.1f}",
        f"{seconds / steps:.2f}" if steps else "–",
        f"{max(c['peak_bytes'] for c in cells) / 2**30:.1f} GiB",
    ]
