"""How many pseudo-rows a prior has, and of which covariance: by leave-one-out likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace

from biglearn.model.prior import FOLLOWED, CovariancePrior, PseudoRows
from biglearn.search.climbing.ascent import Point, climb
from biglearn.search.climbing.limits import Limits
from biglearn.search.judge import Judge
from biglearn.search.moves.thinning import thinned
from biglearn.search.run import BudgetSpentError, Run


def strengths(n_features: int) -> list[float]:
    """Return the numbers of pseudo-rows to try, ascending, from next to none to 3 (D + 1)."""
    return [0.001, 0.03, 0.3, 1.0, *(share * (n_features + 1) for share in (0.3, 1.0, 3.0))]


def default_strength(n_features: int) -> float:
    """Return the pseudo-rows with which the choice begins."""
    return 0.3 * (n_features + 1)


@dataclass(frozen=True, eq=False)
class Trial:
    """A few steps of EM under one prior.

    Attributes
    ----------
    worth : float
        Leave-one-out likelihood per row.
    place : int
        Of the strength among those to try.
    prior : PseudoRows
    point : Point
        Where the steps ended.
    """

    worth: float
    place: int
    prior: PseudoRows
    point: Point


def choose_prior(run: Run, judge: Judge, asked: CovariancePrior, unit: float = 1.0) -> None:
    """Give a run the prior that generalises best, by leave-one-out likelihood.

    A few steps of EM from the run's start, and from there a few more for each strength; then
    with the second target from the best strength to its neighbours, as long as it gains.  The
    first leg goes on from where the best ended.  Where the time is up before, the prior stays.

    Parameters
    ----------
    run : Run
        Before its first leg, with a prior of the default strength.
    judge : Judge
    asked : CovariancePrior
        What is "auto" in it is chosen.
    unit : float
        Weight of one row.
    """
    inner = thinned(run) or run.part(run.engine, run.constraints, cost=1.0)
    try:
        with run.engine.running():
            best = _Choice(inner, judge, asked, unit).best()
    except BudgetSpentError:
        return
    finally:
        run.counters.begun = False
    run.constraints = replace(run.constraints, prior=best.prior).thinned(1.0)
    run.head_start = best.point.components


class _Choice:
    """The choice of a prior for a run: see `choose_prior`."""

    def __init__(self, run: Run, judge: Judge, asked: CovariancePrior, unit: float) -> None:
        self.run, self.judge, self.unit = run, judge, unit
        prior, size = run.constraints.prior, run.engine.n_features
        self.steps = strengths(size) if asked.rows == "auto" else [prior.rows / unit]
        open_target = isinstance(asked.target, str) and asked.target == "auto"
        self.targets = FOLLOWED if open_target else (prior.follows,)

    def best(self) -> Trial:
        """Return the best trial."""
        run = self.run
        run.begin_leg(run.start(run), fresh=True)
        warm = Limits(patience=run.tuning.warm_steps - 1)
        *_, point = climb(run, run.components, warm, accelerate=True)
        best = self._scan(point)
        for target in self.targets[1:]:
            found = self._walk(best.place, best.point, target)
            best = found if found.worth > best.worth else best
        return best

    def _scan(self, point: Point) -> Trial:
        """Try the strengths, the strongest first, so that none begins at a spike.

        Where two have been worth less than the best, weaker ones are too.
        """
        best: Trial | None = None
        for place in reversed(range(len(self.steps))):
            found = self._try(place, point, self.targets[0])
            point = found.point
            if best is None or found.worth >= best.worth:
                best = found
            elif place <= best.place - 2:
                break
        assert best is not None
        return best

    def _walk(self, place: int, point: Point, target: str | None) -> Trial:
        """Go from strength to strength as long as it gains, up first, or down."""
        best = self._try(place, point, target)
        for step in (1, -1):
            first = best.place
            while 0 <= best.place + step < len(self.steps):
                found = self._try(best.place + step, best.point, target)
                if found.worth <= best.worth:
                    break
                best = found
            if best.place != first:
                break
        return best

    def _try(self, place: int, point: Point, target: str | None) -> Trial:
        """Make a few steps of EM under one prior."""
        run = self.run
        rows = self.steps[place] * self.unit
        prior = replace(run.constraints.prior, rows=rows, follows=target)
        run.constraints = replace(run.constraints, prior=prior).following(point.components)
        *_, point = climb(run, point.components, Limits(patience=run.tuning.strength_steps))
        return Trial(self.judge.worth(point.components, rows), place, prior, point)
