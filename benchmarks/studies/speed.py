"""Study 6: the time of one EM step, ours and everyone's, from the same start in one run.

Each does the same number of steps from the same parameters, in a process of its own; the likelihood
they end at stands beside the time, and must agree. Start-up is removed by taking the difference of
two lengths. Beside it stand the memory beyond the data, and the share of the rate at which the
machine multiplies matrices with as many threads, for 4 N K P operations per step with
P = (D + 1)(D + 2) / 2: two products with the quadratic features of the rows.
"""

from __future__ import annotations

import functools
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from benchmarks import markdown
from benchmarks.studies import environments, processes, realdata
from benchmarks.studies.equal_time import missing
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.simulated import Array, overlapping
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, check_methods

NAME = "speed"
FLOOR = 1e-6
SHORT, LONG = 3, 13
TIMEOUT = 900.0
#: Nats per row by which likelihoods may differ after the same steps: floors are not all alike.
AGREE = 1e-3

#: Rows on which the likelihoods are compared.
JUDGED = 20_000

STEPPER = Path(__file__).parent / "rivals" / "stepper.py"
MAIN = (
    "n2000-d2-k25",
    "n7494-d16-k12",
    "n20000-d16-k26",
    "n100000-d10-k10",
    "n50000-d54-k7",
)
GROWTH = {
    "N": ("n5000-d8-k10", "n20000-d8-k10", "n80000-d8-k10", "n320000-d8-k10"),
    "D": ("n20000-d2-k10", "n20000-d4-k10", "n20000-d8-k10", "n20000-d16-k10", "n20000-d32-k10"),
    "K": ("n20000-d8-k5", "n20000-d8-k10", "n20000-d8-k20", "n20000-d8-k40"),
}
FASHION = "fashion-n60000-d784-k10"
TITLES = {
    "biglearn": "biglearn",
    "sklearn": "scikit-learn",
    "authors": "authors' formulation",
    "pomegranate": "pomegranate",
    "tgmm": "tgmm",
    "torchgmm": "torchgmm",
    "gmmx": "gmmx",
}
#: Environments of the programs that do not live beside the library.
HOMES = dict.fromkeys(("authors", "pomegranate", "tgmm", "torchgmm"), "torch") | {"gmmx": "gmmx"}

PACKAGES = {
    "biglearn": ["biglearn-em", "scipy"],
    "sklearn": ["scikit-learn", "scipy"],
    "authors": ["torch"],
    "pomegranate": ["pomegranate", "torch"],
    "tgmm": ["tgmm", "torch"],
    "torchgmm": ["torchgmm", "torch"],
    "gmmx": ["gmmx", "jax"],
}
METHODS = tuple(TITLES)
#: What a program cannot do, by a part of the size's name.
LIMITS = {
    (FASHION, "authors"): "its arrays would hold 3 TB, made anew in every step of Fashion-MNIST",
    ("float64", "gmmx"): "takes float32 alone",
}


def _settings(sizes: Iterable[str], dtype: str, threads: int) -> tuple[str, ...]:
    return tuple(f"{size}-{dtype}-t{threads}" for size in sizes)


_GROWTH = tuple(dict.fromkeys(size for sizes in GROWTH.values() for size in sizes))
PROFILES = {
    "tiny": Plan(_settings(["n500-d3-k4"], "float64", 1), ("biglearn", "sklearn"), (0,)),
    "short": Plan(_settings(MAIN[:3], "float64", 1), METHODS, (0,)),
    "full": Plan(
        (
            *_settings(MAIN, "float64", 1),
            *_settings(MAIN, "float64", 2),
            *_settings(MAIN, "float32", 1),
            *_settings(_GROWTH, "float64", 1),
            *_settings([FASHION], "float32", 1),
            *_settings([FASHION], "float64", 2),
        ),
        METHODS,
        (0,),
    ),
}
GRID = tuple(
    f"n{N}-d{D}-k{K}"
    for N in (2000, 20000, 200000)
    for D in (2, 8, 16, 32, 64)
    for K in (5, 20, 60)
)
PROFILES["grid"] = Plan(
    (*_settings(GRID, "float64", 2), *_settings(GRID, "float32", 2)),
    tuple(method for method in METHODS if method != "authors"),
    (0,),
)
SIZE = re.compile(r"(?:fashion-)?n(\d+)-d(\d+)-k(\d+)-(float(?:32|64))-t(\d+)$")


