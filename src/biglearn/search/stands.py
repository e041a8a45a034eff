"""What a run keeps: its history of EM, its counts, and components that may be the result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from biglearn.model.components import Components
from biglearn.model.constraints import Constraints, Repairs


@dataclass(frozen=True, eq=False)
class Offer:
    """Components that compete for the result of a fit.

    Attributes
    ----------
    worth : float
        What the judge thinks of them.
    components : Components
    log_likelihood : float
        Mean per row.
    """

    worth: float
    components: Components
    log_likelihood: float


@dataclass(frozen=True)
class LegSummary:
    """What one kind of leg did in a search.

    Attributes
    ----------
    leg : str
        Its name.
    times : int
        Legs of this kind.
    wins : int
        How many of them improved the best.
    gain : float
        Rise of the objective per row that they brought.
    passes : float
        Passes over the rows that they made.
    """

    leg: str
    times: int
    wins: int
    gain: float
    passes: float


@dataclass(frozen=True)
class Outlook:
    """What a search has seen, and what more time might bring.

    Attributes
    ----------
    legs : int
        Legs that it made.
    since_gain : int
        Legs since one improved the best.
    found_again : int
        Fresh starts since then that came to the best again.
    chance_of_gain : float
        Estimated chance that one more leg improves the best, by the rule of succession, halved
        each time that a fresh start found it again.
    by_leg : tuple of LegSummary
        The same by kind of leg, in the order of their first turns.
    """

    legs: int = 0
    since_gain: int = 0
    found_again: int = 0
    chance_of_gain: float = 1.0
    by_leg: tuple[LegSummary, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        again = f", to which {self.found_again} fresh starts came again" if self.found_again else ""
        return (
            f"{self.legs} legs, {self.since_gain} since the best{again}; "
            f"chance that one more improves it: {100 * self.chance_of_gain:.0f} %"
        )


@dataclass
class Trace:
    """History of one EM run.

    Parameters
    ----------
    objectives : list of float
        At its start, or since it last re-seeded components, and after each step.
    reseeded : list of int
        Components that it re-seeded.
    points : int
        Points that it passed, its start and those before a re-seeding included.
    """

    objectives: list[float] = field(default_factory=list)
    reseeded: list[int] = field(default_factory=list)
    points: int = 0

    def up_to(self, best: float) -> list[float]:
        """Return its objectives, followed by `best` if none reaches that.

        None does where time ran out before the run could take note of its last step, and
        where no run of EM has come to the best components.
        """
        reached = max(self.objectives, default=-math.inf) >= best
        return [*self.objectives] if reached else [*self.objectives, best]


@dataclass(frozen=True, eq=False)
class Stand:
    """How the best components of a run stand at some time.

    Attributes
    ----------
    best : Components or None
    log_likelihood : float
        Mean per row.
    constraints : Constraints
        With the target of the prior.
    ascent : Trace
        Of the EM run that reached them.
    converged : bool
    """

    best: Components | None
    log_likelihood: float
    constraints: Constraints
    ascent: Trace
    converged: bool


@dataclass
class Counters:
    """Work done and repairs made so far, in a run and all runs inside it.

    Parameters
    ----------
    passes : float
        Passes over all rows; work on some of the rows or components counts as a share.
    steps : int
        Records made.
    begun : bool
        Whether the outermost run has components; until then no budget ends it.
    repairs : Repairs
    """

    passes: float = 0.0
    steps: int = 0
    begun: bool = False
    repairs: Repairs = Repairs()  # noqa: RUF009  immutable
