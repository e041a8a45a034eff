"""The end of a fit under a prior: the choice of its result, and rounds of EM from there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from biglearn.search.climbing.ascent import Ascent
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

    Where the judge thinks less of what a round of refinement came to, it is taken back.

    Parameters
    ----------
    rounds : int
    accelerate : bool
    """

    rounds: int = 2
    accelerate: bool = True

    def __call__(self, run: Run) -> Iterator[Record]:
        """Climb from the components that the judge prefers."""
        offers, run.offers = run.offers, []
        found, worth = None, -math.inf
        for offer in offers:
            if worth >= offer.worth:
                break
            # components of an unfinished climb may promise more than where it leads
            run.settle(offer)
            yield from self._climb(run)
            if (reached := run.worth_of_best()) > worth:
                found, worth = run.stand(), reached
        if found is None:
            yield from self._climb(run)
            worth = run.worth_of_best()
        else:
            run.go_back(found)
        for _ in range(self.rounds):
            if run.constraints.prior.follows is None or run.best is None:
                return
            before = run.stand()
            yield from Refine(1, self.accelerate)(run)
            reached = run.worth_of_best()
            if reached < worth - run.tuning.rough:
                run.go_back(before)
                return
            worth = reached

    def _climb(self, run: Run) -> Iterator[Record]:
        if run.best is not None:
            run.components = run.best
            yield from Ascent("refine", accelerate=self.accelerate)(run)
