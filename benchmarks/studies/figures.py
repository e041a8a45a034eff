"""Figures drawn from the committed results alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.studies import gaussians25, generalise_tables, merging
from benchmarks.studies.best_known import CLOSE, best_known
from benchmarks.studies.contenders import CONTENDERS
from benchmarks.studies.equal_time import settled
from benchmarks.studies.equal_time_tables import longest, ran
from benchmarks.studies.store import Cell, load
from biglearn.plots.base import require_matplotlib

#: Studies whose figure has two panels.
TWO_PANELS = ("gaussians25",)


def profile(cells: list[Cell]) -> dict[str, tuple[list[float], list[float]]]:
    """Return the performance profile over time of every contender.

    Parameters
    ----------
    cells : list of dict
        Of the equal-time study.

    Returns
    -------
    dict
        From method to times and the shares of problem–seed pairs within 1e-3 nats of the best
        known at these times.

    Examples
    --------
    >>> cell = {"problem": "p", "seed": 0, "method": "em", "budget": 1.0, "status": "time"}
    >>> profile([{**cell, "log_likelihood": -1.0, "trail": [[0.5, -1.0]]}])
    {'em': ([0.5], [1.0])}
    """
    best = best_known(cells)
    since: dict[str, list[float]] = {}
    for (method, problem, seed), cell in longest(cells).items():
        if (problem, seed) in best:
            time = settled(cell, best[problem, seed] - CLOSE)
            since.setdefault(method, []).append(time)
    curves = {}
    for method, all_times in since.items():
        times = sorted(time for time in all_times if time < math.inf)
        curves[method] = (times, [(i + 1) / len(all_times) for i in range(len(times))])
    return curves


def draw_profile(cells: list[Cell], ax: Any) -> None:
    """Draw the performance profile: ours as thick lines.

    Parameters
    ----------
    cells : list of dict
    ax : matplotlib.axes.Axes
    """
    curves = profile(cells)
    count = Counter(method for method, _, _ in longest(cells))
    end = max(cell["budget"] for cell in ran(cells))
    for name in [name for name in CONTENDERS if name in curves]:
        contender, (times, shares) = CONTENDERS[name], curves[name]
        ax.step(
            [0.02, *times, end],
            [0.0, *shares, shares[-1] if shares else 0.0],
            where="post",
            label=f"{contender.title} ({count[name]} pairs)",
            linewidth=2.5 if contender.ours else 1.2,
            linestyle="-" if contender.ours else "--",
        )
    ax.set_xscale("log")
    ax.set_ylim(0, 1)
    ax.set_xlabel("wall time in seconds")
    ax.set_ylabel(f"share within {CLOSE:g} nats per row of the best")
    ax.legend(fontsize="small", loc="upper left")


def draw_fashion(cells: list[Cell], ax: Any) -> None:
    """Draw accuracy and NMI on the test rows over the outer steps of the published chain.

    Parameters
    ----------
    cells : list of dict
        Of the fashion study.
    ax : matplotlib.axes.Axes
    """
    chains = [c for c in cells if c.get("curves")]
    for colour, cell in enumerate(chains):
        for figure, style in (("accuracy", "-"), ("nmi", "--")):
            label = f"{figure}, {cell['method']}, D = {cell['D']}, N = {cell['N']}"
            values = cell["curves"][figure]
            ax.plot(cell["steps"], values, style, color=f"C{colour}", label=label)
    ax.set_xlabel("outer step")
    ax.set_ylabel("on test rows")
    ax.legend(fontsize="x-small")


def draw(folder: Path) -> list[Path]:
    """Draw every figure whose results are there.

    Parameters
    ----------
    folder : pathlib.Path
        With the studies' files; the pictures go beside them.

    Returns
    -------
    list of pathlib.Path
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    made = []
    painters: dict[str, Callable[[list[Cell], Any], None]] = {
        "equal-time": draw_profile,
        "gaussians25": gaussians25.draw,
        "fashion": draw_fashion,
        "generalise": generalise_tables.draw,
        "merging": merging.draw,
    }
    for study, painter in painters.items():
        source = folder / f"{study}.json"
        if source.exists():
            wide = study in TWO_PANELS
            figure = Figure(figsize=(10 if wide else 7, 4.2), layout="constrained")
            axes = figure.subplots(1, 2) if wide else figure.add_subplot()
            painter(load(source), axes)
            figure.savefig(folder / f"{study}.png", dpi=120)
            made.append(folder / f"{study}.png")
    return made
