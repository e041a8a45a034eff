"""Study 9: the best optimum that anyone ever found for each problem and seed.

Long runs of several methods, from random numbers of their own. What was found stays in the file
for good, so that the reference never gets worse; every study of optima measures against the best
of these and of the equal-time study.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from benchmarks import markdown
from benchmarks.studies import contenders, equal_time, problems
from benchmarks.studies.contenders import Contender
from benchmarks.studies.store import Cell, load
from benchmarks.studies.study import Options, Plan, Task

NAME = "best-known"

#: Nats per row within which a model counts as the best known.
CLOSE = 1e-3

#: Folder of the committed results.
RESULTS = Path(__file__).parents[1] / "results"

#: Seeds of the contenders begin here, so that no run is one of another study.
SEED = 1000

PROFILES = {
    "tiny": Plan(("elongated",), ("search",), (0,), (0.2,), rows=300),
    "short": Plan(("hard",), ("search",), (0,), (8.0,)),
    "full": Plan(
        tuple(problems.EQUAL_TIME + problems.FRESH + problems.HARD),
        ("search", "sklearn-kmeans", "sklearn-k-means++"),
        (0, 1, 2),
        (60.0, 300.0),
    ),
}


def tasks(options: Options) -> list[Task]:
    """Return one task per problem, seed and fit; each budget is a run of its own.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """

    def contender_of(method: str) -> Contender:
        return contenders.choose([method])[0]

    return equal_time.tasks_of(options, contender_of, shift=SEED)


def best_of(cells: Iterable[Cell]) -> dict[tuple[str, int], float]:
    """Return the best log-likelihood of each problem and seed in some cells.

    Parameters
    ----------
    cells : iterable of dict

    Returns
    -------
    dict
        From (problem, seed).

    Examples
    --------
    >>> cell = {"problem": "p", "seed": 0, "log_likelihood": -2.0, "trail": [[0.5, -3.0]]}
    >>> best_of([cell, {**cell, "log_likelihood": None}])
    {('p', 0): -2.0}
    """
    best: dict[tuple[str, int], float] = {}
    for cell in cells:
        pair = (cell["problem"], cell["seed"])
        for value in (cell.get("log_likelihood"), *(v for _, v in cell.get("trail") or ())):
            if value is not None and math.isfinite(value):
                best[pair] = max(best.get(pair, -math.inf), value)
    return best


@lru_cache(maxsize=4)
def committed(folder: Path = RESULTS) -> dict[tuple[str, int], float]:
    """Return the best in the committed results of this study and of the equal-time study.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    dict
        From (problem, seed).
    """
    paths = [folder / f"{name}.json" for name in (NAME, equal_time.NAME)]
    return best_of(cell for path in paths if path.exists() for cell in load(path))


def best_known(cells: list[Cell]) -> dict[tuple[str, int], float]:
    """Return the best that is known of the problems of some cells.

    Problems that were cut to fewer rows are others, and have the best of the cells alone.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    dict
        From (problem, seed).
    """
    found, known = best_of(cells), committed()
    return {pair: max(value, known.get(pair, -math.inf)) for pair, value in found.items()}


def table(cells: list[Cell]) -> str:
    """Return how many pairs there are, and who found their best.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    best, finders = best_of(cells), dict[str, int]()
    for pair, value in best.items():
        own = [c for c in cells if (c["problem"], c["seed"]) == pair]
        near = {c["method"] for c in own if (c.get("log_likelihood") or -math.inf) >= value - CLOSE}
        for method in near:
            finders[method] = finders.get(method, 0) + 1
    rows = [
        [contenders.choose([method])[0].title, f"{count} of {len(best)}"]
        for method, count in sorted(finders.items(), key=lambda item: -item[1])
    ]
    return markdown.table(["contender", f"best within {CLOSE:g}"], rows) + "\n"
