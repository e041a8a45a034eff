"""The loop: it carries the state, counts what happens and keeps the best model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from biglearn._types import Array
from biglearn.engines.base import Engine
from biglearn.model.fixed import Fixed
from biglearn.model.mixture import Mixture
from biglearn.model.moments import Moments
from biglearn.model.structures import FULL, Structure
from biglearn.search.records import Record

#: A start: rows and a source of randomness to a first mixture.
Start = Callable[["Run"], Mixture]


class BudgetSpentError(Exception):
    """Raised inside a move when the time is up; the best so far is kept."""


@dataclass(frozen=True)
class Settings:
    """What a fit must respect, whatever the method.

    Parameters
    ----------
    n_components : int
    structure : Structure
        Of the covariances.
    floor : float
        Smallest eigenvalue of a covariance, in the engine's units.
    tol : float
        EM stops when neither its last gain in mean log-likelihood nor Aitken's
        estimate of the gain that is left exceeds it.
    max_iter : int
        Most steps of one EM run.
    max_time : float or None
        Seconds after which the best so far is returned.
    n_init : int
        Number of independent runs.
    dof : float or None
        Degrees of freedom that Student-t components begin with; None for Gaussians.
    fixed : Fixed or None
        Parameters that stay as they are, in the engine's units.
    """

    n_components: int
    structure: Structure = FULL
    floor: float = 1e-6
    tol: float = 1e-5
    max_iter: int = 1000
    max_time: float | None = None
    n_init: int = 1
    dof: float | None = None
    fixed: Fixed | None = None


class Move(Protocol):
    """A change of the run's mixture; yields a record for each step it makes."""

    def __call__(self, run: Run) -> Iterator[Record]:
        """Make the move."""
        ...


class Method(Protocol):
    """A rule that names the next move."""

    @property
    def keeps_best(self) -> bool:
        """Whether the fit returns the best model seen, or the last."""
        ...

    def schedule(self, run: Run) -> Iterator[Move]:
        """Yield moves until the method has nothing left to try."""
        ...


@dataclass
class Trace:
    """What one EM run did.

    Parameters
    ----------
    log_likelihoods : list of float
        At its start, or since it last re-seeded components, and after each step.
    reseeded : list of int
        Components that it re-seeded.
    points : int
        Points that it passed, its start and those before a re-seeding included.
    """

    log_likelihoods: list[float] = field(default_factory=list)
    reseeded: list[int] = field(default_factory=list)
    points: int = 0

    def up_to(self, best: float) -> list[float]:
        """Return its log-likelihoods, and then `best` if none reaches that.

        That is so where time ran out before the run could take note of its last
        step, and where no run of EM has come to the model (`best` alone).
        """
        reached = max(self.log_likelihoods, default=-math.inf) >= best
        return [*self.log_likelihoods] if reached else [*self.log_likelihoods, best]


def _as_it_is(mixture: Mixture) -> Mixture:
    return mixture


