"""Legs: the ways in which a search begins anew, from a start or from the best so far.

A leg of the search begins with a leg's moves; EM, surgery and a polish follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from biglearn.model.lifts import Lift
from biglearn.model.views import View, random_subset
from biglearn.search.moves.matching import Matching
from biglearn.search.moves.recombine import Recombine
from biglearn.search.moves.restart import Jump, Restart, Tournament
from biglearn.search.moves.subspace import SubspaceStart
from biglearn.search.run import Move, Run
from biglearn.search.starts.centres import CENTRE_STARTS


class Leg(Protocol):
    """A way to begin a leg of the search.

    A checkpoint knows it again by its `repr`, such as that of a dataclass.
    """

    @property
    def name(self) -> str:
        """Name by which the portfolio keeps its record."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether it owes nothing to the best components so far."""
        ...

    def moves(self, run: Run) -> Iterator[Move]:
        """Yield the moves that begin the leg."""
        ...


def has_few_optima(run: Run) -> bool:
    """Whether a few climbs are enough: two components or few rows, and no time to spend."""
    few = run.settings.n_components <= 2 or run.engine.n_rows < run.tuning.few_rows
    return few and run.settings.max_time is None


@dataclass(frozen=True)
class RestartLeg:
    """Begin from the run's start."""

    name: str = "restart"
    fresh: bool = True

    def moves(self, run: Run) -> Iterator[Move]:
        """Yield a restart."""
        yield Restart()


@dataclass(frozen=True)
class OwnUnitsLeg:
    """Begin from k-means in the user's own units, where a judge compares it with others.

    Standardised columns all count alike, and some tables mean it otherwise.
    """

    name: str = "own-units"
    fresh: bool = True

    def moves(self, run: Run) -> Iterator[Move]:
        """Yield a restart."""
        yield Restart(CENTRE_STARTS["kmeans-own-units"])


@dataclass(frozen=True)
class TournamentLeg:
    """Begin from the best of several short runs."""

    name: str = "tournament"
    fresh: bool = True

    def moves(self, run: Run) -> Iterator[Move]:
        """Yield a tournament, a small one where there are few optima."""
        few = Tournament(run.tuning.few_runs, run.tuning.few_steps)
        yield few if has_few_optima(run) else Tournament()


@dataclass(frozen=True)
class SubspaceLeg:
    """Begin from a small view in which the rows look least Gaussian.

    Parameters
    ----------
    sizes : tuple of int
        Sizes of the views, which take turns.
    """

    sizes: tuple[int, ...] = (2, 1, 3)
    name: str = "subspace"
    fresh: bool = True

    def moves(self, run: Run) -> Iterator[Move]:
        """Yield a start from a view."""
        size = self.sizes[run.n_legs % len(self.sizes)]
        yield SubspaceStart(min(size, run.engine.n_features))


@dataclass(frozen=True)
class DisturbLeg:
    """Begin from the best components, disturbed by matchings in random views.

    Parameters
    ----------
    name : str
    lift : {"block", "regression"} or callable
        Of the matchings.
    inner_steps : int
        EM steps of each matching.
    """

    name: str = "disturb"
    lift: str | Lift = "regression"
    inner_steps: int = 3
    fresh: bool = False

    def moves(self, run: Run) -> Iterator[Move]:
        """Yield a jump to the best, and one to three matchings."""
        if run.best is None:
            return
        yield Jump(run.best)
        n_features = run.engine.n_features
        for _ in range(int(run.rng.integers(1, 4))):
            size = int(run.rng.integers(1, n_features // 2 + 2))
            features = random_subset(n_features, min(size, n_features), run.rng)
            view = View.transformed(features, n_features, run.rng)
            yield Matching(view, inner_steps=self.inner_steps, lift=self.lift)


@dataclass(frozen=True)
class RecombineLeg:
    """Begin from two optima that other legs came to, combined; or from the start.

    Parameters
    ----------
    name : {"regions", "pairs"}
        See `Recombine`.
    """

    name: str = "regions"
    fresh: bool = False

    def moves(self, run: Run) -> Iterator[Move]:
        """Yield a recombination, or a restart where there are no two optima yet."""
        free = run.constraints.fixed is None and len(run.pool.optima) > 1
        yield Recombine(self.name) if free else Restart()


#: The legs by name.
LEGS: dict[str, Leg] = {
    leg.name: leg
    for leg in (
        RestartLeg(),
        OwnUnitsLeg(),
        TournamentLeg(),
        SubspaceLeg(),
        DisturbLeg(),
        DisturbLeg("jolt", "block"),
        RecombineLeg(),
        RecombineLeg("pairs"),
    )
}


#: Parts of a leg.
_PARTS = ("name", "fresh", "moves")


def leg_of(leg: str | Leg) -> Leg:
    """Return the leg of a name, or the leg itself.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> from biglearn.search.legs import leg_of
    >>> leg_of("jolt").fresh
    False
    """
    if isinstance(leg, str):
        if leg in LEGS:
            return LEGS[leg]
    elif not isinstance(leg, type) and all(
        hasattr(leg, part) for part in ("name", "fresh", "moves")
    ):
        return leg
    raise ValueError(f"legs must be some of {list(LEGS)} or Leg objects, got {leg!r}")
