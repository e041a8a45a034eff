"""Tables of the equal-time study: who found which optimum, and when."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import mean, median

from benchmarks import markdown
from benchmarks.markdown import circumstances
from benchmarks.studies.best_known import CLOSE, best_known
from benchmarks.studies.contenders import CONTENDERS
from benchmarks.studies.equal_time import NAME as NAME
from benchmarks.studies.equal_time import TRUTH, settled
from benchmarks.studies.problems import FRESH, HARD
from benchmarks.studies.store import Cell


def value(cell: Cell) -> float:
    """Return a cell's polished log-likelihood; minus infinity where there is no model.

    Parameters
    ----------
    cell : dict

    Returns
    -------
    float

    Examples
    --------
    >>> value({"status": "failed"})
    -inf
    """
    number = cell.get("log_likelihood")
    return -math.inf if number is None else float(number)


def ran(cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells of contenders that were there: no gaps and no reference."""
    return [c for c in cells if c["status"] != "missing" and c["method"] != TRUTH]


def of(cells: list[Cell], problems: Iterable[str]) -> list[Cell]:
    """Return the cells of some problems."""
    names = set(problems)
    return [cell for cell in cells if cell["problem"] in names]


def shares(cells: list[Cell]) -> dict[tuple[str, float], float]:
    """Return in what share of problem–seed pairs a method is within 1e-3 nats of the best known.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    dict
        From (method, budget).
    """
    best = best_known(cells)
    hits: dict[tuple[str, float], list[bool]] = {}
    for cell in ran(cells):
        pair = (cell["problem"], cell["seed"])
        if pair in best:
            close = value(cell) >= best[pair] - CLOSE
            hits.setdefault((cell["method"], cell["budget"]), []).append(close)
    return {key: mean(found) for key, found in hits.items()}


def longest(cells: list[Cell]) -> dict[tuple[str, str, int], Cell]:
    """Return every contender's cell of the largest budget.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    dict
        From (method, problem, seed).
    """
    largest: dict[tuple[str, str, int], Cell] = {}
    for cell in ran(cells):
        key = (cell["method"], cell["problem"], cell["seed"])
        if key not in largest or cell["budget"] > largest[key]["budget"]:
            largest[key] = cell
    return largest


def races(
    cells: list[Cell], rival: str = "sklearn-k-means++"
) -> dict[str, list[tuple[float, float]]]:
    """Return when each method, and when the rival itself, reaches what the rival ends with.

    Parameters
    ----------
    cells : list of dict
    rival : str

    Returns
    -------
    dict
        From method to pairs of seconds over the problem–seed pairs that the rival has a model
        of; infinite where a method does not get there. To the next checkpoint, which double.
    """
    largest = longest(cells)
    found: dict[str, list[tuple[float, float]]] = {}
    for (method, problem, seed), cell in largest.items():
        its = largest.get((rival, problem, seed))
        if its is not None and value(its) > -math.inf:
            target = value(its) - CLOSE
            found.setdefault(method, []).append((settled(cell, target), settled(its, target)))
    return found


def times_to(cells: list[Cell], rival: str = "sklearn-k-means++") -> dict[str, list[float]]:
    """Return the first halves of `races`: a method's seconds to what the rival ends with."""
    return {m: [own for own, _ in pairs] for m, pairs in races(cells, rival).items()}


def later(cells: list[Cell], rival: str = "sklearn-k-means++") -> dict[str, list[bool]]:
    """Return for every pair of `races` whether the method is there later than the rival."""
    return {m: [own > its for own, its in pairs] for m, pairs in races(cells, rival).items()}