@dataclass
class Run:
    """State of one fit, and the only way for a move to reach the rows.

    Moves read and set `mixture`; `expect` counts every pass, keeps the best
    mixture whose joint log-likelihood it learns, and ends the run when the
    budget is spent.  `align` puts the components of a new mixture in the order that
    labels ask for.
    """

    engine: Engine
    settings: Settings
    start: Start
    rng: np.random.Generator
    mixture: Mixture = field(init=False)
    log_likelihood: float = -math.inf
    best: Mixture | None = None
    best_log_likelihood: float = -math.inf
    leg: Mixture | None = None
    leg_log_likelihood: float = -math.inf
    converged: bool = False
    ascent: Trace = field(default_factory=Trace)
    best_ascent: Trace = field(default_factory=Trace)
    passes: float = 0.0
    steps: int = 0
    raised: int = 0
    reseeded: int = 0
    offset: float = 0.0
    align: Callable[[Mixture], Mixture] = _as_it_is
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._reported = (0, 0)

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self._began

    @property
    def time_left(self) -> float:
        """Seconds until the budget is spent; infinite without one."""
        limit = self.settings.max_time
        return math.inf if limit is None else limit - self.seconds

    def expect(self, mixture: Mixture, engine: Engine | None = None) -> Moments:
        """Make one E-step on all rows (or on a projection or sample of them)."""
        diagonal = engine is None and self.settings.structure.is_diagonal
        moments = (engine or self.engine).expect(mixture, diagonal=diagonal)
        self.passes += 1
        if engine is None:
            self.log_likelihood = moments.mean_log_likelihood
            if self.leg is None or self.log_likelihood > self.leg_log_likelihood:
                self.leg, self.leg_log_likelihood = mixture, self.log_likelihood
            if self.best is None or self.log_likelihood > self.best_log_likelihood:
                self.best, self.best_log_likelihood = mixture, self.log_likelihood
                self.best_ascent = self.ascent
                self.converged = False
        self.check_budget()
        return moments

    def spend(self, passes: float) -> None:
        """Count work on some of the rows or components, as a share of a whole pass."""
        self.passes += passes
        self.check_budget()

    def check_budget(self) -> None:
        """End the run where its time is up."""
        if self.time_left <= 0:
            raise BudgetSpentError

    def begin_leg(self, mixture: Mixture) -> None:
        """Go on from another mixture; `leg` is the best one seen since."""
        self.mixture, self.log_likelihood = self.align(mixture), -math.inf
        self.leg, self.leg_log_likelihood = None, -math.inf

    def regularise(
        self,
        weights: Array,
        means: Array,
        covariances: Array,
        shares: Array,
        *,
        dof: Array | None = None,
        pull: Array | float = 1.0,
    ) -> Mixture:
        """Put parameters under the structure, the floor and what is fixed.

        `shares` are the components' shares of the rows, by which a tied
        covariance averages, and `pull` how much a row counts in the covariances
        (see `Moments`).  Student-t components without `dof` get those to begin with.
        """
        settings, fixed = self.settings, self.settings.fixed
        if fixed is not None:
            weights, means, covariances = fixed.before(weights, means, covariances, pull)
            shares = fixed.shares(shares)
        fitted, n_raised = settings.structure.fit(covariances, shares, settings.floor)
        if fixed is not None:
            fitted = fixed.after(fitted)
        self.raised += n_raised
        if settings.dof is None:
            return Mixture.trusted(weights, means, fitted)
        dof = np.full(len(weights), settings.dof) if dof is None else dof
        return Mixture.trusted(weights, means, fitted, dof=dof)

    def record(
        self, move: str, *, log_likelihood: float | None = None, accepted: bool = True
    ) -> Record:
        """Report a step."""
        value = self.log_likelihood if log_likelihood is None else log_likelihood
        raised, reseeded = self.raised - self._reported[0], self.reseeded - self._reported[1]
        self._reported = (self.raised, self.reseeded)
        self.steps += 1
        return Record(
            step=self.steps - 1,
            move=move,
            log_likelihood=value - self.offset,
            best=self.best_log_likelihood - self.offset,
            accepted=accepted,
            passes=int(self.passes),
            raised=raised,
            reseeded=reseeded,
            seconds=self.seconds,
        )


def search(run: Run, method: Method) -> Iterator[Record]:
    """Fit: make the method's moves until it ends or the budget is spent.

    The result is left in ``run.mixture`` and ``run.log_likelihood``.  An error,
    Ctrl-C or closing the generator early leaves the best so far there, if any.
    """
    with run.engine.running():
        try:
            for move in method.schedule(run):
                yield from move(run)
        except BudgetSpentError:
            pass
        except BaseException:
            if run.best is not None:  # known without a pass, which might fail or take long
                conclude(run, keep_best=True)
            raise
        conclude(run, keep_best=method.keeps_best)


def conclude(run: Run, *, keep_best: bool) -> None:
    """Leave the best model, or the last one evaluated, as the run's result."""
    if not hasattr(run, "mixture"):
        return  # the start itself failed, and its error is on the way up
    if keep_best and run.best is not None:
        run.mixture, run.log_likelihood = run.best, run.best_log_likelihood
    else:
        run.best_ascent = Trace()  # the last point need not be where EM has been
        run.log_likelihood = run.engine.expect(run.mixture).mean_log_likelihood
