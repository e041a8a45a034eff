"""pygmmis: EM with split-and-merge (Ueda et al. 2000), restarted until the time is up."""

from __future__ import annotations

import functools
import importlib
import multiprocessing
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGES = ("pygmmis", "scipy", "scikit-learn")


def fit(
    X: NDArray[Any],
    n_components: int,
    *,
    floor: float,
    seconds: float,
    seed: int,
    threads: int,
) -> Iterator[Any]:
    """First plain EM from k-means, then with as many split-and-merge attempts as succeed.

    The k-means start is scikit-learn's: the package's own leaves clusters empty and then fails on
    their singular covariances.

    Parameters
    ----------
    X : (N, D) array
    n_components : int
    floor, seconds, seed, threads
        As for every contender.

    Yields
    ------
    None, then (weights, means, covariances); not a number where a run failed
    """
    pygmmis: Any = importlib.import_module("pygmmis")
    from sklearn.cluster import KMeans  # noqa: F401 - imported here so that it is not timed

    # it takes one process per processor unless told otherwise
    pygmmis.multiprocessing.Pool = functools.partial(multiprocessing.get_context().Pool, threads)
    yield None
    run = 0
    while True:
        rng = np.random.RandomState(1000 * seed + run)
        model = pygmmis.GMM(K=n_components, D=X.shape[1])
        _start(model, X, floor, rng)
        # its split-and-merge fails without a cutoff; beyond 5 sigma a row weighs nothing
        settings = {"init_method": "none", "cutoff": 5, "w": floor, "tol": 1e-4, "rng": rng}
        # a plain fit first, so that a short budget has a result
        for attempts in (0, 10 * n_components):
            try:
                pygmmis.fit(model, X, split_n_merge=attempts, **settings)
            except np.linalg.LinAlgError:
                yield np.full(1, np.nan), np.full((1, 1), np.nan), np.full((1, 1, 1), np.nan)
                break
            yield model.amp.copy(), model.mean.copy(), model.covar.copy()
        run += 1


def _start(model: Any, X: NDArray[Any], floor: float, rng: Any) -> None:
    from sklearn.cluster import KMeans

    labels = KMeans(model.K, n_init=1, random_state=rng).fit_predict(X)
    for k in range(model.K):
        rows = X[labels == k]
        centred = rows - rows.mean(axis=0)
        model.amp[k] = len(rows) / len(X)
        model.mean[k] = rows.mean(axis=0)
        model.covar[k] = centred.T @ centred / len(rows) + floor * np.eye(X.shape[1])
