"""Split-merge: give up the component that is missed least, cut the one that needs it most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from biglearn.mixture import Mixture
from biglearn.moves.ascent import Point, climb
from biglearn.moves.surgery import (
    Plan,
    Rows,
    all_cuts,
    operate,
    pair_up,
    removals,
    single_plans,
)
from biglearn.records import Record
from biglearn.search import Run

#: Rows that the plans look at, at most.
_SAMPLE = 10_000

#: Steps that a trial has before it can be given up.
_GRACE = 3


@dataclass(frozen=True)
class SplitMerge:
    """Try surgeries on the run's mixture, and keep the first that pays.

    All surgeries whose bound promises a gain are tried at once, then single
    ones by their bound.  A trial climbs by EM, and is given up as soon as its
    likelihood curve cannot reach where it began.

    Parameters
    ----------
    trials : int
        Most trials.
    tol : float
        A trial is judged when EM has no more than this left to gain.
    patience : int
        Most EM steps of a trial.
    """

    trials: int = 6
    tol: float = 1e-3
    patience: int = 60

    def __call__(self, run: Run) -> Iterator[Record]:
        """Try; the run goes on from the first success, or from where it was."""
        mixture, before = run.mixture, run.log_likelihood
        for plan in islice(self._plans(run, mixture), self.trials):
            point = self._trial(run, operate(run, mixture, plan), before)
            accepted = point.log_likelihood > before
            run.mixture = point.mixture if accepted else mixture
            run.log_likelihood = max(point.log_likelihood, before)
            yield run.record("split-merge", log_likelihood=point.log_likelihood, accepted=accepted)
            if accepted:
                return

    def _plans(self, run: Run, mixture: Mixture) -> Iterator[Plan]:
        rows = Rows.of(run, mixture, _SAMPLE)
        cuts = all_cuts(run, mixture, rows)
        ways = removals(mixture, rows)
        together = pair_up(ways, cuts)
        singles = single_plans(ways, cuts)
        return chain([together], singles) if len(together) > 1 else singles

    def _trial(self, run: Run, mixture: Mixture, goal: float) -> Point:
        for step, point in enumerate(climb(run, mixture, accelerate=True)):
            lost = step >= _GRACE and not point.can_reach(goal)
            if lost or point.left <= self.tol or step >= self.patience:
                return point
        raise AssertionError("climb() has no end")
