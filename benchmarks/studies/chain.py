"""Follow one of our own fits step by step: what the paper reports is a curve, not a result."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.studies.problems import Problem
from benchmarks.studies.simulated import Parameters
from biglearn import BigLearnGaussianMixture, Record
from biglearn.search.methods import method_of
from biglearn.search.run import Method, Move, Run

#: Moves that are steps of the published chain.
CHAIN = {"joint", "marginal", "transformed"}


@dataclass
class Followed:
    """A finished fit and what was seen on the way.

    Parameters
    ----------
    parameters : Parameters
        The returned model.
    steps : list of int
        Steps of the chain at which it was looked at, from 1.
    looks : list of dict
        What was seen there.
    seconds : float
        Of the fit, without the looks.
    """

    parameters: Parameters
    steps: list[int] = field(default_factory=list)
    looks: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0


class _Follower:
    """A method that passes its moves on and looks at the mixture every so many steps."""

    def __init__(
        self,
        method: Method,
        look: Callable[[Parameters], dict[str, float]] | None,
        every: int,
        offset: Any,
    ) -> None:
        self.method, self.look, self.every, self.offset = method, look, every, offset
        self.run: Run | None = None
        self.count = 0
        self.looking = 0.0
        self.steps: list[int] = []
        self.looks: list[dict[str, float]] = []

    @property
    def keeps_best(self) -> bool:
        return self.method.keeps_best

    def schedule(self, run: Run) -> Iterator[Move]:
        self.run = run
        yield from self.method.schedule(run)

    def __call__(self, record: Record) -> None:
        wanted = record.move in CHAIN if isinstance_of_paper(self.method) else True
        if self.look is None or self.run is None or not wanted:
            return
        self.count += 1
        if self.count % self.every:
            return
        began = time.perf_counter()
        ours = self.run.components
        parameters = Parameters(ours.weights, ours.means + self.offset, ours.covariances)
        self.steps.append(self.count)
        self.looks.append(self.look(parameters))
        self.looking += time.perf_counter() - began


def isinstance_of_paper(method: Method) -> bool:
    """Whether a method is the published one, whose climbs are not steps of its chain."""
    from biglearn import Paper

    return isinstance(method, Paper)


def follow(
    problem: Problem,
    method: str | Method,
    *,
    seed: int,
    threads: int = 1,
    look: Callable[[Parameters], dict[str, float]] | None = None,
    every: int = 1,
    **parameters: Any,
) -> Followed:
    """Fit in the problem's own units and look at the chain on the way.

    Parameters
    ----------
    problem : Problem
    method : str or method
    seed : int
    threads : int, default=1
    look : callable, optional
        From `Parameters` to figures.
    every : int, default=1
        Steps between two looks.
    **parameters
        Of the estimator.

    Returns
    -------
    Followed
    """
    follower = _Follower(method_of(method), look, every, problem.X.mean(axis=0))
    likeliest: dict[str, Any] = {"prior": None, "resolution": None, "init_params": "k-means++"}
    ours: dict[str, Any] = {"scaling": "none", "reg_covar": problem.floor, "n_threads": threads}
    settings = likeliest | ours | parameters
    began = time.perf_counter()
    with warnings.catch_warnings():
        # what the warnings say, components lost and limits met, shows in the figures
        warnings.simplefilter("ignore")
        model = BigLearnGaussianMixture(
            problem.n_components,
            method=follower,
            callback=follower,
            random_state=seed,
            **settings,
        ).fit(problem.X)
    seconds = time.perf_counter() - began - follower.looking
    m = model.mixture_
    final = Parameters(np.array(m.weights), np.array(m.means), np.array(m.covariances))
    return Followed(final, follower.steps, follower.looks, seconds)
