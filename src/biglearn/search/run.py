"""The loop: it carries the state, counts passes and repairs, and keeps the best components."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from biglearn._types import Array
from biglearn.engines.base import Engine
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints, Fitted
from biglearn.model.moments import Moments
from biglearn.search.judge import Judge
from biglearn.search.pool import Pool
from biglearn.search.records import Record
from biglearn.search.stands import Counters, Offer, Outlook, Stand, Trace
from biglearn.search.tuning import Tuning

#: A start: from a run (its rows, constraints and randomness) to first components.
Start = Callable[["Run"], Components]


class BudgetSpentError(Exception):
    """Raised inside a move when the time is up; the best so far is kept."""


@dataclass(frozen=True)
class Settings:
    """Size and budget of a fit, whatever the method.

    Parameters
    ----------
    n_components : int
    tol : float
        EM stops when both its last gain in the objective per row and Aitken's
        estimate of its remaining gain are below `tol`.
    max_iter : int
        Most steps of one EM run.
    max_time : float or None
        Seconds after which the best so far is returned.
    n_init : int
        Number of independent runs.
    """

    n_components: int
    tol: float = 1e-5
    max_iter: int = 1000
    max_time: float | None = None
    n_init: int = 1


class Move(Protocol):
    """A change of the run's components; yields a record for each step it makes."""

    def __call__(self, run: Run) -> Iterator[Record]:
        """Make the move."""
        ...


class Method(Protocol):
    """A rule that names the next move."""

    @property
    def keeps_best(self) -> bool:
        """Whether the fit returns the best components seen, or the last."""
        ...

    def schedule(self, run: Run) -> Iterator[Move]:
        """Yield moves until the method has nothing left to try."""
        ...


