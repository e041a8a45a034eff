"""Our own estimator, seen through its public face like any rival."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

PACKAGES = ("biglearn-em", "scikit-learn", "scipy")


def fit(
    X: NDArray[Any],
    n_components: int,
    *,
    floor: float,
    seconds: float,
    seed: int,
    threads: int,
    method: str = "search",
    constants: dict[str, Any] | None = None,
    restarts: bool = False,
    **parameters: Any,
) -> Iterator[Any]:
    """Fit with ``max_time``, once or again and again with fresh seeds.

    Parameters
    ----------
    X : (N, D) array
    n_components : int
    floor, seconds, seed, threads
        As for every contender.
    method : str
        "em", "paper" or "search".
    constants : dict, optional
        Of the method, where they are not the defaults.
    restarts : bool
        Whether a fit that ends before the time is followed by another.
    **parameters
        Of the estimator.

    Yields
    ------
    None, then (weights, means, covariances)
    """
    from biglearn import BigLearnGaussianMixture, methods

    chosen: Any = method
    if constants is not None:
        kind = {"em": "EM", "paper": "Paper", "search": "Search"}[method]
        chosen = getattr(methods, kind)(**constants)
    # the rows come scaled as the study wants them, so the floor must be meant in these units
    settings = {"scaling": "none", "reg_covar": floor, "n_threads": threads, **parameters}
    yield None
    run, left = 0, seconds
    while (run == 0 or restarts) and left > 0:
        began = time.perf_counter()
        model = BigLearnGaussianMixture(
            n_components,
            method=chosen,
            random_state=1000 * seed + run,
            max_time=left,
            **settings,
        ).fit(X)
        mixture = model.mixture_
        # counted here, for the worker's clock stands still while it looks at a model
        left -= time.perf_counter() - began
        yield mixture.weights, mixture.means, mixture.covariances
        run += 1
