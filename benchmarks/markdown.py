"""Tables in Markdown, and what stands under them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import mean, median, stdev
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a row may end early.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequences of str

    Returns
    -------
    str

    Examples
    --------
    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    return "\n".join(_row(cells) for cells in [head, ["---"] * len(head), *rows])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Return a mean, and the standard deviation of more than one value.

    Parameters
    ----------
    values : sequence of float
    digits : int, default=3

    Returns
    -------
    str

    Examples
    --------
    >>> spread([1.0, 3.0], 1), spread([2.0], 1)
    ('2.0 ± 1.4', '2.0')
    """
    around = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{around}"


def circumstances(cells: list[dict[str, Any]]) -> str:
    """Say on which machines, with how many fits at once and under what load cells were made.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str

    Examples
    --------
    >>> circumstances([{"method": "em", "machine": "M", "threads": 1, "load_before": 0.5}])
    'M: em; 1 thread each, 1 fit at once, load 0.5.'
    """
    places: dict[tuple[str, int, int], list[dict[str, Any]]] = {}
    for cell in cells:
        if cell.get("machine") and cell.get("status") != "missing":
            place = (cell["machine"], int(cell.get("threads", 1)), int(cell.get("jobs", 1)))
            places.setdefault(place, []).append(cell)
    lines = []
    for (machine, threads, jobs), own in places.items():
        loads = [c["load_before"] for c in own if c.get("load_before") is not None]
        methods = ", ".join(dict.fromkeys(c["method"] for c in own))
        lines.append(
            f"{machine}: {methods}; {threads} thread{'s'[: threads - 1]} each, "
            f"{jobs} fit{'s'[: jobs - 1]} at once, load {median(loads or [math.nan]):.1f}."
        )
    return " ".join(lines)
