"""What a whole search costs on many rows, beside one run of EM from k-means.

    python -m benchmarks.many_rows --output benchmarks/results/many-rows.json

Rows of a known mixture, one thread, both to convergence under the same floor and tolerance and
without a prior; the mixture itself stands beside them.  A million rows take some minutes.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import markdown
from benchmarks.studies import simulated, store

#: Settings of the fits by name.
FITS: dict[str, dict[str, Any]] = {
    "em": {"method": "em", "init_params": "kmeans"},
    "search": {"method": "search"},
}


def measure(n_rows: int, n_features: int, n_components: int, seed: int) -> list[dict[str, Any]]:
    """Fit once by every method.

    Parameters
    ----------
    n_rows, n_features, n_components, seed : int

    Returns
    -------
    list of dict
        Seconds of the processor, passes over the rows, and log-likelihood per row.
    """
    from biglearn import GaussianMixture, Mixture

    rng = np.random.default_rng(seed)
    truth = simulated.overlapping(n_features, n_components)(rng)
    X, _ = truth.sample(n_rows, rng)
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    X = (X - mean) / deviation
    means = (truth.means - mean) / deviation
    covariances = truth.covariances / np.outer(deviation, deviation)
    known = float(Mixture(truth.weights, means, covariances).log_density(X).mean())
    found = [{"fit": "truth", "log_likelihood": known}]
    for name, settings in FITS.items():
        began, cpu = time.perf_counter(), time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = GaussianMixture(
                n_components,
                prior=None,
                resolution=None,
                random_state=seed,
                n_threads=1,
                **settings,
            ).fit(X)
        found.append(
            {
                "fit": name,
                "seconds": time.perf_counter() - began,
                "cpu_seconds": time.process_time() - cpu,
                "passes": int(model.history_[-1].passes),
                "converged": bool(model.converged_),
                "log_likelihood": model.score(X),
            }
        )
    return found


def ratio(cells: list[dict[str, Any]]) -> tuple[float, float]:
    """Return the search's time in that of EM, and how much higher it ends, per row."""
    em, search = (next(one for one in cells if one["fit"] == name) for name in ("em", "search"))
    higher = search["log_likelihood"] - em["log_likelihood"]
    return search["cpu_seconds"] / em["cpu_seconds"], higher


def table(path: Path) -> str:
    """Return the table of a result file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    str
        Markdown.
    """
    result = store.read_json(path)
    about, cells, rows = result["about"], result["cells"], []
    em = next(one for one in cells if one["fit"] == "em")
    for one in cells:
        timed = "seconds" in one
        rows.append(
            [
                {"truth": "the truth", "em": "`em` from k-means", "search": "`search`"}[one["fit"]],
                f"{one['cpu_seconds']:.0f}" if timed else "–",
                f"{one['cpu_seconds'] / em['cpu_seconds']:.2f}" if timed else "–",
                str(one["passes"]) if timed else "–",
                f"{one['log_likelihood']:.4f}",
            ]
        )
    head = ["fit", "CPU seconds", "in those of EM", "passes", "log-likelihood per row"]
    note = (
        f"{about['rows']:,} × {about['features']}, K = {about['components']}, one thread, "
        f"{about['machine']}, load {about['load']:.1f}, commit {about['commit'][:7]}."
    )
    return f"{markdown.table(head, rows)}\n\n{note}\n"


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--components", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    about = {
        "rows": given.rows,
        "features": given.features,
        "components": given.components,
        "seed": given.seed,
        "machine": store.machine(),
        "versions": store.versions(),
        "commit": store.commit(),
        "load": os.getloadavg()[0],
    }
    cells = measure(given.rows, given.features, given.components, given.seed)
    result = {"format": store.FORMAT, "study": "many-rows", "about": about, "cells": cells}
    store.write_json(given.output, result, lines=True)


if __name__ == "__main__":
    main()
