"""One fit of R's mclust, model VVV, as its users call it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.studies.rivals.fit_mclust import read_model
from benchmarks.studies.simulated import Parameters


def mclust(X: NDArray[np.float64], n_components: int, *, prior: bool = False) -> Parameters:
    """Fit in a process of its own.

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
        script = Path(__file__).with_suffix(".R")
        arguments = [folder / "rows", n_rows, size, K, int(prior), folder / "model"]
        run = subprocess.run(
            ["Rscript", "--vanilla", str(script), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if run.returncode:
            raise RuntimeError(f"mclust returned no model (exit status {run.returncode})")
        return Parameters(*read_model(folder / "model", K, size))