def summary(cells: list[Cell]) -> str:
    """Return the front table: a row per contender, a column per budget.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown; the best share of each budget is bold.
    """
    share, times, late = shares(cells), times_to(cells), later(cells)
    budgets = sorted({budget for _, budget in share})
    pairs = len({(c["problem"], c["seed"]) for c in ran(cells)})
    head = [
        "contender",
        "pairs",
        *[f"{b:g} s" for b in budgets],
        "median gap",
        "ARI",
    ]
    head += ["time to scikit-learn's last", "later than it", "failed"]
    rows = []
    for name in [m for m in CONTENDERS if any(c["method"] == m for c in cells)]:
        own = [c for c in cells if c["method"] == name]
        if all(c["status"] == "missing" for c in own):
            rows.append([CONTENDERS[name].title, f"not there: {own[0]['message']}"])
            continue
        row = [CONTENDERS[name].title, str(len({(c["problem"], c["seed"]) for c in own}))]
        for budget in budgets:
            top = max(v for (_, b), v in share.items() if b == budget)
            mine = share.get((name, budget), math.nan)
            text = "–" if math.isnan(mine) else f"{100 * mine:.0f} %"
            row.append(f"**{text}**" if mine == top else text)
        row += _extras(cells, own, budgets[-1], times.get(name, []), late.get(name, []))
        rows.append(row)
    note = (
        f"Share of {pairs} problem–seed pairs within {CLOSE:g} nats per row of the best found by "
        "anyone (EM from the truth included), of those it was run on; gaps, ARI and failures "
        "at the largest budget. The time is the median until a contender stays at what "
        "scikit-learn's k-means++ restarts have at their largest budget; beside it, on how many "
        "of the pairs it is there later than they are."
    )
    return f"{markdown.table(head, rows)}\n\n{note}\n\n{circumstances(cells)}\n"


def front(cells: list[Cell]) -> str:
    """Return the shares of `summary` alone, for the contenders that users have.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    share = shares(cells)
    budgets = sorted({budget for _, budget in share})
    methods = [m for m in ("search", "paper", "sklearn-k-means++", "mclust") if (m, 1.0) in share]
    rows = [
        [
            CONTENDERS[m].title,
            *[f"{100 * share[m, b]:.0f} %" if (m, b) in share else "–" for b in budgets],
            str(len({(c["problem"], c["seed"]) for c in ran(cells) if c["method"] == m})),
        ]
        for m in methods
    ]
    head = [f"within {CLOSE:g} nats of the best", *[f"{b:g} s" for b in budgets], "problems"]
    return markdown.table(head, rows)


def _extras(
    cells: list[Cell], own: list[Cell], budget: float, times: list[float], late: list[bool]
) -> list[str]:
    best = best_known(cells)
    last = [c for c in own if c["budget"] == budget and c["status"] != "missing"]
    found = [c for c in last if value(c) > -math.inf]
    gaps = [best[c["problem"], c["seed"]] - value(c) for c in last]
    agreement = [float(c["ari"]) for c in found if c.get("ari") is not None]
    time = median(times) if times else math.inf
    return [
        f"{median(gaps):.4f}" if gaps else "–",
        f"{mean(agreement):.3f}" if agreement else "–",
        f"{time:.2g} s" if math.isfinite(time) else "never",
        f"{100 * mean(late):.0f} %" if late else "–",
        str(len(last) - len(found)),
    ]


def by_problem(cells: list[Cell]) -> str:
    """Return the gap to the best known for every problem, at the largest budget.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown; the smallest mean gap over the seeds is bold.
    """
    best = best_known(cells)
    competing = ran(cells)
    if not competing:
        return "No results yet.\n"
    budget = max(c["budget"] for c in competing)
    methods = [m for m in CONTENDERS if any(c["method"] == m for c in competing)]
    head = ["problem", *[CONTENDERS[m].title for m in methods]]
    rows = []
    for problem in dict.fromkeys(c["problem"] for c in competing):
        gaps = {}
        for m in methods:
            own = [
                best[problem, c["seed"]] - value(c)
                for c in competing
                if (c["problem"], c["method"], c["budget"]) == (problem, m, budget)
                and (problem, c["seed"]) in best
            ]
            gaps[m] = mean(own) if own else math.nan
        least = min((g for g in gaps.values() if not math.isnan(g)), default=math.nan)
        row = [_gap(g, bold=math.isfinite(g) and g <= least + 1e-4) for g in gaps.values()]
        rows.append([problem, *row])
    return f"{markdown.table(head, rows)}\n\nMean gap in nats per row at {budget:g} s.\n"


def _gap(gap: float, *, bold: bool) -> str:
    if not math.isfinite(gap):
        return "–" if math.isnan(gap) else "no model"
    return f"**{gap:.4f}**" if bold else f"{gap:.4f}"


def table(cells: list[Cell]) -> str:
    """Return all tables: of all problems, of two families alone, and of each problem.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    if not ran(cells):
        return "No results yet.\n"
    families = {
        "": [c for c in cells if c["problem"] not in {*FRESH, *HARD}],
        "Problems of the same kinds in other sizes alone:\n\n": of(cells, FRESH),
        "Hard problems alone:\n\n": of(cells, HARD),
    }
    parts = [f"{title}{summary(own)}" for title, own in families.items() if ran(own)]
    return "\n".join([*parts, by_problem(cells)])
