"""Study 2: the paper's real sets with its settings, judged as clusterings and as densities.

Rows scaled to [0, 1] by the training set, floor 1e-2, N(0, I) start, α = 1/K, ⌊D·Beta(5, 1)⌋
features. Published for Pendigits (K=12): NMI 0.840, ARI 0.759, test log-likelihood 10.342, against
0.784, 0.648, 10.055 for plain EM; the authors scale the test set by its own range.
"""

from __future__ import annotations

import functools
import time
import warnings
from dataclasses import replace
from statistics import mean, median
from typing import Any

import numpy as np

from benchmarks import markdown
from benchmarks.studies import problems
from benchmarks.studies.chain import Followed, follow
from benchmarks.studies.densities import log_joint
from benchmarks.studies.equal_time import describe, missing
from benchmarks.studies.judge import agreement, judge
from benchmarks.studies.problems import Problem
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.simulated import Parameters
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, check_methods
from biglearn import GaussianMixture
from biglearn.search.methods import EM, Paper

NAME = "clustering"
FLOOR = 1e-2
METHODS = ("em", "paper", "search", "search-likeliest", "sklearn", "kmeans")
TITLES = {
    "em": "plain EM from N(0, I)",
    "search": "`search`, default",
    "search-likeliest": "`search`, likelihood alone, floor as the paper's",
    "sklearn": "scikit-learn, 10 starts",
    "kmeans": "k-means, 10 starts",
}
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
    # what two processors make of the two large sets in an hour
    "large": Plan(("connect4", "covtype"), METHODS, (0,), settings={"steps": 200}),
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
    check_methods(plan, METHODS)
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
    chain: Cell = {}
    if method == "sklearn":
        found, seconds = _sklearn(problem, seed)
    elif method == "search":
        found, seconds = _default(problem, seed, options.threads)
    else:
        done = _follow(problem, method, seed, options)
        found, seconds = done.parameters, done.seconds
        chain = _chain_of(done, options.plan.settings["steps"]) if method == "paper" else {}
    verdict = judge(problem, found, polished=False)
    return [{**cell, **chain, "seconds": seconds, **verdict.as_dict()}]


def _follow(problem: Problem, method: str, seed: int, options: Options) -> Followed:
    paper = Paper(steps=options.plan.settings["steps"], pseudo_count="1/K")
    chosen: Any = {"em": EM(), "paper": paper, "search-likeliest": "search"}[method]
    start = {} if method == "search-likeliest" else {"init_params": "normal"}
    look = functools.partial(_look, problem) if method == "paper" else None
    return follow(
        problem, chosen, seed=seed, threads=options.threads, look=look, every=EVERY, **start
    )


def _chain_of(done: Followed, steps: int) -> Cell:
    """Return the figures of the published chain: its last evaluations, and all of them."""
    last = done.looks[-LAST:]
    return {
        "chain_steps": steps,
        "chain": {key: mean(seen[key] for seen in last) for key in last[0]},
        "steps": done.steps,
        "curves": {key: [round(seen[key], 4) for seen in done.looks] for key in last[0]},
    }


