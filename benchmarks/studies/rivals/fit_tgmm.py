"""tgmm: deterministic annealing EM (Ueda and Nakano 1998) in PyTorch."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

PACKAGES = ("tgmm", "torch")


def fit(
    X: NDArray[Any],
    n_components: int,
    *,
    floor: float,
    seconds: float,
    seed: int,
    threads: int,
) -> Iterator[Any]:
    """Restart with fresh seeds, annealed from several temperatures in turn.

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
    torch: Any = importlib.import_module("torch")
    tgmm: Any = importlib.import_module("tgmm")
    torch.set_num_threads(threads)
    rows = torch.as_tensor(X, dtype=torch.float64)
    yield None
    run = 0
    while True:
        model = tgmm.GaussianMixture(
            n_components=n_components,
            n_features=X.shape[1],
            reg_covar=floor,
            temperature=((0.5, 50), (0.8, 30), (0.3, 80))[run % 3],
            random_state=1000 * seed + run,
            max_iter=300,
            device="cpu",
        )
        model.fit(rows)
        parts = (model.weights_, model.means_, model.covariances_)
        yield tuple(part.detach().double().numpy() for part in parts)
        run += 1
