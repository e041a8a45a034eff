"""Study 10: clusters of any shape, from components that are merged.

Gagolewski's clustbench with the number of clusters given and that of components chosen freely: by
BIC, from the number of clusters up to 30 (`select_mixture`, which ends after five K without gain).
Rows that a labelling calls noise are left out of its score; of several labellings the best counts,
each with its own number of clusters, and no score is below 0.  `elbow` is how many clusters the
elbow of the entropy asks for where the number is not given.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from benchmarks import markdown
from benchmarks.studies.equal_time import missing
from benchmarks.studies.generalise import from_folder, published
from benchmarks.studies.realdata import MissingDataError
from benchmarks.studies.store import Cell
from benchmarks.studies.study import Options, Plan, Task, every
from biglearn import GaussianMixture, select_mixture

NAME = "merging"

#: Most components, and K in a row without a gain of BIC after which the path ends.
MOST, PATIENCE = 30, 5

Array = NDArray[np.float64]

TITLES = {
    "components": "biglearn, a component per cluster",
    "entropy": '`merge_components`, `criterion="entropy"`',
    "misclassification": '`merge_components`, `criterion="misclassification"`',
}
PUBLISHED = {
    "sklearn_gm": "scikit-learn's mixture of 100 starts, published",
    "genie": "Genie, published",
}
PROFILES = {
    "tiny": Plan(("wut_x1",), tuple(TITLES), (0,)),
    "short": Plan(("all",), tuple(TITLES), (0,)),
    "full": Plan(("all",), tuple(TITLES), (0, 1, 2)),
}


def tasks(options: Options) -> list[Task]:
    """Return one task per set, method and seed.

    Parameters
    ----------
    options : Options

    Returns
    -------
    list of Task
    """
    plan = options.plan
    names = [n for p in plan.problems for n in (published(options.data) if p == "all" else [p])]
    return every(plan, functools.partial(_work, options=options), names)


def _work(name: str, method: str, seed: int, options: Options) -> list[Cell]:
    try:
        X, labellings = from_folder("clustbench", name, options.data)
    except MissingDataError as error:
        return missing(str(error), (None,))
    sizes = sorted({len(np.unique(labels[labels >= 0])) for labels in labellings})
    found = {size: _clusters(name, method, seed, size, options.data) for size in sizes}
    scores = []
    for labels in labellings:
        known = labels >= 0
        own = found[len(np.unique(labels[known]))]
        scores.append(adjusted_rand_score(labels[known], own.labels[known]))
    return [
        {
            "budget": None,
            "status": "finished",
            "N": len(X),
            "D": X.shape[1],
            "ari": float(max([0.0, *scores])),
            "clusters": sizes,
            "components": [found[size].n_components for size in sizes],
            "elbow": [found[size].elbow for size in sizes],
            "published": published(options.data).get(name, {}),
            "seconds": mean(own.seconds for own in found.values()),
        }
    ]


class _Found:
    """Labels of the rows, and what was fitted for them."""

    def __init__(self, labels: NDArray[np.int64], size: int, elbow: int, seconds: float) -> None:
        self.labels, self.n_components, self.elbow, self.seconds = labels, size, elbow, seconds


def _clusters(name: str, method: str, seed: int, n_clusters: int, data: Path | None) -> _Found:
    X, _ = from_folder("clustbench", name, data)
    began = time.perf_counter()
    if method == "components":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = GaussianMixture(n_clusters, random_state=seed, n_threads=1).fit(X)
        labels = plain.predict(X)
        return _Found(labels, n_clusters, n_clusters, time.perf_counter() - began)
    model, seconds = _fitted(name, seed, n_clusters, data)
    began = time.perf_counter()
    merged = model.merge_components(X, n_clusters, criterion=method)
    elbow = model.merge_components(X, criterion=method).n_clusters
    seconds += time.perf_counter() - began
    return _Found(merged.labels_, len(merged.component_labels), elbow, seconds)


@functools.lru_cache(maxsize=8)
def _fitted(
    name: str, seed: int, n_clusters: int, data: Path | None
) -> tuple[GaussianMixture, float]:
    """Return the mixture that both criteria merge, and the seconds that it took."""
    X, _ = from_folder("clustbench", name, data)
    began = time.perf_counter()
    sizes = range(n_clusters, MOST + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = select_mixture(X, sizes, patience=PATIENCE, random_state=seed, n_threads=1)
    return found.best_estimator_, time.perf_counter() - began


def _means(cells: list[Cell], figure: Callable[[Cell], float]) -> tuple[str, str]:
    """Return the mean over sets, and its range over seeds."""
    by_seed = [
        mean(figure(c) for c in cells if c["seed"] == seed)
        for seed in sorted({c["seed"] for c in cells})
    ]
    return f"{mean(by_seed):.3f}", f"{min(by_seed):.3f} to {max(by_seed):.3f}"


def table(cells: list[Cell]) -> str:
    """Return mean ARI by method, beside the published ones, and the ARI of every set.

    Parameters
    ----------
    cells : list of dict

    Returns
    -------
    str
    """
    return f"{summary(cells)}\n\n{by_set(cells)}\n"


def summary(cells: list[Cell]) -> str:
    """Return the mean ARI of each method."""
    done = [c for c in cells if c["status"] == "finished"]
    if not done:
        return "No results yet."
    sets = {c["problem"]: c["published"] for c in done}
    seeds = len({c["seed"] for c in done})
    rows = [
        [title, f"{mean(p[key] for p in sets.values()):.3f}"]
        for key, title in PUBLISHED.items()
        if all(key in p for p in sets.values())
    ]
    for method, title in TITLES.items():
        own = [c for c in done if c["method"] == method]
        if own:
            seconds = f"{np.median([c['seconds'] for c in own]):.1f}"
            rows.append([title, *_means(own, lambda c: c["ari"]), _right(own), seconds])
    head = [
        f"clustbench, {len(sets)} sets, {seeds} seeds",
        "mean ARI",
        "over seeds",
        "elbow finds the number, or one off",
        "seconds, median",
    ]
    return markdown.table(head, rows)


def _right(cells: list[Cell]) -> str:
    """Return how often the elbow finds the number of clusters, and that or one off."""
    if cells[0]["method"] == "components":
        return ""
    gaps = [min(abs(e - n) for e, n in zip(c["elbow"], c["clusters"], strict=True)) for c in cells]
    return f"{mean(g == 0 for g in gaps):.0%}, {mean(g <= 1 for g in gaps):.0%}"


def by_set(cells: list[Cell]) -> str:
    """Return the mean ARI of every set over the seeds."""
    done = [c for c in cells if c["status"] == "finished"]
    methods = [m for m in TITLES if any(c["method"] == m for c in done)]
    rows = []
    for problem in sorted({c["problem"] for c in done}):
        own = [c for c in done if c["problem"] == problem]
        merged = [c for c in own if c["method"] != "components"] or own
        sizes = ", ".join(
            f"{n} of {k}"
            for n, k in zip(merged[0]["clusters"], merged[0]["components"], strict=True)
        )
        aris = [[c["ari"] for c in own if c["method"] == m] for m in methods]
        rows.append([problem, sizes, *(f"{mean(a):.2f}" if a else "–" for a in aris)])
    return markdown.table(["set", "clusters of components", *(TITLES[m] for m in methods)], rows)


def draw(cells: list[Cell], ax: Any) -> None:
    """Draw the ARI of every set, the best first, for each method.

    Parameters
    ----------
    cells : list of dict
    ax : matplotlib.axes.Axes
    """
    done = [c for c in cells if c["status"] == "finished"]
    sets = {c["problem"]: c["published"] for c in done}
    curves = {
        title: [given[key] for given in sets.values() if key in given]
        for key, title in PUBLISHED.items()
    }
    for method, title in TITLES.items():
        own = [[c["ari"] for c in done if (c["problem"], c["method"]) == (n, method)] for n in sets]
        curves[title] = [mean(found) for found in own if found]
    for place, (title, values) in enumerate(curves.items()):
        if values:
            places = np.arange(1, len(values) + 1)
            style = "--" if place < len(PUBLISHED) else "-"
            label = f"{title}: mean {mean(values):.2f}".replace("`", "")
            ax.plot(places, sorted(values, reverse=True), style, label=label)
    ax.set_xlabel(f"the {len(sets)} sets of clustbench, best first")
    ax.set_ylabel("adjusted Rand index")
    ax.legend(fontsize="small")
