"""Study 5: the parts of `search` and `paper` switched off one at a time, success against budget.

Seconds, threads, rows, floor and judge are those of the equal-time study.
"""

from __future__ import annotations

from statistics import mean, median
from typing import Any

from benchmarks import markdown
from benchmarks.studies.best_known import CLOSE, best_known
from benchmarks.studies.contenders import Contender
from benchmarks.studies.equal_time import TRUTH, tasks_of
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, check_methods
from biglearn.search.methods import Search

NAME = "ablation"


def _without(*legs: str) -> dict[str, Any]:
    return {"legs": [leg for leg in Search().legs if leg not in legs]}


def _with(idea: str) -> dict[str, Any]:
    legs = Search().legs
    return {"legs": [*legs[:4], f"benchmarks.studies.ideas:{idea}", *legs[4:]]}


#: Constants of the method, by variant; the first of each is the whole method.
PARTS: dict[str, dict[str, dict[str, Any]]] = {
    "search": {
        "search": {},
        "search, no split-merge": {"trials": 0},
        "search, no tournaments": _without("tournament"),
        "search, no subspace starts": _without("subspace"),
        "search, no disturbance": _without("disturb", "jolt"),
        "search, disturbance by the block lift alone": _without("disturb"),
        "search, disturbance by the regression lift alone": _without("jolt"),
        "search, no recombination": _without("regions", "pairs"),
        "search, every row meets every component": {"tuning": {"tiled_components": 10**9}},
        "search, no memory of surgery": {"tuning": {"remembered": 0}},
        "search, no views at all": _without("subspace", "disturb", "jolt"),
        "search, subspaces of one feature": {"sizes": [1]},
        "search, no acceleration": {"accelerate": False},
        "search, restarts alone": {"legs": ["restart"], "trials": 0},
        "search, and more components for a while": _with("OVERFILL"),
        "search, and tempered starts": _with("TEMPERED"),
    },
    "paper": {
        "paper": {},
        "paper, joint alone": {"p_joint": 1.0, "p_marginal": 0.0, "p_transformed": 0.0},
        "paper, no rotations": {"p_joint": 0.4, "p_marginal": 0.6, "p_transformed": 0.0},
        "paper, rotations alone": {"p_joint": 0.4, "p_marginal": 0.0, "p_transformed": 0.6},
        "paper, all sizes alike": {"beta": [1.0, 1.0]},
        "paper, regression lift": {"lift": "regression"},
        "paper, no pseudo-count": {"pseudo_count": 0.0},
        "paper, 1 inner step": {"inner_steps": 1},
        "paper, 20 inner steps": {"inner_steps": 20},
        "paper, no polish": {"polish": False},
    },
}

VARIANTS: dict[str, Contender] = {
    name: Contender(
        name,
        name,
        "fit_biglearn",
        {"method": method, "constants": constants, "restarts": method == "paper"},
        anytime=method == "search",
        ours=True,
    )
    for method, variants in PARTS.items()
    for name, constants in variants.items()
}
PROFILES = {
    "tiny": Plan(("elongated",), tuple(VARIANTS)[:2], (0,), (0.2,), rows=300),
    "short": Plan(("hidden", "unbalanced"), (TRUTH, *VARIANTS), (0,), (1.0,)),
    "full": Plan(
        (
            "grid100",
            "overlap-d5-k30",
            "overlap-d10-k30",
            "hidden",
            "unbalanced",
            "elongated",
            "letter",
            "pendigits",
            "satimage",
            "vehicle",
            "glass",
        ),
        (TRUTH, *VARIANTS),
        (0, 1, 2),
        (1.0, 4.0, 16.0),
    ),
}


def tasks(options: Options) -> list[Task]:
    """Return one task per problem, seed and fit; a method's name stands for all its variants.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """
    check_methods(options.plan, (TRUTH, *VARIANTS))
    return tasks_of(options, VARIANTS.__getitem__)


def table(cells: list[Cell]) -> str:
    """Return a row per variant: success at every budget, and the gaps at the largest.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    best = best_known(cells)
    own = [c for c in cells if c["method"] in VARIANTS and (c["problem"], c["seed"]) in best]
    budgets = sorted({c["budget"] for c in own})
    head = [
        "variant",
        *[f"{b:g} s" for b in budgets],
        "better",
        "worse",
        "median gap",
        "worst gap",
        "pairs",
    ]
    rows = []
    for name in [name for name in VARIANTS if any(c["method"] == name for c in own)]:
        gaps = {
            b: [
                best[c["problem"], c["seed"]] - _value(c)
                for c in own
                if (c["method"], c["budget"]) == (name, b)
            ]
            for b in budgets
        }
        shares = [_share(gaps[b]) for b in budgets]
        last = gaps[budgets[-1]] or [float("nan")]
        tail = _beside_the_whole(own, name, budgets[-1])
        tail += [f"{median(last):.4f}", f"{max(last):.4f}", str(len(gaps[budgets[-1]]))]
        rows.append([name, *shares, *tail])
    note = (
        f"Share of problem–seed pairs within {CLOSE:g} nats per row of the best found by any "
        "variant or by EM from the truth, after the judge's polish; beside it on how many of them "
        "a variant ends higher and lower than the whole by as much. Without a polish of its own "
        "`paper` is judged without the judge's."
    )
    return f"{markdown.table(head, rows)}\n\n{note}\n"


def _beside_the_whole(cells: list[Cell], name: str, budget: float) -> list[str]:
    """Return on how many pairs a variant is better and worse than the method whole, by `CLOSE`."""
    whole = next(next(iter(variants)) for variants in PARTS.values() if name in variants)
    if name == whole:
        return ["", ""]
    values = {
        one: {
            (c["problem"], c["seed"]): _value(c)
            for c in cells
            if (c["method"], c["budget"]) == (one, budget)
        }
        for one in (name, whole)
    }
    shared = values[name].keys() & values[whole].keys()
    gains = [values[name][pair] - values[whole][pair] for pair in shared]
    return [str(sum(gain > CLOSE for gain in gains)), str(sum(gain < -CLOSE for gain in gains))]


def _value(cell: Cell) -> float:
    field = "unpolished" if cell["method"] == "paper, no polish" else "log_likelihood"
    found = cell.get(field)
    return float("-inf") if found is None else float(found)


def _share(gaps: list[float]) -> str:
    return f"{100 * mean(gap <= CLOSE for gap in gaps):.0f} %" if gaps else "–"
