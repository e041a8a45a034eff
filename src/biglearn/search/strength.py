"""How many pseudo-rows a prior has, and of which covariance: by leave-one-out likelihood."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from biglearn.model.prior import FOLLOWED, CovariancePrior, PseudoRows
from biglearn.search.judge import Judge
from biglearn.search.moves.ascent import climb
from biglearn.search.run import BudgetSpentError, Run


def strengths(n_features: int) -> list[float]:
    """Return the numbers of pseudo-rows to try, ascending, from next to none to 3 (D + 1)."""
    return [0.001, 0.03, 0.3, 1.0, 0.3 * (n_features + 1), n_features + 1.0, 3.0 * (n_features + 1)]


def default_strength(n_features: int) -> float:
    """Return the pseudo-rows with which the choice begins."""
    return 0.3 * (n_features + 1)


def choose_prior(run: Run, judge: Judge, asked: CovariancePrior, unit: float = 1.0) -> None:
    """Give a run the prior that generalises best, by leave-one-out likelihood.

    A few steps of EM from one start, and from there a few more for each strength, the
    strongest first, so that none begins at a spike; a second target is tried at the best
    strength of the first and at its neighbours.  Where the time is up before, the prior stays.

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
    inner = run.part(run.engine, run.constraints, cost=1.0)
    try:
        with run.engine.running():
            prior = _best_prior(inner, judge, asked, unit)
    except BudgetSpentError:
        return
    finally:
        run.counters.begun = False
    run.constraints = replace(run.constraints, prior=prior)


def _best_prior(run: Run, judge: Judge, asked: CovariancePrior, unit: float) -> PseudoRows:
    prior, tuning = run.constraints.prior, run.tuning
    run.begin_leg(run.start(run), fresh=True)
    *_, first = islice(climb(run, run.components, accelerate=True), tuning.warm_steps)
    steps = strengths(run.engine.n_features) if asked.rows == "auto" else [prior.rows / unit]
    targets = FOLLOWED if asked.target == "auto" else [prior.follows]
    found: list[tuple[float, float, PseudoRows]] = []  # worth, strength, prior
    for target in targets:
        point = first
        for strength in steps[::-1]:
            tried = replace(prior, rows=strength * unit, follows=target)
            run.constraints = replace(run.constraints, prior=tried).following(point.components)
            ascent = climb(run, point.components, accelerate=True)
            *_, point = islice(ascent, tuning.strength_steps)
            found.append((judge.worth(point.components, tried.rows), strength, tried))
        place = steps.index(max(found, key=_preference)[1])
        steps = steps[max(place - 1, 0) : place + 2]
    return max(found, key=_preference)[2]


def _preference(found: tuple[float, float, PseudoRows]) -> tuple[float, float]:
    """Return what makes one prior preferable: its worth, and fewer rows where these tie."""
    return found[0], -found[1]
