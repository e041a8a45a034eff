"""The claims of the project, each with its figure, command and file: all drawn from results.

A claim is a sentence, the file it rests on, the command that makes the file, and a function from
the file's cells to the figure.  Claims against us stand among those for us.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from benchmarks import many_rows, markdown
from benchmarks.studies import clustering, equal_time_tables, gaussians25, generalise_tables, speed
from benchmarks.studies.generalise import TITLES
from benchmarks.studies.store import Cell, load

RESULTS = Path(__file__).parent / "results"
Figure = Callable[[list[Cell]], str]


@dataclass(frozen=True)
class Claim:
    """A sentence that a reader may doubt.

    Parameters
    ----------
    words : str
    file : str
        Of the results, without its ending.
    figure : callable
        From the file's cells to what they say; empty where they do not reach.
    options : str
        Of the command, after the name of the study.
    command : str
        For what is no study.
    """

    words: str
    file: str
    figure: Figure
    options: str = "--full"
    command: str = ""

    def row(self) -> list[str]:
        """Return the claim's line of the table; a figure that nobody made is a visible gap."""
        path = RESULTS / f"{self.file}.json"
        found = self.figure(load(path)) if path.exists() else ""
        command = self.command or f"python -m benchmarks study {self.file} {self.options}".strip()
        file = f"`benchmarks/results/{self.file}.json`"
        return [self.words, found or "not measured yet", f"`{command}`", file]


def table() -> str:
    """Return the table of all claims.

    Returns
    -------
    str
        Markdown, for a page of the explanations.
    """
    head = ["claim", "figure", "made by", "file"]
    return markdown.table(head, [claim.row() for claim in CLAIMS]) + "\n"


def _finished(cells: list[Cell], **wanted: object) -> list[Cell]:
    return [
        c
        for c in cells
        if c["status"] == "finished" and all(c.get(k) == v for k, v in wanted.items())
    ]


def _least(method: str) -> Figure:
    def figure(cells: list[Cell]) -> str:
        own = _finished(cells, method=method)
        if not own:
            return ""
        least = markdown.spread([c["kl_minimum"] for c in own], 4)
        published = gaussians25.PUBLISHED["paper" if method == "paper" else "em"]
        return f"KL {least} of {len(own)} seeds; published {published[0]:.4f} ± {published[1]:.4f}"

    return figure


def _marginals(cells: list[Cell]) -> str:
    chains = [c for c in _finished(cells, method="paper") if c.get("curves")]
    if not chains:
        return ""
    last = {name: mean(c["curves"][name][-1] for c in chains) for name in gaussians25.DIVERGENCES}
    return ", ".join(f"{name} {figure:.4f}" for name, figure in last.items())


def _same_optimum(cells: list[Cell]) -> str:
    both = {m: _finished(cells, method=m) for m in ("paper", "search")}
    if not all(both.values()):
        return ""
    return "; ".join(
        f"`{m}` KL {mean(c['kl']['joint'] for c in own):.4f}, "
        f"{median(c['seconds'] for c in own):.1f} s"
        for m, own in both.items()
    )


def _pendigits(cells: list[Cell]) -> str:
    own = [c for c in _finished(cells, problem="pendigits", method="paper") if c.get("chain")]
    if not own:
        return ""
    inner = [c["chain"] for c in own]
    nmi, ari, density = clustering.PUBLISHED["pendigits", "paper"]
    ours = [markdown.spread([c[name] for c in inner]) for name in ("nmi", "ari", "held_out")]
    return (
        f"NMI {ours[0]}, ARI {ours[1]}, log-likelihood {ours[2]} of {len(own)} seeds; published, "
        f"of one, {nmi}, {ari}, {density}"
    )


def _nine(cells: list[Cell]) -> str:
    found = clustering.over_sets(cells)
    return "; ".join(
        f"{title} {nmi:.3f}, {ari:.3f}, {seconds:.2f} s" for title, nmi, ari, seconds, _ in found
    )


def _held_out(method: str) -> Figure:
    def figure(cells: list[Cell]) -> str:
        found = generalise_tables.by_problem(cells, "density")
        gains = generalise_tables.differences(found, "search", method, "heldout")
        if not gains:
            return ""
        tie = generalise_tables.TIE
        return (
            f"better on {mean(g > tie for g in gains):.0%}, worse on "
            f"{mean(g < -tie for g in gains):.0%} of {len(gains)} sets"
        )

    return figure


