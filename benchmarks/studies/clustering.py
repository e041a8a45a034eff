"""Study 2: the paper's real sets with its settings, judged as clusterings and as densities.

Rows scaled to [0, 1] by the training set, floor 1e-2, N(0, I) start, α = 1/K, ⌊D·Beta(5, 1)⌋
features. Published for Pendigits (K=12): NMI 0.840, ARI 0.759, test log-likelihood 10.342, against
0.784, 0.648, 10.055 for plain EM; the authors scale the test set by its own range.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.studies import problems
from benchmarks.studies.chain import follow
from benchmarks.studies.densities import log_joint
from benchmarks.studies.equal_time import describe, missing
from benchmarks.studies.judge import agreement, judge
from benchmarks.studies.problems import Problem
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.simulated import Parameters
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task
from biglearn.search.methods import EM, Paper

NAME = "clustering"
FLOOR = 1e-2
METHODS = ("em", "paper", "search", "sklearn", "kmeans")
SETS = (
    "connect4",
    "covtype",
    "glass",
    "letter",
    "pendigits",
    "satimage",
    "seismic",
    "svmguide2",
    "vehicle",
)
PUBLISHED = {
    ("pendigits", "paper"): (0.840, 0.759, 10.342),
    ("pendigits", "em"): (0.784, 0.648, 10.055),
}
PROFILES = {
    "tiny": Plan(("digits",), METHODS, (0,), rows=300, settings={"steps": 20}),
    "short": Plan(("glass", "vehicle", "pendigits"), METHODS, (0,), settings={"steps": 400}),
    "full": Plan(SETS, METHODS, tuple(range(5)), settings={"steps": 10_000}),
}
#: The paper's figure is the mean of the last 10 evaluations, one every 20 steps.
EVERY, LAST = 20, 10


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
    for method in plan.methods:
        if method not in METHODS:
            raise ValueError(f"unknown method {method!r}; choose from {', '.join(METHODS)}")
    steps = plan.settings["steps"]
    return [
        Task(
            name,
            m,
            s,
            (None,),
            functools.partial(_fit, name, m, s, options),
            steps=steps if m == "paper" else 0,
        )
        for name in plan.problems
        for s in plan.seeds
        for m in plan.methods
    ]


def _fit(name: str, method: str, seed: int, options: Options) -> list[Cell]:
    try:
        problem = problems.make(
            name,
            seed,
            data=options.data,
            scaling="minmax",
            rows=options.plan.rows,
            download=options.download,
        )
    except MissingDataError as error:
        return missing(str(error), (None,))
    problem = replace(problem, floor=FLOOR)
    cell: Cell = {"budget": None, "status": "finished", **describe(problem)}
    if method == "kmeans":
        return [{**cell, **_kmeans(problem, seed)}]
    if method == "sklearn":
        found, seconds = _sklearn(problem, seed)
        chain: Cell = {}
    else:
        steps = options.plan.settings["steps"]
        paper = Paper(steps=steps, pseudo_count="1/K")
        chosen: Any = {"em": EM(), "paper": paper, "search": "search"}[method]
        start = {} if method == "search" else {"init_params": "normal"}
        look = functools.partial(_look, problem) if method == "paper" else None
        done = follow(
            problem, chosen, seed=seed, threads=options.threads, look=look, every=EVERY, **start
        )
        found, seconds = done.parameters, done.seconds
        chain = {"chain_steps": steps} if method == "paper" else {}
        last = done.looks[-LAST:]
        if last:
            chain["chain"] = {key: mean(seen[key] for seen in last) for key in last[0]}
    verdict = judge(problem, found, polished=False)
    return [{**cell, **chain, "seconds": seconds, **verdict.as_dict()}]


def _look(problem: Problem, parameters: Parameters) -> dict[str, float]:
    joint = log_joint(problem.X_test, parameters)
    found = agreement(problem.y_test, joint.argmax(axis=1))
    density = float(np.mean(np.logaddexp.reduce(joint, axis=1)))
    return {"ari": found[0], "nmi": found[1], "accuracy": found[2], "held_out": density}


def _sklearn(problem: Problem, seed: int) -> tuple[Parameters, float]:
    import time
    import warnings

    from sklearn.mixture import GaussianMixture

    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GaussianMixture(
            problem.n_components,
            reg_covar=FLOOR,
            init_params="k-means++",
            n_init=10,
            max_iter=300,
            random_state=seed,
        ).fit(problem.X)
    parameters = Parameters(model.weights_, model.means_, model.covariances_)
    return parameters, time.perf_counter() - began


def _kmeans(problem: Problem, seed: int) -> Cell:
    from sklearn.cluster import KMeans

    model = KMeans(problem.n_components, n_init=10, random_state=seed).fit(problem.X)
    train = agreement(problem.y, model.labels_.astype(np.int64))
    test = agreement(problem.y_test, model.predict(problem.X_test).astype(np.int64))
    names = ("ari", "nmi", "accuracy")
    return {
        **dict(zip(names, train, strict=True)),
        **{f"{name}_test": figure for name, figure in zip(names, test, strict=True)},
    }


def table(cells: list[Cell]) -> str:
    """Return the figures on the held-out rows, means over the seeds.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    lines = [
        "| set | method | NMI | ARI | accuracy | test log-likelihood | seeds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(c["problem"] for c in cells):
        for method in METHODS:
            own = [c for c in cells if (c["problem"], c["method"]) == (name, method)]
            good = [c for c in own if c["status"] == "finished"]
            if good:
                note = f" ({good[0]['note']})" if good[0].get("note") else ""
                lines.append(f"| {name}{note} | {_method(good)} | {_figures(good)} |")
            elif own:
                lines.append(f"| {name} | {method} | {own[0]['message']} | | | | |")
            chains = [c for c in good if c.get("chain")]
            if chains:
                lines.append(f"| {name} | {method}, the chain's last 10 | {_chain(chains)} |")
            if (name, method) in PUBLISHED and own:
                nmi, ari, density = PUBLISHED[name, method]
                lines.append(
                    f"| {name} | {method}, published | {nmi} | {ari} | – | {density} | 1 |"
                )
    return "\n".join(lines) + "\n"


def _method(cells: list[Cell]) -> str:
    if cells[0]["method"] != "paper":
        return str(cells[0]["method"])
    # an unfinished rerun leaves seeds with chains of another length
    counts = [c["chain_steps"] for c in cells]
    parts = [f"{steps} steps ({counts.count(steps)} seeds)" for steps in sorted(set(counts))]
    return f"paper, {', '.join(parts)}, and polish"


def _mean(cells: list[Cell], name: str) -> str:
    values = [c[name] for c in cells if c.get(name) is not None]
    return f"{mean(values):.3f}" if values else "–"


def _figures(cells: list[Cell]) -> str:
    names = ("nmi_test", "ari_test", "accuracy_test", "held_out")
    return " | ".join([*(_mean(cells, name) for name in names), str(len(cells))])


def _chain(cells: list[Cell]) -> str:
    inner = [c["chain"] for c in cells]
    names = ("nmi", "ari", "accuracy", "held_out")
    return " | ".join([*(_mean(inner, name) for name in names), str(len(cells))])
