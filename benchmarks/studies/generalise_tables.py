"""Tables and the picture of the study `generalise`."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import mean, median
from typing import Any

from benchmarks import markdown
from benchmarks.studies.generalise import DETECTION, METHODS, TITLES, kind_of
from benchmarks.studies.generalise import NAME as NAME
from benchmarks.studies.rivals.outliers import SCORES
from benchmarks.studies.store import Cell

#: Differences of held-out log-likelihood per row, and of ARI, that count as equal.
TIE, TIED_ARI = 0.005, 0.01

#: Against which each is compared.
REFERENCE = "sklearn"


def by_problem(cells: list[Cell], kind: str) -> dict[str, dict[str, Cell]]:
    """Return the cells of one kind by problem and method, those that failed left out."""
    found: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        if cell["status"] == "finished" and kind_of(cell["problem"]) == kind:
            found.setdefault(cell["problem"], {})[cell["method"]] = cell
    return found


def _share(values: list[float], above: float) -> str:
    return f"{mean(v > above for v in values):.0%}" if values else "–"


def differences(
    found: dict[str, dict[str, Cell]], method: str, other: str, figure: str
) -> list[float]:
    """Return by how much a method is ahead of another, on the problems where both have a figure.

    Parameters
    ----------
    found : dict
        Cells by problem and method.
    method, other, figure : str

    Examples
    --------
    >>> differences({"p": {"a": {"ari": 0.5}, "b": {"ari": 0.25}}}, "a", "b", "ari")
    [0.25]
    """
    pairs = [
        (cells[method].get(figure), cells[other].get(figure))
        for cells in found.values()
        if method in cells and other in cells
    ]
    return [a - b for a, b in pairs if a is not None and b is not None]


def density(cells: list[Cell]) -> str:
    """Return what each method gains over scikit-learn's default on the real sets."""
    found = by_problem(cells, "density")
    lines = [
        "| against scikit-learn's default | sets | held out: better | worse | mean, each set "
        "within ±1 | ARI: better | worse | mean ARI | warned of its components | seconds, median "
        "ratio | no model |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method in METHODS:
        gains = differences(found, method, REFERENCE, "heldout")
        if not gains:
            continue
        aris = differences(found, method, REFERENCE, "ari")
        own = [c[method] for c in found.values() if method in c]
        ratios = [
            c[method]["seconds"] / c[REFERENCE]["seconds"] for c in found.values() if method in c
        ]
        lost = sum(
            (c["status"], c["method"], kind_of(c["problem"])) == ("failed", method, "density")
            for c in cells
        )
        clipped = mean(max(-1.0, min(1.0, gain)) for gain in gains)
        warned = mean(bool(c["doubted"]) for c in own)
        name = TITLES[method]
        if method == REFERENCE:
            average = mean(c["ari"] for c in own if c["ari"] is not None)
            lines.append(f"| {name} | {len(gains)} | | | | | | {average:.3f} | – | 1 | {lost} |")
            continue
        average = mean(c["ari"] for c in own if c["ari"] is not None)
        doubted = f"{warned:.0%}" if "biglearn" in name else "–"
        lines.append(
            f"| {name} | {len(gains)} | {_share(gains, TIE)} | "
            f"{_share([-gain for gain in gains], TIE)} | {clipped:+.2f} | "
            f"{_share(aris, TIED_ARI)} | {_share([-a for a in aris], TIED_ARI)} | "
            f"{average:.3f} ({mean(aris):+.3f}) | {doubted} | {median(ratios):.1f} | {lost} |"
        )
    return "\n".join(lines)


def front(cells: list[Cell]) -> str:
    """Return what a visitor takes in at a glance: a few contenders on new rows and as clusters."""
    found = by_problem(cells, "density")
    rows = []
    for method in ("search", "sklearn-10", "bayesian", "mclust-prior"):
        gains = differences(found, method, REFERENCE, "heldout")
        aris = differences(found, method, REFERENCE, "ari")
        if gains and aris:
            shares = [_share(gains, TIE), _share([-gain for gain in gains], TIE)]
            shares += [_share(aris, TIED_ARI), _share([-ari for ari in aris], TIED_ARI)]
            rows.append([TITLES[method], *shares, f"{mean(aris):+.3f}", str(len(gains))])
    head = ["against scikit-learn's default", "new rows: better", "worse"]
    return markdown.table([*head, "clusters: better", "worse", "mean ARI", "sets"], rows)


def rivals(cells: list[Cell]) -> str:
    """Return how our default stands against every other method."""
    found = by_problem(cells, "density")
    lines = [
        "| our default against | sets | held out: better | worse | mean, each set within ±1 | "
        "mean ARI gained |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for method in METHODS:
        gains = differences(found, "search", method, "heldout")
        if method == "search" or not gains:
            continue
        aris = differences(found, "search", method, "ari")
        clipped = mean(max(-1.0, min(1.0, gain)) for gain in gains)
        lines.append(
            f"| {TITLES[method]} | {len(gains)} | {_share(gains, TIE)} | "
            f"{_share([-gain for gain in gains], TIE)} | {clipped:+.2f} | {mean(aris):+.3f} |"
        )
    return "\n".join(lines)


def clusterings(cells: list[Cell]) -> str:
    """Return mean ARI on clustbench beside the published ones."""
    found = by_problem(cells, "clusters")
    if not found:
        return ""
    given = [next(iter(c.values()))["published"] for c in found.values()]
    published = {
        "scikit-learn's mixture of 100 starts, published": "sklearn_gm",
        "k-means, published": "sklearn_kmeans",
        "Genie, published": "genie",
    }
    lines = [f"| clustbench, {len(found)} sets | mean ARI |", "| --- | --- |"]
    lines += [
        f"| {title} | {mean(g[key] for g in given):.3f} |" for title, key in published.items()
    ]
    return "\n".join([*lines, *_means(found, METHODS, "ari")])


def _means(found: dict[str, dict[str, Cell]], methods: Iterable[str], figure: str) -> list[str]:
    """Return a row with the mean figure of each method that ran on every problem."""
    lines = []
    for method in methods:
        values = [c[method][figure] for c in found.values() if method in c]
        if len(values) == len(found):
            lines.append(f"| {TITLES[method]} | {mean(values):.3f} |")
    return lines


def detection(cells: list[Cell]) -> str:
    """Return mean AUROC on the anomaly sets."""
    found = by_problem(cells, "scores")
    if not found:
        return ""
    lines = [f"| ADBench, {len(found)} sets | mean AUROC |", "| --- | --- |"]
    return "\n".join([*lines, *_means(found, (*DETECTION, *SCORES), "auroc")])


def by_set(cells: list[Cell]) -> str:
    """Return the held-out log-likelihood of every set and method, and ARI."""
    found = by_problem(cells, "density")
    methods = [m for m in METHODS if any(m in c for c in found.values())]
    lines = [
        "| set | N × D, K | " + " | ".join(TITLES[m] for m in methods) + " |",
        "| --- | --- |" + " --- |" * len(methods),
    ]
    for problem, own in sorted(found.items()):
        first = next(iter(own.values()))
        parts = []
        for method in methods:
            cell = own.get(method)
            if cell is None:
                parts.append("–")
                continue
            ari = "" if cell["ari"] is None else f", {cell['ari']:.2f}"
            parts.append(f"{cell['heldout']:.2f}{ari}")
        size = f"{first['N']} × {first['D']}, {first['K']}"
        lines.append(f"| {problem} | {size} | " + " | ".join(parts) + " |")
    return "\n".join(lines)


def summary(cells: list[Cell]) -> str:
    """Return the short tables of the study, for the first page."""
    parts = (density(cells), clusterings(cells), detection(cells))
    return "\n\n".join(part for part in parts if part)


def table(cells: list[Cell]) -> str:
    """Return all tables of the study."""
    parts = [density(cells), rivals(cells), clusterings(cells), detection(cells)]
    note = (
        "Held-out log-likelihood per row at the data's resolution, and ARI where there are labels:"
    )

    return "\n\n".join([*(part for part in parts if part), note, by_set(cells)]) + "\n"


def draw(cells: list[Cell], ax: Any) -> None:
    """Draw what is gained on new rows over what is gained on the fitted ones.

    Parameters
    ----------
    cells : list of dict
    ax : matplotlib.axes.Axes
    """
    found = by_problem(cells, "density")
    for method, marker in (("search-likeliest", "x"), ("search", "o")):
        points = [
            (
                c[method]["training"] - c[REFERENCE]["training"],
                c[method]["heldout"] - c[REFERENCE]["heldout"],
            )
            for c in found.values()
            if method in c and REFERENCE in c
        ]
        x, y = zip(*points, strict=True)
        ax.plot(x, y, marker, label=TITLES[method], alpha=0.8)
    for line in (ax.axhline, ax.axvline):
        line(0, color="grey", linewidth=0.8)
    ax.set_xscale("symlog", linthresh=0.1)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_xlabel("gain on the fitted rows over scikit-learn, nats per row")
    ax.set_ylabel("gain on new rows")
    ax.legend(fontsize="small")
