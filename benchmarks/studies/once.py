"""Rivals that are fitted once, as their users call them, in processes of their own."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.studies import processes
from benchmarks.studies.rivals.fit_mclust import read_model
from benchmarks.studies.simulated import Parameters

RIVALS = Path(__file__).parent / "rivals"


def mclust(X: NDArray[np.float64], n_components: int, *, prior: bool = False) -> Parameters:
    """Fit R's mclust, model VVV.

    Parameters
    ----------
    X : array of shape (N, D)
    n_components : int
    prior : bool, default=False
        Whether to give it `priorControl()`.

    Raises
    ------
    RuntimeError
        Where mclust returns no model.
    """
    (n_rows, size), K = X.shape, n_components
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        np.asfortranarray(X).ravel(order="F").astype(np.float64).tofile(folder / "rows")
        arguments = [folder / "rows", n_rows, size, K, int(prior), folder / "model"]
        run = subprocess.run(
            ["Rscript", "--vanilla", str(RIVALS / "mclust_once.R"), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if run.returncode:
            raise RuntimeError(f"mclust returned no model (exit status {run.returncode})")
        return Parameters(*read_model(folder / "model", K, size))


def outliers(X: NDArray[np.float64], detector: str) -> NDArray[Any]:
    """Return pyod's outlier score of every row, shape (N,); higher is more unusual.

    Parameters
    ----------
    X : array of shape (N, D)
    detector : str
        A key of `rivals.outliers.SCORES`.

    Raises
    ------
    RuntimeError
        Where the detector fails.
    """
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        np.save(folder / "rows.npy", X)
        (folder / "detector").write_text(detector)
        script = RIVALS / "outliers.py"
        ended = processes.run(script, folder, environment="pyod", threads=1, timeout=600)
        if ended:
            raise RuntimeError(ended)
        return np.asarray(np.load(folder / "scores.npy"))
