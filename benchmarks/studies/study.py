"""What every study is: a list of tasks, run one after the other or a few at once.

A study module has `NAME`, `PROFILES` (name to `Plan`) and ``tasks(options)``.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from benchmarks.studies import processes
from benchmarks.studies.store import Cell, Store, conditions, key_of


@dataclass(frozen=True)
class Plan:
    """What a profile runs.

    Parameters
    ----------
    problems, methods : tuple of str
    seeds : tuple of int
    budgets : tuple of float
        Seconds; empty where the study has none.
    rows : int or None
        Rows a problem is cut to.
    settings : dict
        The study's own.
    """

    problems: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    budgets: tuple[float, ...] = ()
    rows: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """What the user asked for on top of a profile.

    Parameters
    ----------
    plan : Plan
    data : path or None
        Folder of real sets.
    download : bool
    threads : int
    """

    plan: Plan
    data: Path | None = None
    download: bool = False
    threads: int = 1


@dataclass(frozen=True)
class Task:
    """The smallest piece of work that can be skipped: one or more cells made together.

    Parameters
    ----------
    problem, method : str
    seed : int
    budgets : tuple of float or None
        One cell each.
    work : callable
        Returns the cells, one for every budget.
    cost : float, default=0
        Seconds it may take, as far as that is known beforehand.
    steps : int, default=0
        A cell that notes fewer `chain_steps` is made again.
    """

    problem: str
    method: str
    seed: int
    budgets: tuple[float | None, ...]
    work: Callable[[], list[Cell]]
    cost: float = 0.0
    steps: int = 0

    @property
    def title(self) -> str:
        """A short line for the progress bar."""
        return f"{self.problem} {self.method} seed {self.seed}"

    def done(self, study: str, known: Mapping[tuple[Any, ...], Cell]) -> bool:
        """Whether all its cells exist; a gap does not count, for it may be closed by now."""
        cells = [known.get((study, self.problem, self.method, self.seed, b)) for b in self.budgets]
        return all(
            cell is not None
            and cell["status"] != "missing"
            and int(cell.get("chain_steps") or self.steps) >= self.steps
            for cell in cells
        )


def missing(tasks: Sequence[Task], store: Store) -> list[Task]:
    """Return the tasks whose cells are not all there, seed by seed.

    An early end then leaves every problem with the same seeds, as far as it goes.

    Parameters
    ----------
    tasks : sequence of Task
    store : Store

    Returns
    -------
    list of Task
    """
    known = {key_of(cell): cell for cell in store.cells()}
    left = [task for task in tasks if not task.done(store.study, known)]
    return sorted(left, key=lambda task: task.seed)


class Study(Protocol):
    """A study module."""

    NAME: str
    PROFILES: dict[str, Plan]

    def tasks(self, options: Options) -> list[Task]:
        """Return all that a plan asks for."""
        ...


def every(
    plan: Plan,
    work: Callable[[str, str, int], list[Cell]],
    problems: Sequence[str] | None = None,
) -> list[Task]:
    """Return one task per seed, problem and method, of one cell without a budget.

    Parameters
    ----------
    plan : Plan
    work : callable
        From problem, method and seed to the cell.
    problems : sequence of str, optional
        In place of the plan's.

    Returns
    -------
    list of Task

    Examples
    --------
    >>> tasks = every(Plan(("a", "b"), ("m",), (0,)), lambda problem, method, seed: [])
    >>> [task.title for task in tasks]
    ['a m seed 0', 'b m seed 0']
    """
    return [
        Task(problem, method, seed, (None,), functools.partial(work, problem, method, seed))
        for seed in plan.seeds
        for problem in (plan.problems if problems is None else problems)
        for method in plan.methods
    ]


def check_methods(plan: Plan, known: Sequence[str]) -> None:
    """Refuse a plan with a method that its study does not know.

    Raises
    ------
    ValueError
        With the name, and those to choose from.
    """
    for method in plan.methods:
        if method not in known:
            raise ValueError(f"unknown method {method!r}; choose from {', '.join(known)}")


def narrow(
    plan: Plan,
    *,
    problems: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    budgets: Sequence[float] | None = None,
    steps: int | None = None,
) -> Plan:
    """Replace parts of a plan by what the user asked for.

    Parameters
    ----------
    plan : Plan
    problems, methods, seeds, budgets : sequences or None
        None or empty keeps the plan's.
    steps : int or None
        Outer steps of the published chain, where the study has one.

    Returns
    -------
    Plan

    Examples
    --------
    >>> narrow(Plan(("a", "b"), ("m",), (0,)), problems=["b"]).problems
    ('b',)
    """
    return replace(
        plan,
        problems=tuple(problems or plan.problems),
        methods=tuple(methods or plan.methods),
        seeds=tuple(seeds or plan.seeds),
        budgets=tuple(budgets or plan.budgets),
        settings=plan.settings if steps is None else {**plan.settings, "steps": steps},
    )


def run(
    tasks: Sequence[Task],
    store: Store,
    *,
    threads: int = 1,
    jobs: int = 1,
    limit: float | None = None,
    report: Callable[[str, list[Cell] | None], None] | None = None,
) -> int:
    """Run the tasks whose cells are missing and merge all cells into the study's file.

    Parameters
    ----------
    tasks : sequence of Task
    store : Store
    threads : int, default=1
        Threads of every fit, noted in the cells.
    jobs : int, default=1
        Tasks at once; each uses `threads` threads, so keep the product at the processors.
    limit : float, optional
        Seconds after which no task begins, nor any that may not end before.
    report : callable, optional
        Called with a task's title and None when it starts, and with its cells when it ends.

    Returns
    -------
    int
        Cells that were made.
    """
    began = time.monotonic()
    tell = report or (lambda title, cells: None)
    stopping = threading.Event()

    def attend(task: Task) -> int:
        late = limit is not None and time.monotonic() - began + max(task.cost, 0.01) > limit
        if stopping.is_set() or late:
            return 0
        tell(task.title, None)
        cells = _attempt(task, threads, jobs)
        if stopping.is_set():
            return 0  # what was killed half-way is no result
        for cell in cells:
            store.put(cell)
        tell(task.title, cells)
        return len(cells)

    try:
        # what is not in a process of its own, the judge above all, keeps to its threads too
        with threadpool_limits(threads), ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(attend, task) for task in missing(tasks, store)]
            try:
                return sum(future.result() for future in as_completed(futures))
            except BaseException:
                stopping.set()
                processes.stop_all()
                raise
    finally:
        if any(True for _ in store.journal.glob("*.json")):
            store.merge()


def _attempt(task: Task, threads: int, jobs: int) -> list[Cell]:
    """Do a task; what goes wrong becomes a failed cell, counted like any other."""
    with conditions(threads, jobs) as noted:
        try:
            cells = task.work()
        except Exception as error:
            message = f"{type(error).__name__}: {error}"[:500]
            cells = [{"budget": b, "status": "failed", "message": message} for b in task.budgets]
    base = {"problem": task.problem, "method": task.method, "seed": task.seed}
    # a cell that fixes its own number of threads says so
    return [{**base, **noted, **cell} for cell in cells]
