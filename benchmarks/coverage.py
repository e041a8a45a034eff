"""Whether intervals from `standard_errors` hold the truth as often as they say.

    python -m benchmarks.coverage [--replicates 200] [--output FILE]

Mixtures of which the truth is known are drawn again and again, with 200 rows for each component,
and fitted from the true means, so that components keep their names.  The picture beside the file
shows how often an interval of each level holds the truth.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import markdown
from benchmarks.studies.store import Cell, conditions, read_json, write_json
from biglearn import GaussianMixture, Mixture

Array = NDArray[np.float64]

RESULTS = Path(__file__).parent / "results"
NAME = "coverage"
ROWS, LEVELS = 200, (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
PARTS = ("weights", "means", "covariances")


def line() -> Mixture:
    """Return two clusters in one feature, of different width."""
    return Mixture([0.6, 0.4], [[0.0], [4.0]], [[[1.0]], [[2.25]]])


def plane() -> Mixture:
    """Return three clusters in two features."""
    covariances = np.array([np.eye(2), [[1.0, 0.5], [0.5, 0.7]], np.diag([0.6, 1.2])])
    return Mixture([0.5, 0.3, 0.2], [[0.0, 0.0], [4.0, 1.0], [0.0, 5.0]], covariances)


def close() -> Mixture:
    """Return the same, nearer to each other."""
    far = plane()
    return Mixture(far.weights, 0.75 * far.means, far.covariances)


def space() -> Mixture:
    """Return three clusters in five features."""
    rng = np.random.default_rng(1)
    factors = rng.normal(size=(3, 5, 5)) / 2
    covariances = factors @ np.swapaxes(factors, 1, 2) + 0.5 * np.eye(5)
    return Mixture(np.full(3, 1 / 3), 3.5 * np.eye(3, 5), covariances)


def whole(truth: Mixture, rng: np.random.Generator) -> Array:
    """Draw rows."""
    return truth.sample(ROWS * truth.n_components, rng)[0]


def with_gaps(truth: Mixture, rng: np.random.Generator) -> Array:
    """Draw rows of which a fifth of the values is missing."""
    X = whole(truth, rng)
    X[rng.random(X.shape) < 0.2] = np.nan
    return X[~np.isnan(X).all(axis=1)]


PROBLEMS: dict[
    str, tuple[Callable[[], Mixture], Callable[[Mixture, np.random.Generator], Array]]
] = {
    "1 feature, 2 components": (line, whole),
    "2 features, 3 components": (plane, whole),
    "2 features, 3 components, closer": (close, whole),
    "2 features, 3 components, a fifth missing": (plane, with_gaps),
    "5 features, 3 components": (space, whole),
}


def covered(problem: str, replicates: int) -> Cell:
    """Return how often the intervals of each level hold the truth."""
    make, draw = PROBLEMS[problem]
    truth, began = make(), time.perf_counter()
    held: dict[str, list[Any]] = {part: [] for part in PARTS}
    for seed in range(replicates):
        X = draw(truth, np.random.default_rng(seed))
        model = GaussianMixture(
            truth.n_components,
            method="em",
            means_init=truth.means,
            random_state=0,
            n_threads=1,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            errors = model.fit(X).standard_errors(X)
        for part in PARTS:
            ends = [errors.intervals(level)[part] for level in LEVELS]
            true = getattr(truth, part)
            held[part].append([np.mean((low <= true) & (true <= high)) for low, high in ends])
    return {
        "problem": problem,
        "replicates": replicates,
        "levels": list(LEVELS),
        **{part: np.mean(held[part], axis=0).tolist() for part in PARTS},
        "seconds": (time.perf_counter() - began) / replicates,
    }


def table(source: Path) -> str:
    """Return the coverage of 90 % intervals, in Markdown.

    Parameters
    ----------
    source : pathlib.Path

    Returns
    -------
    str
    """
    cells = read_json(source)["cells"]
    at = LEVELS.index(0.9)
    rows = [[c["problem"], *(f"{c[part][at]:.1%}" for part in PARTS)] for c in cells]
    means = [float(np.mean([c[part][at] for c in cells])) for part in PARTS]
    rows.append(["all", *(f"**{value:.1%}**" for value in means)])
    head = ["90 % intervals that hold the truth", *PARTS]
    note = f"{cells[0]['replicates']} draws of each, of {ROWS} rows per component."
    return f"{markdown.table(head, rows)}\n\n{note}"


def draw_picture(cells: list[Cell], path: Path) -> None:
    """Draw how often intervals hold the truth over their level."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, part in zip(axes, PARTS[:2], strict=True):
        ax.plot([0.5, 1], [0.5, 1], color="grey", linewidth=0.8)
        for cell, marker in zip(cells, "osv^D", strict=True):
            ax.plot(cell["levels"], cell[part], marker=marker, markersize=4, label=cell["problem"])
        ax.set_xlabel(f"level of the intervals of {part}")
    axes[0].set_ylabel("share that holds the truth")
    axes[1].legend(fontsize="xx-small")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Simulate, and write the file and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--output", type=Path, default=RESULTS / f"{NAME}.json")
    options = parser.parse_args()
    cells = []
    with threadpool_limits(1):
        for problem in PROBLEMS:
            with conditions(1) as noted:
                cell = covered(problem, options.replicates)
            cells.append({**cell, **noted})
            print(problem, {part: round(cell[part][4], 3) for part in PARTS}, flush=True)
            write_json(options.output, {"study": NAME, "cells": cells}, lines=True)
    draw_picture(cells, options.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
