"""Surgery tried where it happens: EM of a few components, with all others as they are.

A surgery changes the rows of a few components.  EM of those and their nearest
neighbours on their own rows, with the density of all others as a background,
costs a fraction of a pass, and tells whether the surgery pays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import IntArray
from biglearn.model.components import Components
from biglearn.search.moves.ascent import climb
from biglearn.search.moves.surgery import JudgedRows, Plan, operate
from biglearn.search.run import Run
from biglearn.search.tuning import Tuning


@dataclass(frozen=True)
class Trial:
    """Outcome of a surgery after EM in its neighbourhood.

    Attributes
    ----------
    active : array of int
        The components that took part.
    components : Components
        Them, with weights that sum to their joint weight.
    gain : float
        In the objective per row of the whole sample.
    """

    active: IntArray
    components: Components
    gain: float

    def put(self, run: Run, whole: Components) -> Components:
        """Return the whole with these components in place of its own, under the constraints."""
        changed = whole.put(self.active, self.components).reweighted()
        return run.note(run.constraints.impose_on(changed))


def neighbourhood(rows: JudgedRows, plan: Plan, tuning: Tuning) -> IntArray:
    """Return the components that a plan touches, and their nearest neighbours."""
    touched = sorted(set().union(*(removal.touched | {cut.parent} for removal, cut in plan)))
    overlap = rows.overlaps[touched].max(axis=0)
    overlap[touched] = 0.0
    nearest = np.argsort(-overlap)[: tuning.neighbours]
    nearest = nearest[overlap[nearest] > tuning.neighbour_share]
    return np.sort(np.concatenate([np.array(touched), nearest]))


def try_plan(
    run: Run,
    components: Components,
    rows: JudgedRows,
    plan: Plan,
    *,
    tol: float,
    patience: int,
) -> Trial:
    """Carry out a plan and let EM settle its neighbourhood; the components themselves stay."""
    active = neighbourhood(rows, plan, run.tuning)
    share = rows.shares[:, active].sum(axis=1)
    members = np.flatnonzero(share > run.tuning.least_share)
    weight = float(components.weights[active].sum())
    with np.errstate(divide="ignore"):  # a row of these components alone has no background
        elsewhere = np.log(np.maximum(1.0 - share[members], 0.0)) + rows.log_density[members]
    inner = run.part(
        rows.sample.select(members, background=elsewhere - np.log(weight)),
        run.constraints.part(active, weight).thinned(1 / rows.stands_for),
        n_components=len(active),
        cost=len(members) * len(active) / rows.shares.size,
        weight=weight,
        row_stands_for=rows.stands_for,
    )
    whole = run.note(operate(run.constraints, components, plan))
    part = whole.part(active, 1 / whole.weights[active].sum())
    ours = rows.weights[members]
    before = float(ours @ rows.log_density[members] / ours.sum()) - np.log(weight)
    total = float(ours.sum()) * rows.total / rows.stands_for
    before += inner.prior_of(components.part(active, 1 / weight), total)
    best = _settle(inner, part, before, tol=tol / ours.sum(), patience=patience)
    gain = float((inner.best_objective - before) * ours.sum())
    return Trial(active, best.part(slice(None), weight), gain)


def _settle(inner: Run, part: Components, goal: float, *, tol: float, patience: int) -> Components:
    """Climb until EM has less than `tol` left, or cannot reach the goal."""
    for step, point in enumerate(climb(inner, part, accelerate=True)):
        lost = step >= inner.tuning.grace and not point.can_reach(goal)
        if lost or point.left <= tol or step >= patience:
            break
    return inner.best or part