def tasks(options: Options) -> list[Task]:
    """Return one task per size and method; a problem is ``n2000-d2-k25-float64-t1`` or the like.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """
    plan = options.plan
    for name in plan.problems:
        if not SIZE.match(name):
            raise ValueError(f"unknown size {name!r}; write it like {PROFILES['tiny'].problems[0]}")
    check_methods(plan, METHODS)
    return [
        Task(p, m, s, (None,), functools.partial(_measure, p, m, s, options))
        for p in plan.problems
        for s in plan.seeds
        for m in plan.methods
    ]


def parse(size: str) -> dict[str, Any]:
    """Read the name of a size.

    Parameters
    ----------
    size : str

    Returns
    -------
    dict

    Examples
    --------
    >>> parse("n2000-d2-k25-float64-t1")
    {'N': 2000, 'D': 2, 'K': 25, 'dtype': 'float64', 'threads': 1}
    """
    found = SIZE.match(size)
    assert found is not None
    N, D, K, dtype, threads = found.groups()
    return {"N": int(N), "D": int(D), "K": int(K), "dtype": dtype, "threads": int(threads)}


def _rows(size: str, seed: int, options: Options) -> tuple[Array, Array]:
    """Rows in their own type, and K of them to begin from."""
    what = parse(size)
    N, D, K = what["N"], what["D"], what["K"]
    rng = np.random.default_rng(seed)
    if size.startswith(FASHION):
        X = realdata.load("fashion_mnist", data=options.data, download=options.download).X
        X = X[:N] / 255.0
    else:
        X, _ = overlapping(D, K)(rng).sample(N, rng)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X.astype(what["dtype"]), X[rng.choice(N, K, replace=False)]


def _measure(size: str, method: str, seed: int, options: Options) -> list[Cell]:
    what = parse(size)
    limits = (why for (part, m), why in LIMITS.items() if m == method and part in size)
    reason = next(limits, "") or environments.gap(HOMES.get(method))
    if reason:
        return missing(reason, (None,))
    try:
        X, means = _rows(size, seed, options)
    except MissingDataError as error:
        return missing(str(error), (None,))
    request = {
        "program": method,
        "packages": PACKAGES[method],
        "floor": 0.05 if size.startswith(FASHION) else FLOOR,
        "threads": what["threads"],
        "short": 1 if size.startswith(FASHION) else SHORT,
        "long": LONG,
        "judged": JUDGED,
    }
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        np.save(folder / "rows.npy", np.ascontiguousarray(X))
        np.save(folder / "means.npy", means)
        del X
        (folder / "request.json").write_text(json.dumps(request))
        ended = processes.run(
            STEPPER,
            folder,
            environment=HOMES.get(method),
            threads=what["threads"],
            timeout=TIMEOUT,
        )
        report = folder / "done.json"
        done = json.loads(report.read_text()) if report.exists() else {}
    if not done:
        done = {"status": "killed", "message": ended or "the process left no report"}
    return [{"budget": None, **what, **done}]


def operations(cell: Cell) -> float:
    """Return the operations of one EM step: two products with the quadratic features.

    Parameters
    ----------
    cell : dict

    Returns
    -------
    float

    Examples
    --------
    >>> operations({"N": 10, "D": 1, "K": 2})
    240.0
    """
    P = (cell["D"] + 1) * (cell["D"] + 2) / 2
    return float(4 * cell["N"] * cell["K"] * P)


