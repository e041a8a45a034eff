"""pygmmis: EM with split-and-merge (Ueda et al. 2000), restarted until the time is up."""

from __future__ import annotations

import functools
import importlib
import multiprocessing
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGES = ("pygmmis", "scipy")


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
    pygmmis: Any = importlib.import_module("pygmmis")
    # it takes one process per processor unless told otherwise
    pygmmis.multiprocessing.Pool = functools.partial(multiprocessing.get_context().Pool, threads)
    yield None
    run = 0
    while True:
        rng = np.random.RandomState(1000 * seed + run)
        model = pygmmis.GMM(K=n_components, D=X.shape[1])
        # a plain fit first, so that a short budget has a result
        pygmmis.fit(model, X, init_method="kmeans", w=floor, tol=1e-4, maxiter=300, rng=rng)
        yield model.amp.copy(), model.mean.copy(), model.covar.copy()
        pygmmis.fit(
            model,
            X,
            init_method="none",
            w=floor,
            tol=1e-4,
            maxiter=300,
            split_n_merge=10 * n_components,
            rng=rng,
        )
        yield model.amp.copy(), model.mean.copy(), model.covar.copy()
        run += 1