@dataclass
class Run:
    """State of one fit, and the only way for a move to reach the rows.

    Moves read and set `components`; `expect` counts every pass, keeps the best
    components whose joint objective it learns, and ends the run when the budget is
    spent.  The objective is the mean log-likelihood per row, with the
    log-prior of the constraints.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    start : Start
    rng : Generator
    constraints : Constraints
    tuning : Tuning
    offset : float
        Log-Jacobian of the user's units, which records subtract.
    clock : callable
        Seconds since any moment.
    counters : Counters
    cost : float
        Passes over all rows that one pass of this run counts as.
    weight : float
        Weight of this run's components among all of the mixture that they are part of.
    row_stands_for : float
        Rows that each row of this run stands for.
    began : float, optional
        When the budget began, by the clock; now if left out.
    scale : array of shape (D,), optional
        The engine's units in the user's; None where they are the same.
    judge : Judge, optional
        Chooses between the best components of the legs; without one the objective does.
    """

    engine: Engine
    settings: Settings
    start: Start
    rng: np.random.Generator
    constraints: Constraints = Constraints()  # noqa: RUF009  immutable
    tuning: Tuning = Tuning()  # noqa: RUF009
    offset: float = 0.0
    clock: Callable[[], float] = time.perf_counter
    counters: Counters = field(default_factory=Counters)
    cost: float = 1.0
    weight: float = 1.0
    row_stands_for: float = 1.0
    began: float | None = None
    scale: Array | None = None
    judge: Judge | None = None
    components: Components = field(init=False)
    objective: float = field(default=-math.inf, init=False)
    best: Components | None = field(default=None, init=False)
    best_objective: float = field(default=-math.inf, init=False)
    best_log_likelihood: float = field(default=-math.inf, init=False)
    head_start: Components | None = field(default=None, init=False)
    leg: Components | None = field(default=None, init=False)
    leg_objective: float = field(default=-math.inf, init=False)
    leg_log_likelihood: float = field(default=-math.inf, init=False)
    offers: list[Offer] = field(default_factory=list, init=False)
    pool: Pool = field(default_factory=Pool, init=False)
    allowance: float = field(default=math.inf, init=False)
    outlook: Outlook | None = field(default=None, init=False)
    n_legs: int = field(default=0, init=False)
    converged: bool = field(default=False, init=False)
    total: float = field(default=math.nan, init=False)
    ascent: Trace = field(default_factory=Trace, init=False)
    best_ascent: Trace = field(default_factory=Trace, init=False)

    def __post_init__(self) -> None:
        self._began = self.clock() if self.began is None else self.began
        self._reported = self.counters.repairs

    def part(
        self,
        engine: Engine,
        constraints: Constraints,
        *,
        n_components: int | None = None,
        cost: float = 0.0,
        weight: float = 1.0,
        row_stands_for: float = 1.0,
    ) -> Run:
        """Return a run inside this one, which shares its clock, budget and counters.

        Parameters
        ----------
        engine : Engine
            Over some of the rows, or a view of them.
        constraints : Constraints
        n_components : int, optional
            K of the inner run; that of this one if left out.
        cost : float
            Passes over all rows that one pass of the inner run counts as.
        weight : float
            Joint weight of the components that take part, which sum to one in the inner run.
        row_stands_for : float
            Rows that each row of the engine stands for.
        """
        size = self.settings.n_components if n_components is None else n_components
        settings = Settings(size, self.settings.tol, self.settings.max_iter, self.settings.max_time)
        return Run(
            engine,
            settings,
            self.start,
            self.rng,
            constraints,
            tuning=self.tuning,
            clock=self.clock,
            counters=self.counters,
            cost=self.cost * cost,
            weight=self.weight * weight,
            row_stands_for=self.row_stands_for * row_stands_for,
            began=self._began,
        )

    @property
    def passes(self) -> float:
        """Passes over the rows so far."""
        return self.counters.passes

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self._began

    @property
    def time_left(self) -> float:
        """Seconds until the budget is spent; infinite without one."""
        limit = self.settings.max_time
        return math.inf if limit is None else limit - self.seconds

    def expect(self, components: Components, engine: Engine | None = None) -> Moments:
        """Make one E-step on all rows (or on a projection or sample of them)."""
        moments = (engine or self.engine).expect(components)
        self.counters.passes += self.cost
        if engine is None:
            objective = self.objective_of(components, moments)
            self.see(components, moments.mean_log_likelihood, moments.total, objective)
        self.check_budget()
        return moments

    def see(
        self, components: Components, log_likelihood: float, total: float, objective: float
    ) -> None:
        """Take note of components whose joint objective is known."""
        self.total, self.objective = total, objective
        if self.leg is None or objective > self.leg_objective:
            self.leg, self.leg_objective = components, objective
            self.leg_log_likelihood = log_likelihood
        if self.best is None or objective > self.best_objective:
            self.best, self.best_objective = components, objective
            self.best_log_likelihood, self.best_ascent = log_likelihood, self.ascent
            self.converged = False

    def objective_of(self, components: Components, moments: Moments) -> float:
        """Return the mean log-likelihood per row, with the log-prior of the constraints."""
        return moments.mean_log_likelihood + self.prior_of(components, moments.total)

    def prior_of(self, components: Components, total: float) -> float:
        """Return the log-prior of components per row, for this run's rows of some total weight."""
        whole = components if self.weight == 1.0 else components.part(slice(None), self.weight)
        prior = float(self.constraints.log_prior(whole).sum())
        return prior / (total * self.row_stands_for) if prior else 0.0

    def follow(self, components: Components) -> None:
        """Let the target of the prior follow components, and value the best anew."""
        if self.constraints.prior.follows is None:
            return
        self.constraints = self.constraints.following(components)
        if self.best is not None:
            self.best_objective = self.best_log_likelihood + self.prior_of(self.best, self.total)
            self.best_ascent, self.converged = Trace(), False

    def offer(self) -> None:
        """Let the best components of the leg compete for the result, if there is a judge."""
        if self.judge is None or self.leg is None:
            return
        worth = self.judge.worth(self.leg, self.constraints.prior.rows)
        # differences below this are chance, and the order of components would follow it
        if all(abs(worth - other.worth) > self.tuning.rough for other in self.offers):
            self.offers.append(Offer(worth, self.leg, self.leg_log_likelihood))
            self.offers.sort(key=lambda offer: -offer.worth)
            del self.offers[self.tuning.offers :]

    def settle(self, offer: Offer | None = None) -> None:
        """Make an offer, the judge's favourite if left out, the best, whatever its objective."""
        if offer is None and not self.offers:
            return
        chosen = offer or self.offers[0]
        if chosen.components is not self.best:
            self.best, self.best_log_likelihood = chosen.components, chosen.log_likelihood
            self.best_objective = self.best_log_likelihood + self.prior_of(self.best, self.total)
            self.best_ascent, self.converged = Trace(), False

    def worth_of_best(self) -> float:
        """Return what the judge thinks of the best components; 0 without either."""
        if self.judge is None or self.best is None:
            return 0.0
        return self.judge.worth(self.best, self.constraints.prior.rows)

    def stand(self) -> Stand:
        """Return how the best components stand, to go back to."""
        return Stand(
            self.best, self.best_log_likelihood, self.constraints, self.best_ascent, self.converged
        )

    def go_back(self, stand: Stand) -> None:
        """Make the best components, and the target of the prior, what they were."""
        self.best, self.best_log_likelihood = stand.best, stand.log_likelihood
        self.constraints, self.best_ascent = stand.constraints, stand.ascent
        self.converged = stand.converged
        if self.best is not None:
            self.components = self.best
            self.best_objective = self.best_log_likelihood + self.prior_of(self.best, self.total)

    def note(self, fitted: Fitted) -> Components:
        """Return fitted components, and count their repairs."""
        components, repairs = fitted
        self.counters.repairs += repairs
        return components

    def spend(self, passes: float) -> None:
        """Count work on some of the rows or components, as a share of a whole pass."""
        self.counters.passes += self.cost * passes
        self.check_budget()

    @property
    def is_worked_off(self) -> bool:
        """Whether more passes were made than a search without a time limit may cost."""
        return self.counters.passes > self.allowance

    def check_budget(self) -> None:
        """End the run where its time is up, but for a first start."""
        if self.counters.begun and self.time_left <= 0:
            raise BudgetSpentError

    def begin_leg(self, components: Components, *, fresh: bool = False) -> None:
        """Go on from other components, `fresh` from a start; `leg` is the best seen since."""
        if self.constraints.prior.target is None:
            self.follow(components)
        self.components, self.objective = self.aligned(components, fresh=fresh), -math.inf
        self.leg, self.leg_objective = None, -math.inf
        self.counters.begun = True

    def aligned(self, components: Components, *, fresh: bool = False) -> Components:
        """Return components in the order that labels of the rows ask for.

        A given weight stays in its place: fresh components may move there, others may not,
        since their objective could fall.
        """
        constraints = self.constraints
        held = constraints.held if fresh else constraints.held_in_place
        ordered = self.engine.align(components, held)
        if ordered is components or constraints.fixed is None:
            return ordered
        return self.note(constraints.impose_on(ordered))

    def record(self, move: str, *, objective: float | None = None, accepted: bool = True) -> Record:
        """Report a step."""
        value = self.objective if objective is None else objective
        repairs, before = self.counters.repairs, self._reported
        self._reported = repairs
        self.counters.steps += 1
        return Record(
            step=self.counters.steps - 1,
            move=move,
            log_likelihood=value - self.offset,
            best=self.best_objective - self.offset,
            accepted=accepted,
            passes=int(self.passes),
            raised=repairs.raised - before.raised,
            reseeded=repairs.reseeded - before.reseeded,
            seconds=self.seconds,
        )


def carry_out(run: Run, method: Method) -> Generator[Record, None, None]:
    """Make the method's moves until it ends or the budget is spent.

    The result is left in `run.components` and `run.objective`.  An error,
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
    """Leave the best components, or the last ones evaluated, as the run's result."""
    if not hasattr(run, "components"):
        return  # the start itself failed, and its error is on the way up
    if keep_best and run.best is not None:
        run.settle()
        run.components, run.objective = run.best, run.best_objective
    else:
        run.best_ascent = Trace()  # the last point need not be where EM has been
        moments = run.engine.expect(run.components)
        run.total, run.objective = moments.total, run.objective_of(run.components, moments)