def _default(problem: Problem, seed: int, threads: int) -> tuple[Parameters, float]:
    """Fit as users do: our defaults, prior and resolution among them."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        # what it warns of is what the figures show
        warnings.simplefilter("ignore")
        model = GaussianMixture(problem.n_components, random_state=seed, n_threads=threads)
        found = model.fit(problem.X).mixture_
    seconds = time.perf_counter() - began
    return Parameters(
        np.array(found.weights), np.array(found.means), np.array(found.covariances)
    ), seconds


def _look(problem: Problem, parameters: Parameters) -> dict[str, float]:
    joint = log_joint(problem.X_test, parameters)
    found = agreement(problem.y_test, joint.argmax(axis=1))
    density = float(np.mean(np.logaddexp.reduce(joint, axis=1)))
    return {"ari": found[0], "nmi": found[1], "accuracy": found[2], "held_out": density}


def _sklearn(problem: Problem, seed: int) -> tuple[Parameters, float]:
    from sklearn import mixture

    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = mixture.GaussianMixture(
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

    began = time.perf_counter()
    model = KMeans(problem.n_components, n_init=10, random_state=seed).fit(problem.X)
    seconds = time.perf_counter() - began
    train = agreement(problem.y, model.labels_.astype(np.int64))
    test = agreement(problem.y_test, model.predict(problem.X_test).astype(np.int64))
    names = ("ari", "nmi", "accuracy")
    return {
        "seconds": seconds,
        **dict(zip(names, train, strict=True)),
        **{f"{name}_test": figure for name, figure in zip(names, test, strict=True)},
    }


def table(cells: list[Cell]) -> str:
    """Return the figures on the held-out rows: means over the sets, then of every set.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    head = ["set", "method", "NMI", "ARI", "accuracy", "test log-likelihood", "seconds", "seeds"]
    rows = []
    for name in dict.fromkeys(c["problem"] for c in cells):
        for method in METHODS:
            own = [c for c in cells if (c["problem"], c["method"]) == (name, method)]
            good = [c for c in own if c["status"] == "finished"]
            if good:
                note = f" ({good[0]['note']})" if good[0].get("note") else ""
                rows.append([f"{name}{note}", _title(good), *_figures(good)])
            elif own:
                rows.append([name, method, own[0]["message"]])
            chains = [c for c in good if c.get("chain")]
            if chains:
                rows.append([name, "paper, the chain's last 10", *_chain(chains)])
            if (name, method) in PUBLISHED and own:
                nmi, ari, density = PUBLISHED[name, method]
                title = f"{method}, published, seed 42"
                rows.append([name, title, f"{nmi}", f"{ari}", "–", f"{density}", "–", "1"])
    note = (
        "On the held-out rows, mean ± standard deviation over the seeds. Log-likelihoods are in "
        "units of [0, 1]; those of the default, which has no floor of the paper's, are beside "
        "the others' for what they are worth."
    )
    return f"{summary(cells)}\n{markdown.table(head, rows)}\n\n{note}\n"


def over_sets(cells: list[Cell]) -> list[tuple[str, float, float, float, int]]:
    """Return each method's title, NMI, ARI and median seconds over the sets that all ran on.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    list of tuple
        The last part is the number of sets.
    """
    good = [c for c in cells if c["status"] == "finished"]
    methods = [m for m in METHODS if any(c["method"] == m for c in good)]
    sets = [
        name
        for name in dict.fromkeys(c["problem"] for c in good)
        if {c["method"] for c in good if c["problem"] == name} == set(methods)
    ]
    found = []
    for method in methods if sets else ():
        own = [[c for c in good if (c["problem"], c["method"]) == (n, method)] for n in sets]
        nmi, ari = (mean(mean(c[f] for c in of) for of in own) for f in ("nmi_test", "ari_test"))
        seconds = median(mean(c["seconds"] for c in of) for of in own)
        found.append((TITLES.get(method, "paper, and polish"), nmi, ari, seconds, len(sets)))
    return found


def summary(cells: list[Cell]) -> str:
    """Return the means over the sets that every method ran on.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    head = ["method", "NMI, mean over the sets", "ARI", "seconds, median of the sets", "sets"]
    rows = [
        [title, f"{nmi:.3f}", f"{ari:.3f}", f"{seconds:.2f}", str(count)]
        for title, nmi, ari, seconds, count in over_sets(cells)
    ]
    return markdown.table(head, rows) + "\n"


def _title(cells: list[Cell]) -> str:
    method = cells[0]["method"]
    if method != "paper":
        return TITLES[method]
    # an unfinished rerun leaves seeds with chains of another length
    counts = [c["chain_steps"] for c in cells]
    parts = [f"{steps} steps ({counts.count(steps)} seeds)" for steps in sorted(set(counts))]
    return f"paper, {', '.join(parts)}, and polish"


def _spread(cells: list[Cell], name: str) -> str:
    values = [c[name] for c in cells if c.get(name) is not None]
    return markdown.spread(values) if values else "–"


def _figures(cells: list[Cell]) -> list[str]:
    names = ("nmi_test", "ari_test", "accuracy_test", "held_out")
    seconds = mean(c["seconds"] for c in cells)
    return [*(_spread(cells, name) for name in names), f"{seconds:.2f}", str(len(cells))]


def _chain(cells: list[Cell]) -> list[str]:
    inner = [c["chain"] for c in cells]
    names = ("nmi", "ari", "accuracy", "held_out")
    return [*(_spread(inner, name) for name in names), "–", str(len(cells))]