def _clusters(cells: list[Cell]) -> str:
    found = generalise_tables.by_problem(cells, "density")
    gains = generalise_tables.differences(found, "search", "sklearn", "ari")
    if not gains:
        return ""
    tie = generalise_tables.TIED_ARI
    return (
        f"better on {mean(g > tie for g in gains):.0%}, worse on "
        f"{mean(g < -tie for g in gains):.0%} of {len(gains)} sets, mean ARI {mean(gains):+.3f}"
    )


def _time(cells: list[Cell]) -> str:
    found = generalise_tables.by_problem(cells, "density")
    ratios = [
        c["search"]["seconds"] / c["sklearn"]["seconds"]
        for c in found.values()
        if {"search", "sklearn"} <= set(c)
    ]
    return f"median {median(ratios):.1f} times, worst {max(ratios):.0f}" if ratios else ""


def _clustbench(cells: list[Cell]) -> str:
    found = generalise_tables.by_problem(cells, "clusters")
    ours = [c["search"] for c in found.values() if "search" in c]
    if not ours:
        return ""
    own = mean(c["ari"] for c in ours)
    given = [c["published"] for c in ours if c.get("published")]
    rivals = ", ".join(f"{k} {mean(g[k] for g in given):.3f}" for k in (given[0] if given else ()))
    return f"mean ARI {own:.3f} on {len(ours)} sets; published: {rivals}"


def _anomalies(cells: list[Cell]) -> str:
    found = generalise_tables.by_problem(cells, "scores")
    parts = []
    for method in ("search", "sklearn", "knn", "iforest"):
        values = [c[method]["auroc"] for c in found.values() if method in c]
        if values:
            title = TITLES.get(method, method)
            parts.append(f"{title} {mean(values):.3f}")
    return "mean AUROC: " + "; ".join(parts) if parts else ""


def _solved(cells: list[Cell]) -> str:
    share = equal_time_tables.shares(cells)
    methods = ("search", "sklearn-k-means++", "mclust")
    budgets = sorted({b for m, b in share if m == "search"})
    return "; ".join(
        f"{b:g} s: "
        + ", ".join(f"{m} {100 * share[m, b]:.0f} %" for m in methods if (m, b) in share)
        for b in budgets
    )


def _steps(cells: list[Cell]) -> str:
    ratios = speed.ratios(cells, "sklearn", "float64")
    if not ratios:
        return ""
    return f"{min(ratios):.1f} to {max(ratios):.0f} times, median {median(ratios):.0f}"


def _many_rows(cells: list[Cell]) -> str:
    times, higher = many_rows.ratio(cells)
    return f"{times:.1f} times, and {higher:+.4f} nats per row"


#: In the order of the page: the paper, our own search, where others are better.
CLAIMS = (
    Claim(
        "The paper's simulation reproduces: big learning on 25 Gaussians, least KL over the steps",
        "gaussians25",
        _least("paper"),
    ),
    Claim("Plain EM from the same start stays far above it", "gaussians25", _least("em-steps")),
    Claim(
        "With the published pseudo-counts of the weights it ends elsewhere, not much better",
        "gaussians25",
        _least("em-map"),
    ),
    Claim(
        "Marginals match long before the joint does: test KL at the last step",
        "gaussians25",
        _marginals,
    ),
    Claim(
        "The search ends at the optimum that the published chain finds, in a fraction of its time",
        "gaussians25",
        _same_optimum,
    ),
    Claim("Pendigits reproduces within the spread of the seeds", "clustering", _pendigits),
    Claim(
        "On the paper's sets (NMI, ARI, median seconds)",
        "clustering",
        _nine,
    ),
    Claim(
        "One changed import line: likelihood of new rows, against scikit-learn's default",
        "generalise",
        _held_out("sklearn"),
    ),
    Claim("The same against ten of its starts", "generalise", _held_out("sklearn-10")),
    Claim("Clusters, against scikit-learn's default", "generalise", _clusters),
    Claim("What the default fit costs, in scikit-learn's default fits", "generalise", _time),
    Claim(
        "**Against us:** as clusters of any shape, mixtures lose to a method made for them",
        "generalise",
        _clustbench,
    ),
    Claim("Anomalies on sets that others chose", "generalise", _anomalies),
    Claim(
        "Share of problems within 1e-3 nats of the best optimum that anyone found",
        "equal-time",
        _solved,
    ),
    Claim(
        "A whole search on a million rows × 16, K = 50, in the time of one EM run from k-means",
        "many-rows",
        _many_rows,
        command="python -m benchmarks.many_rows --output benchmarks/results/many-rows.json",
    ),
    Claim(
        "What an EM step of scikit-learn takes, in ours",
        "speed",
        _steps,
        options="--profile grid",
    ),
)
