"""scikit-learn's mixture, restarted until the time is up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

PACKAGES = ("scikit-learn", "scipy")


def fit(
    X: NDArray[Any],
    n_components: int,
    *,
    floor: float,
    seconds: float,
    seed: int,
    threads: int,
    init: str = "k-means++",
) -> Iterator[Any]:
    """Restart with fresh seeds at scikit-learn's default tolerance.

    The first run is made in growing pieces, so that a short budget has its partial result; every
    later one is whole. `reg_covar` is the floor, which scikit-learn adds instead of clipping.

    Parameters
    ----------
    X : (N, D) array
    n_components : int
    floor, seconds, seed, threads
        As for every contender.
    init : str
        `init_params`.

    Yields
    ------
    None, then (weights, means, covariances)
    """
    from sklearn.mixture import GaussianMixture

    yield None
    run = 0
    while True:
        model = GaussianMixture(
            n_components,
            reg_covar=floor,
            init_params=init,
            max_iter=300,
            random_state=1000 * seed + run,
        )
        if run == 0:
            model.set_params(warm_start=True, max_iter=5)
            while True:
                model.fit(X)
                yield model.weights_, model.means_, model.covariances_
                if model.converged_ or model.max_iter > 300:
                    break
                model.set_params(max_iter=2 * model.max_iter)
        else:
            model.fit(X)
            yield model.weights_, model.means_, model.covariances_
        run += 1
