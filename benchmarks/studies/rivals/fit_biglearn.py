"""Our own estimator, seen through its public face like any rival."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

PACKAGES = ("biglearn-em", "scikit-learn", "scipy")
STOPS_ITSELF = True


class _Watcher:
    """A method that also takes a look at the best model at growing intervals."""

    def __init__(self, method: Any) -> None:
        self.method = method
        self.run: Any = None
        self.due = 0.05
        self.snapshots: list[tuple[float, Any]] = []

    @property
    def keeps_best(self) -> bool:
        return bool(self.method.keeps_best)

    def schedule(self, run: Any) -> Iterator[Any]:
        self.run = run
        yield from self.method.schedule(run)

    def __call__(self, record: Any) -> None:
        if record.seconds >= self.due and self.run.best is not None:
            self.snapshots.append((record.seconds, self.run.best))
            while self.due <= record.seconds:
                self.due *= 2**0.5


def chosen(method: str, constants: dict[str, Any] | None = None, **_: Any) -> Any:
    """Return a method by name, with constants of its own where they are given."""
    from biglearn.search import methods
    from biglearn.search.tuning import Tuning

    if constants is None:
        return methods.method_of(method)
    # JSON has no tuples
    plain: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in constants.items()}
    if "legs" in plain:
        plain["legs"] = tuple(leg if ":" not in leg else _object(leg) for leg in plain["legs"])
    if "tuning" in plain:
        plain["tuning"] = Tuning(**plain["tuning"])
    kind: Any = methods.METHODS[method]
    return kind(**plain)


def _object(name: str) -> Any:
    """Return what a name like "module:OBJECT" stands for."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


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
    """Fit with `max_time`, once or again and again with fresh seeds.

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
    from biglearn import BigLearnGaussianMixture

    # the rows come scaled as the study wants them, so the floor must be meant in these units
    likeliest: dict[str, Any] = {"prior": None, "resolution": None, "init_params": "k-means++"}
    ours: dict[str, Any] = {"scaling": "none", "reg_covar": floor, "n_threads": threads}
    settings = likeliest | ours | parameters
    yield None
    run, left = 0, seconds
    used = 0.0
    while (run == 0 or restarts) and left > 0:
        began = time.perf_counter()
        watcher = _Watcher(chosen(method, constants))
        model = BigLearnGaussianMixture(
            n_components,
            method=watcher,
            callback=watcher,
            random_state=1000 * seed + run,
            max_time=left,
            **settings,
        ).fit(X)
        mixture = model.mixture_
        elapsed = time.perf_counter() - began
        # counted here, for the worker's clock stands still while it looks at a model
        left -= elapsed
        for moment, snapshot in watcher.snapshots:
            # the library centres the rows for itself
            means = snapshot.means + X.mean(axis=0)
            yield snapshot.weights, means, snapshot.covariances, used + moment
        used += elapsed
        yield mixture.weights, mixture.means, mixture.covariances
        run += 1
