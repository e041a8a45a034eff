"""How many pseudo-rows a prior has: chosen by leave-one-out likelihood."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np

from biglearn._types import Array
from biglearn.model.components import Components
from biglearn.model.leave_one_out import LeaveOneOut
from biglearn.model.mixture import Mixture
from biglearn.search.moves.ascent import climb
from biglearn.search.run import BudgetSpentError, Run


def strengths(n_features: int) -> list[float]:
    """Return the numbers of pseudo-rows to try, ascending, from next to none to 3 (D + 1)."""
    return [0.001, 0.03, 0.3, 1.0, 0.3 * (n_features + 1), n_features + 1.0, 3.0 * (n_features + 1)]


def default_strength(n_features: int) -> float:
    """Return the pseudo-rows with which the choice begins."""
    return 0.3 * (n_features + 1)


def choose_strength(run: Run, unit: float = 1.0) -> None:
    """Give the prior of a run the pseudo-rows that generalise best, by leave-one-out likelihood.

    A few steps of EM from one start, and from there a few more for each strength, the
    strongest first, so that none begins at a spike; the smallest strength within one standard
    error of the best is taken.  Where the time is up before, the strength stays.

    Parameters
    ----------
    run : Run
        Before its first leg, with a prior of the default strength.
    unit : float
        Weight of one row.
    """
    inner = run.part(run.engine, run.constraints, cost=1.0)
    try:
        with run.engine.running():
            rows = unit * _best_strength(inner, unit)
    except BudgetSpentError:
        return
    finally:
        run.counters.begun = False
    run.constraints = replace(run.constraints, prior=replace(run.constraints.prior, rows=rows))


def _best_strength(run: Run, unit: float) -> float:
    prior, tuning = run.constraints.prior, run.tuning
    run.begin_leg(run.start(run), fresh=True)
    *_, point = islice(climb(run, run.components, accelerate=True), tuning.warm_steps)
    sample = run.engine.subsample(tuning.plan_rows, run.rng, point.components)
    rows, weights = sample.rows(), sample.weights
    ends: list[tuple[float, Array]] = []
    for strength in strengths(run.engine.n_features)[::-1]:
        ours = replace(run.constraints, prior=replace(prior, rows=strength * unit))
        run.constraints = ours.following(point.components)
        *_, point = islice(climb(run, point.components, accelerate=True), tuning.strength_steps)
        ends.append((strength, loo_of(run, point.components, rows, weights)))
    shares = np.full(len(rows), 1 / len(rows)) if weights is None else weights / weights.sum()
    return one_standard_error(ends[::-1], shares)


def loo_of(run: Run, components: Components, rows: Array, weights: Array | None) -> Array:
    """Return leave-one-out log-densities of sample rows, shape (n,)."""
    mixture = Mixture.of(components)
    loo = LeaveOneOut(mixture, total=run.total, pseudo_rows=run.constraints.prior.rows)
    return loo.log_density(rows, weights)


def one_standard_error(ends: list[tuple[float, Array]], shares: Array) -> float:
    """Return the smallest strength whose mean is within one standard error of the best.

    The error is that of the mean difference from the best, row by row.
    """
    finite = [(rows, np.maximum(values, -1e6)) for rows, values in ends]
    means = [float(shares @ values) for _, values in finite]
    best = int(np.argmax(means))
    for rows, values in finite:
        gaps = finite[best][1] - values
        mean = float(shares @ gaps)
        error = float(np.sqrt(shares**2 @ (gaps - mean) ** 2))
        if mean <= error:
            return rows
    return finite[best][0]
