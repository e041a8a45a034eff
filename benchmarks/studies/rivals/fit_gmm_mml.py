"""gmm-mml: Figueiredo and Jain's component-wise EM that annihilates components."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGES = ("gmm-mml", "scipy")


def fit(
    X: NDArray[Any],
    n_components: int,
    *,
    floor: float,
    seconds: float,
    seed: int,
    threads: int,
) -> Iterator[Any]:
    """Alternate starts at K and at 2K components; only results with at most K count.

    The program chooses the number of components itself, by message length; it cannot be told
    to end with exactly K.

    Parameters
    ----------
    X : (N, D) array
    n_components : int
    floor, seconds, seed, threads
        As for every contender.

    Yields
    ------
    None, then (weights, means, covariances)
    """
    package: Any = importlib.import_module("gmm_mml")
    yield None
    run = 0
    while True:
        np.random.seed((1000 * seed + run) % 2**32)  # noqa: NPY002 - the package's only seed
        most = n_components * (1 + run % 2)
        model = package.GmmMml(kmin=n_components, kmax=most, regularize=floor, plots=False)
        model.fit(X)
        run += 1
        if hasattr(model, "bestpp") and model.bestk <= n_components:
            covariances = np.moveaxis(model.bestcov, 2, 0)
            yield np.ravel(model.bestpp), model.bestmu, covariances