def table(cells: list[Cell]) -> str:
    """Return times, memory and GEMM shares of every size, then the slopes.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    head = ["N", "D", "K", "type", "threads", "biglearn ms"]
    head += [f"{TITLES[m]} ÷ biglearn" for m in METHODS[1:]]
    head += ["share of GEMM", "extra memory: biglearn, scikit-learn", "likelihoods agree to"]
    rows = []
    growth = set(_settings(_GROWTH, "float64", 1)) - set(_settings(MAIN, "float64", 1))
    for size in sorted({c["problem"] for c in cells}, key=_order):
        own = {c["method"]: c for c in cells if c["problem"] == size}
        if size not in growth and _good(own.get("biglearn")):
            rows.append(_row(own))
    note = (
        "Time per EM step, as a multiple of ours. Memory is the peak beyond the rows, the package "
        "and what it imports. The authors' formulation is written by us in PyTorch with arrays of "
        "N×K×D×D, in blocks of 2 GiB where they would be larger."
    )
    gaps = {c["method"]: c["message"] for c in cells if not _good(c)}
    absent = " ".join(f"{TITLES[m]}: {why}." for m, why in gaps.items())
    parts = [markdown.table(head, rows), note, absent, slopes(cells)]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(cells: list[Cell]) -> str:
    """Return how many times as long as ours a step takes, over the sizes of the grid.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown.
    """
    lines = ["| beside | type | sizes | least | median | most | where it is faster |"]
    lines.append("| --- " * 7 + "|")
    for method in METHODS[1:]:
        for dtype in ("float64", "float32"):
            found = ratios(cells, method, dtype)
            if found:
                parts = [f"{min(found):.1f}", f"{median(found):.0f}", f"{max(found):.0f}"]
                ahead = str(sum(ratio < 1 for ratio in found))
                lines.append(
                    "| "
                    + " | ".join([TITLES[method], dtype, str(len(found)), *parts, ahead])
                    + " |"
                )
    return "\n".join(lines)


def ratios(cells: list[Cell], method: str, dtype: str) -> list[float]:
    """Return how many times as long as ours a step of a rival takes, by size of the grid.

    Parameters
    ----------
    cells : list of dict
    method, dtype : str

    Returns
    -------
    list of float
    """
    grid = {c["problem"]: c for c in cells if c["method"] == "biglearn" and _good(c)}
    return [
        c["step_seconds"] / grid[c["problem"]]["step_seconds"]
        for c in cells
        if c["method"] == method and c["dtype"] == dtype and _good(c)
        if c["problem"] in grid and c["problem"].partition("-float")[0] in GRID
    ]


def _order(size: str) -> tuple[object, ...]:
    """Sort sizes by their numbers, fewest threads and rows first."""
    found = parse(size)
    return tuple(found[name] for name in ("threads", "dtype", "N", "D", "K"))


def _good(cell: Cell | None) -> bool:
    return cell is not None and cell["status"] == "finished"


def _row(own: dict[str, Cell]) -> list[str]:
    ours = own["biglearn"]
    row = [str(ours[name]) for name in ("N", "D", "K", "dtype", "threads")]
    row.append(f"{1000 * ours['step_seconds']:.2f}")
    apart: dict[str, float] = {}
    for method in METHODS[1:]:
        cell = own.get(method)
        if cell is None or not _good(cell):
            row.append("–" if cell is None else cell["status"])
            continue
        row.append(f"{cell['step_seconds'] / ours['step_seconds']:.1f}")
        value = cell["log_likelihood"]
        gap = float("inf") if value is None else abs(value - ours["log_likelihood"])
        apart[TITLES[method]] = gap
    row.append(f"{100 * operations(ours) / ours['step_seconds'] / ours['gemm']:.0f} %")
    pair = [own[m] for m in ("biglearn", "sklearn") if _good(own.get(m))]
    extra = [c.get("extra_bytes") for c in pair]
    row.append(", ".join("–" if b is None else f"{b / 2**20:.0f}" for b in extra) + " MiB")
    close = max((gap for gap in apart.values() if gap <= AGREE), default=0.0)
    others = [f"; {name} off by {gap:.0e}" for name, gap in apart.items() if not gap <= AGREE]
    return [*row, f"{close:.0e}" + "".join(others)]


def slopes(cells: list[Cell]) -> str:
    """Return how the time of a step grows: slopes of log time over log N, D and K.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
        Markdown; empty where no program was run on all sizes.
    """
    lines = ["| program | " + " | ".join(f"slope in {axis}" for axis in GROWTH) + " |"]
    lines.append("| --- " * (1 + len(GROWTH)) + "|")
    for method in METHODS:
        found = [_slope(cells, method, axis, sizes) for axis, sizes in GROWTH.items()]
        if not np.isnan(found).any():
            lines.append(f"| {TITLES[method]} | " + " | ".join(f"{s:.2f}" for s in found) + " |")
    ranges = "; ".join(f"{axis}: {sizes[0]} to {sizes[-1]}" for axis, sizes in GROWTH.items())
    return "\n".join(lines) + f"\n\nFitted over {ranges}." if len(lines) > 2 else ""


def _slope(cells: list[Cell], method: str, axis: str, sizes: tuple[str, ...]) -> float:
    times: dict[int, list[float]] = {}
    for cell in cells:
        own = cell["method"] == method and cell["problem"] in _settings(sizes, "float64", 1)
        if own and _good(cell):
            times.setdefault(cell[axis], []).append(cell["step_seconds"])
    if len(times) < len(sizes):
        return float("nan")
    x, y = np.log(list(times)), np.log([mean(found) for found in times.values()])
    return float(np.polyfit(x, y, 1)[0])
