"""R's mclust (model VVV) through Rscript, from fresh random subsets until the time is up."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WARM_UP = False
VERSIONS: dict[str, str] = {}


def fit(
    X: NDArray[Any],
    n_components: int,
    *,
    floor: float,
    seconds: float,
    seed: int,
    threads: int,
) -> Iterator[Any]:
    """Keep one R process and ask it for one model after the other.

    Parameters
    ----------
    X : (N, D) array
    n_components : int
    floor, seconds, seed, threads
        As for every contender; mclust knows no floor.

    Yields
    ------
    None, then (weights, means, covariances)

    Raises
    ------
    RuntimeError
        If R or mclust cannot be started.
    """
    N, D = X.shape
    K = n_components
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.asfortranarray(X).ravel(order="F").astype(np.float64).tofile(folder / "rows")
        script = Path(__file__).with_suffix(".R")
        arguments = [folder / "rows", N, D, K, seed, folder / "model"]
        process = subprocess.Popen(
            ["Rscript", "--vanilla", str(script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            ready = process.stdout.readline().split(maxsplit=2)
            if not ready or ready[0] != "ready":
                raise RuntimeError("Rscript could not load mclust; install R's package mclust")
            VERSIONS.update(mclust=ready[1], R=ready[2].strip())
            yield None
            in_a_row = 0
            while in_a_row < 3:
                process.stdin.write("next\n")
                process.stdin.flush()
                answer = process.stdout.readline().strip()
                in_a_row = in_a_row + 1 if answer == "failed" else 0
                if answer == "fitted":
                    yield read_model(folder / "model", K, D)
                elif answer == "failed":
                    yield np.full(K, np.nan), np.full((K, D), np.nan), np.full((K, D, D), np.nan)
                else:
                    raise RuntimeError(f"R ended without an answer (exit {process.wait()})")
        finally:
            process.kill()
            process.wait()


def read_model(path: Path, K: int, D: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the weights, means and covariances that a script left in a file."""
    values = np.fromfile(path, dtype=np.float64)
    weights, rest = values[:K], values[K:]
    # R writes arrays by column: t(mean) is (K, D) by column, sigma (D, D, K) by column
    means = rest[: K * D].reshape(D, K).T
    covariances = rest[K * D :].reshape(K, D, D)
    return weights, means, covariances
