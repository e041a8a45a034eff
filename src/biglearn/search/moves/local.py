"""Surgery tried where it happens: EM of a few components, with all others as they are.

A surgery changes the rows of a few components.  EM of those and their nearest
neighbours on their own rows, with the density of all others as a background,
costs a fraction of a pass, and tells whether the surgery pays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import IntArray
from biglearn.model.mixture import Mixture
from biglearn.search.moves.ascent import climb
from biglearn.search.moves.surgery import Plan, Rows, operate
from biglearn.search.run import Run, Settings

#: Components that answer for more than this share of the touched ones' rows are neighbours.
_NEIGHBOUR = 0.02

#: Neighbours of a surgery, at most.
_NEIGHBOURS = 4

#: Rows of which the neighbourhood answers for less do not take part.
_LEAST_SHARE = 1e-2

#: Steps that a trial has before it can be given up.
_GRACE = 3


@dataclass(frozen=True)
class Trial:
    """What EM made of a surgery in its neighbourhood.

    Attributes
    ----------
    active : array of int
        The components that took part.
    mixture : Mixture
        Them, with weights that sum to their joint weight.
    gain : float
        In log-likelihood per row of the whole sample.
    """

    active: IntArray
    mixture: Mixture
    gain: float

    def put(self, run: Run, whole: Mixture) -> Mixture:
        """Return a mixture with these components in place of its own, under the structure."""
        weights = whole.weights.copy()
        means, covariances = whole.means.copy(), whole.covariances.copy()
        weights[self.active] = self.mixture.weights
        means[self.active] = self.mixture.means
        covariances[self.active] = self.mixture.covariances
        weights /= weights.sum()
        dof = None
        if whole.dof is not None and self.mixture.dof is not None:
            dof = whole.dof.copy()
            dof[self.active] = self.mixture.dof
        return run.regularise(weights, means, covariances, weights, dof=dof)


def neighbourhood(rows: Rows, plan: Plan) -> IntArray:
    """Return the components that a plan touches, and their nearest neighbours."""
    touched = sorted(set().union(*(removal.touched | {cut.parent} for removal, cut in plan)))
    overlap = rows.overlaps[touched].max(axis=0)
    overlap[touched] = 0.0
    nearest = np.argsort(-overlap)[:_NEIGHBOURS]
    nearest = nearest[overlap[nearest] > _NEIGHBOUR]
    return np.sort(np.concatenate([np.array(touched), nearest]))


def try_plan(
    run: Run, mixture: Mixture, rows: Rows, plan: Plan, *, tol: float, patience: int
) -> Trial:
    """Carry out a plan and let EM settle its neighbourhood; the mixture itself stays."""
    active = neighbourhood(rows, plan)
    share = rows.shares[:, active].sum(axis=1)
    members = np.flatnonzero(share > _LEAST_SHARE)
    weight = float(mixture.weights[active].sum())
    with np.errstate(divide="ignore"):  # a row of these components alone has no background
        elsewhere = np.log(np.maximum(1.0 - share[members], 0.0)) + rows.log_density[members]
    engine = rows.engine.select(members, background=elsewhere - np.log(weight))
    fixed = run.settings.fixed
    inner = Run(
        engine=engine,
        settings=Settings(
            len(active),
            run.settings.structure,
            run.settings.floor,
            dof=run.settings.dof,
            fixed=None if fixed is None else fixed.part(active, weight),
        ),
        start=run.start,
        rng=run.rng,
    )
    whole = operate(run, mixture, plan)
    part = whole.part(active, 1 / whole.weights[active].sum())
    ours = rows.weights[members]
    before = float(ours @ rows.log_density[members] / ours.sum()) - np.log(weight)
    best = _settle(inner, part, before, tol=tol / ours.sum(), patience=patience)
    run.spend(inner.passes * len(members) * len(active) / (len(rows.values) * len(mixture.weights)))
    settled = best.part(slice(None), weight)
    return Trial(active, settled, float((inner.best_log_likelihood - before) * ours.sum()))


def _settle(inner: Run, part: Mixture, goal: float, *, tol: float, patience: int) -> Mixture:
    """Climb until EM has less than `tol` left, or cannot reach the goal."""
    for step, point in enumerate(climb(inner, part, accelerate=True)):
        lost = step >= _GRACE and not point.can_reach(goal)
        if lost or point.left <= tol or step >= patience:
            break
    return inner.best or part
