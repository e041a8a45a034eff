"""Scripted engines, legs, moves and priors: they do what a test says, whatever the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from biglearn.engines import MemoryEngine
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints
from biglearn.model.moments import Moments
from biglearn.search.records import Record
from biglearn.search.run import Method, Move, Run, Settings


def components_of(weights, means, variance=1.0):
    """Return round components, with means (K, D) or (K,)."""
    means = np.array(means, dtype=float).reshape(len(weights), -1)
    covariances = np.tile(variance * np.eye(means.shape[1]), (len(weights), 1, 1))
    return Components(np.array(weights, dtype=float), means, covariances)


def moments_of(components, total, value=0.0, *, rows=None, counts=None):
    """Return the moments under which EM leaves components where they are."""
    counts = total * components.weights if counts is None else np.asarray(counts, dtype=float)
    means, covariances = components.means, components.covariances
    squares = covariances + means[:, :, None] * means[:, None, :]
    return Moments(
        counts=counts,
        first=counts[:, None] * means,
        second=counts[:, None, None] * squares,
        log_likelihood=value * total,
        total=total,
        rows=int(total) if rows is None else rows,
        reference=np.zeros(components.n_features),
    )


class ScriptedEngine:
    """An engine whose passes give mean log-likelihoods from a script; EM stands still.

    Parameters
    ----------
    values : iterable of float, or callable from components to float
        The last of an iterable is repeated.
    sample : MemoryEngine, optional
        What `subsample` returns.
    """

    def __init__(
        self,
        values: Iterable[float] | Callable[[Components], float] = (0.0,),
        *,
        n_rows: int = 1000,
        n_features: int = 2,
        sample: MemoryEngine | None = None,
    ) -> None:
        self._rule = values if callable(values) else None
        self._values = [] if callable(values) else list(values)
        self.n_rows, self.n_features = n_rows, n_features
        self.asked: list[Components] = []
        self._sample = sample

    def expect(self, components):
        self.asked.append(components)
        if self._rule is not None:
            value = self._rule(components)
        else:
            value = self._values.pop(0) if len(self._values) > 1 else self._values[0]
        return moments_of(components, float(self.n_rows), value)

    def project(self, view):
        return self

    def subsample(self, limit, rng, components=None):
        return self._sample

    def block(self, n_components, most):
        return None

    def thinned(self, limit, rng):
        return self

    def align(self, components, held=None):
        return components


def run_of(engine, n_components=3, *, start=None, **changes):
    """Return a run; further arguments are those of `Run` and of `Settings`."""
    names = ("tol", "max_iter", "max_time", "n_init")
    settings = {name: changes.pop(name) for name in names if name in changes}
    rng = np.random.default_rng(0)
    return Run(engine, Settings(n_components, **settings), start, rng, **changes)


class Clock:
    """Seconds that a test sets."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Visit:
    """A move to given components, which costs one pass."""

    components: Components
    name: str = "visit"

    def __call__(self, run: Run) -> Iterator[Record]:
        run.begin_leg(self.components)
        run.expect(self.components)
        yield run.record(self.name)


@dataclass(frozen=True)
class Visits:
    """A method that makes given moves."""

    moves: tuple[Move, ...]
    keeps_best: bool = True

    def schedule(self, run: Run) -> Iterator[Move]:
        yield from self.moves


@dataclass(frozen=True)
class Begin:
    """The one move of a scripted leg; a test stands in for it, or it starts the run."""

    leg: str

    def __call__(self, run: Run) -> Iterator[Record]:
        run.begin_leg(run.start(run))
        yield run.record(self.leg, objective=float("nan"))


@dataclass(frozen=True)
class ScriptedLeg:
    """A leg that begins with one known move."""

    name: str = "scripted"
    fresh: bool = True

    def moves(self, run: Run) -> Iterator[Move]:
        yield Begin(self.name)


def played(method: Method, run: Run, act: Callable[[Move], None], *, most=10_000) -> list[Move]:
    """Return the moves that a method names, while `act` stands in for making them."""
    moves: list[Move] = []
    for move in method.schedule(run):
        act(move)
        moves.append(move)
        if len(moves) == most:
            break
    return moves


@dataclass(frozen=True)
class Leaning(Constraints):
    """A known prior: Σ_d (slope μ_d - width Σ_dd) + crowd log π of each component."""

    slope: float = 0.0
    width: float = 0.0
    crowd: float = 0.0

    def log_prior(self, components: Components):
        spread = np.trace(components.covariances, axis1=1, axis2=2)
        found = self.slope * components.means.sum(axis=1) - self.width * spread
        return found + self.crowd * np.log(components.weights)
