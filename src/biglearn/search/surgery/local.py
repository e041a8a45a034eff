"""Surgery tried where it happens: EM of a few components, with all others as they are.

A surgery changes the rows of a few components.  EM of those and their nearest
neighbours on their own rows, with the density of all others as a background,
costs a fraction of a pass, and tells whether the surgery pays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from biglearn import kernels
from biglearn._types import IntArray
from biglearn.kernels import layouts
from biglearn.kernels.layouts import layout_of
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints, Repairs
from biglearn.search.climbing.compiled import WORK, bounds_of, patches_for, settings_of
from biglearn.search.climbing.limits import Limits
from biglearn.search.run import Run
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.surgery.patch import patch_of, settle
from biglearn.search.surgery.plans import Plan, carried_out, operate
from biglearn.search.tuning import Tuning

if TYPE_CHECKING:
    from biglearn.kernels.patch_loops import Patches

_TINY = 1e-300


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


def neighbourhood(rows: JudgedRows, plan: Plan, tuning: Tuning) -> list[int]:
    """Return the components that a plan touches, and their nearest neighbours, in order."""
    touched = set().union(*(removal.touched | {cut.parent} for removal, cut in plan))
    near: dict[int, float] = {}
    for k in touched:
        for share, j in rows.neighbours[k]:
            if share <= tuning.neighbour_share:
                break
            if j not in touched:
                near[j] = max(near.get(j, 0.0), share)
    nearest = sorted(near, key=lambda j: (-near[j], j))[: tuning.neighbours]
    return sorted(touched.union(nearest))


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
    active = np.array(neighbourhood(rows, plan, run.tuning))
    weight = float(components.weights[active].sum())
    constraints = run.constraints.part(active, weight)
    old = components.part(active, 1 / weight)
    local = [(removal.within(active), cut.within(active)) for removal, cut in plan]
    # EM is done where it has less than `tol` left, and given up where it cannot come back
    limits = Limits(tol, patience, grace=run.tuning.grace)
    loops = patches_for(constraints, components.n_features)
    work = rows.shares[:, active].size * (components.n_features + 1) ** 2 * patience
    if loops is not None and weight * work < 10 * WORK:
        part = carried_out(old, local)
        found = _try_compiled(loops, run, constraints, rows, active, weight, old, part, limits)
        if found is not None:
            return found
    part = run.note(operate(constraints, old, local))
    return _try(run, constraints, rows, active, weight, old, part, limits)


def _try_compiled(
    loops: Patches,
    run: Run,
    constraints: Constraints,
    rows: JudgedRows,
    active: IntArray,
    weight: float,
    old: Components,
    part: Components,
    limits: Limits,
) -> Trial | None:
    """Settle a neighbourhood in one call; return None where rounding broke a covariance."""
    size, total = old.n_features, rows.total / rows.stands_for
    layout = layout_of(size, len(active), kernels.PRODUCTS)
    thinned = constraints.thinned(1 / rows.stands_for)
    settings = settings_of(thinned, layout, limits, rows.stands_for)
    settings[layouts.TOL] *= total
    prior = float(constraints.log_prior(old).sum()) / max(constraints.prior.rows, _TINY)
    best, found = (part.weights.copy(), part.means.copy(), part.covariances.copy()), np.empty(4)
    loops.attempt(
        *(rows.values, rows.by_component, rows.log_density, rows.row_weights),
        active,
        *bounds_of(thinned, size),
        *layout[:3],
        settings,
        np.array([run.tuning.least_share, weight, prior]),
        *best,
        found,
    )
    gain, members, steps, raised = found.tolist()
    if raised:
        run.counters.repairs += Repairs(raised=int(raised))
    run.spend(steps * rows.passes(members, len(active)))
    if not np.isfinite(gain):
        return None
    weights, means, covariances = best
    return Trial(
        active,
        Components(weight * weights, means, covariances, part.shapes, part.family).in_blocks(
            part.block_size
        ),
        gain / total,
    )


def _try(
    run: Run,
    constraints: Constraints,
    rows: JudgedRows,
    active: IntArray,
    weight: float,
    old: Components,
    part: Components,
    limits: Limits,
) -> Trial:
    """Settle a neighbourhood by passes over its rows."""
    share = rows.shares[:, active].sum(axis=1)
    members = np.flatnonzero(share > run.tuning.least_share)
    with np.errstate(divide="ignore"):  # a row of these components alone has no background
        elsewhere = np.log(np.maximum(1.0 - share[members], 0.0)) + rows.log_density[members]
    background = elsewhere - np.log(weight)
    patch = patch_of(run, rows, members, constraints, len(active), weight, background=background)
    ours = rows.weights[members]
    before = float(ours @ rows.log_density[members] / ours.sum()) - np.log(weight)
    before += patch.prior_of(old, float(ours.sum()) * rows.total / rows.stands_for)
    best, reached = settle(patch, part, replace(limits, tol=limits.tol / ours.sum(), goal=before))
    return Trial(active, best.part(slice(None), weight), float((reached - before) * ours.sum()))
