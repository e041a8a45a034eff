"""The end of a fit under a prior: the choice of its result, and rounds of EM from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from biglearn.search.moves.ascent import Ascent
from biglearn.search.records import Record
from biglearn.search.run import Run


@dataclass(frozen=True)
class Refine:
    """Let the prior follow the best components, and climb from there, a few times.

    Without a prior that follows the components it does nothing.

    Parameters
    ----------
    rounds : int
    accelerate : bool
    tol : float, optional
        That of the run's settings if left out.
    """

    rounds: int = 2
    accelerate: bool = True
    tol: float | None = None

    def __call__(self, run: Run) -> Iterator[Record]:
        """Climb; the run goes on from the best."""
        for _ in range(self.rounds):
            if run.constraints.prior.follows is None or run.best is None:
                return
            run.follow(run.best)
            run.components = run.best
            yield from Ascent("refine", tol=self.tol, accelerate=self.accelerate)(run)


@dataclass(frozen=True)
class Settle:
    """Choose the result among the best components of the legs, and refine it.

    Parameters
    ----------
    accelerate : bool
    """

    accelerate: bool = True

    def __call__(self, run: Run) -> Iterator[Record]:
        """Climb from the components that the judge prefers."""
        run.settle()
        if run.best is None:
            return
        if run.constraints.prior.follows is not None:
            yield from Refine(accelerate=self.accelerate)(run)
        else:
            run.components = run.best
            yield from Ascent("refine", accelerate=self.accelerate)(run)
