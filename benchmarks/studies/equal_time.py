"""Study 4: every contender gets the same seconds, threads, rows and floor; one judge looks on.

Each contender's best model is polished by the judge, at every budget and, to see how fast it got
there, at checkpoints in between. EM from the true mixture, where it is known, stands beside them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from benchmarks.studies import contenders, problems
from benchmarks.studies.contenders import Contender, Found, Outcome
from benchmarks.studies.judge import Verdict, judge
from benchmarks.studies.problems import Problem
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task

NAME = "equal-time"
#: Name of the reference: EM started at the mixture that the rows were drawn from.
TRUTH = "truth"

#: Seconds beyond the budget in which most cells are done: start of the process, and polishes.
JUDGING = 30.0

ALL_METHODS = (TRUTH, *contenders.CONTENDERS)
PROFILES = {
    "tiny": Plan(
        ("elongated", "faithful-k3"),
        (TRUTH, "em", "sklearn-k-means++"),
        (0,),
        (0.2, 0.4),
        rows=300,
    ),
    "short": Plan(
        ("grid25", "overlap-d5-k30", "hidden", "unbalanced", "pendigits"),
        (TRUTH, "em", "paper", "search", "sklearn-k-means++", "mclust"),
        (0,),
        (1.0, 4.0),
    ),
    "full": Plan(
        tuple(problems.EQUAL_TIME + problems.FRESH + problems.HARD),
        ALL_METHODS,
        (0, 1, 2),
        (0.25, 1.0, 4.0, 16.0, 60.0),
    ),
}


def checkpoints(seconds: float) -> list[float]:
    """Return the times at which a fit is looked at: doubling, with the last at its end.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    list of float

    Examples
    --------
    >>> checkpoints(0.25)
    [0.0625, 0.125, 0.25]
    """
    times = []
    time = 0.0625
    while time < 0.99 * seconds:
        times.append(round(time, 4))
        time *= 2
    return [*times, seconds]


def tasks(options: Options) -> list[Task]:
    """Return one task per problem, seed and fit.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """
    return tasks_of(options, lambda method: contenders.choose([method])[0])


def tasks_of(
    options: Options, contender_of: Callable[[str], Contender], *, shift: int = 0
) -> list[Task]:
    """Return one task per problem, seed and fit of the contender that a method names.

    Parameters
    ----------
    options : Options
    contender_of : callable
        Takes the name of a method; it is not asked for the truth.
    shift : int, default=0
        Added to a problem's seed for the contender's.

    Returns
    -------
    list of Task
    """
    plan = options.plan
    found = []
    for name in problems.expand(plan.problems):
        for seed in plan.seeds:
            make = functools.cache(
                functools.partial(
                    problems.make,
                    name,
                    seed,
                    data=options.data,
                    rows=plan.rows,
                    download=options.download,
                )
            )
            for method in plan.methods:
                if method == TRUTH:
                    if problems.PROBLEMS[name].truth is not None:
                        work = functools.partial(reference, make)
                        found.append(Task(name, TRUTH, seed, (None,), work))
                    continue
                contender = contender_of(method)
                for budgets in contender.fits(plan.budgets):
                    work = functools.partial(
                        compete, contender, make, seed + shift, budgets, options.threads
                    )
                    task = Task(name, method, seed, budgets, work, cost=cost_of(budgets))
                    found.append(task)
    return found


def describe(problem: Problem) -> Cell:
    """Return what a cell says about its problem."""
    return {
        "N": len(problem.X),
        "D": problem.X.shape[1],
        "K": problem.n_components,
        "floor": problem.floor,
        "note": problem.note,
    }


def cost_of(budgets: tuple[float, ...]) -> float:
    """Return in how many seconds a fit and the judge should be done."""
    return 1.1 * max(budgets) + JUDGING


def reference(make: Callable[[], Problem]) -> list[Cell]:
    """Return the cell of EM from the truth.

    Parameters
    ----------
    make : callable
        Returns the problem, which has a truth.

    Returns
    -------
    list of dict
    """
    problem = make()
    assert problem.truth is not None
    verdict = judge(problem, problem.truth)
    return [{"budget": None, "status": "finished", **describe(problem), **verdict.as_dict()}]


def missing(reason: str, budgets: tuple[float | None, ...]) -> list[Cell]:
    """Return cells that show a gap: a rival or a data set that is not there.

    Parameters
    ----------
    reason : str
    budgets : tuple of float or None

    Returns
    -------
    list of dict
    """
    return [{"budget": budget, "status": "missing", "message": reason} for budget in budgets]


def compete(
    contender: Contender,
    make: Callable[[], Problem],
    seed: int,
    budgets: tuple[float, ...],
    threads: int,
) -> list[Cell]:
    """Fit once and return what the judge found at every budget.

    Parameters
    ----------
    contender : Contender
    make : callable
        Returns the problem.
    seed : int
    budgets : tuple of float
    threads : int

    Returns
    -------
    list of dict
    """
    if contender.gap():
        return missing(contender.gap(), budgets)
    try:
        problem = make()
    except MissingDataError as error:
        return missing(str(error), budgets)
    outcome = contenders.fit(contender, problem, seconds=max(budgets), seed=seed, threads=threads)
    verdicts: dict[int, Verdict] = {}

    def look(found: Found) -> Verdict:
        if id(found) not in verdicts:
            verdicts[id(found)] = judge(problem, found.parameters)
        return verdicts[id(found)]

    return [_cell(problem, outcome, budget, look) for budget in budgets]


def _cell(problem: Problem, outcome: Outcome, budget: float, look: Any) -> Cell:
    cell = {
        "budget": budget,
        "status": outcome.status,
        "message": outcome.message,
        **describe(problem),
        "models": outcome.models,
        "failures": outcome.failures,
        "seconds": outcome.seconds,
        "fit_wall": outcome.wall,
        "peak_bytes": outcome.peak_bytes,
        "fit_versions": outcome.versions,
    }
    best = outcome.at(budget)
    if best is None:
        if outcome.status not in ("failed", "killed"):
            cell["status"] = "no model"
        return cell
    times = [time for time in checkpoints(budget) if outcome.at(time) is not None]
    trail: list[tuple[float, float]] = []
    for time in times:
        found = outcome.at(time)
        assert found is not None
        trail.append((min(found.seconds, time), look(found).log_likelihood))
    return {**cell, "found": best.seconds, "trail": trail, **look(best).as_dict()}


def settled(cell: Cell, target: float) -> float:
    """Return the time from which a contender's best model stays at a target after the polish.

    Contenders rank their models before the polish, so a later one can be worse after it.

    Parameters
    ----------
    cell : dict
    target : float
        Log-likelihood.

    Returns
    -------
    float
        Infinite where the last model is below the target.

    Examples
    --------
    >>> settled({"log_likelihood": -1.0, "trail": [[1, -1.0], [2, -3.0], [4, -1.0]]}, -2.0)
    4.0
    """
    if cell.get("log_likelihood") is None or cell["log_likelihood"] < target:
        return math.inf
    since = math.inf
    for time, value in cell["trail"]:
        since = min(since, float(time)) if value >= target else math.inf
    return since if math.isfinite(since) else float(cell["budget"])
