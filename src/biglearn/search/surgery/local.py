"""Surgery tried where it happens: EM of a few components, with all others as they are.

A surgery changes the rows of a few components.  EM of those and their nearest
neighbours on their own rows, with the density of all others as a background,
costs a fraction of a pass, and tells whether the surgery pays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from biglearn import kernels
from biglearn._types import Array, IntArray
from biglearn.kernels import layouts
from biglearn.kernels.layouts import layout_of
from biglearn.model.components import Components
from biglearn.model.constraints import Repairs
from biglearn.search.climbing.compiled import WORK, bounds_of, patches_for, settings_of
from biglearn.search.climbing.limits import Limits
from biglearn.search.run import Run
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.surgery.patch import patch_of, settle
from biglearn.search.surgery.plans import Plan, operate
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
        for share, j in rows.neighbours(k, tuning.neighbour_share):
            if j not in touched:
                near[j] = max(near.get(j, 0.0), share)
    nearest = sorted(near, key=lambda j: (-near[j], j))[: tuning.neighbours]
    return sorted(touched.union(nearest))


@dataclass(frozen=True, eq=False)
class Theatre:
    """Where plans of surgery on the same components are tried; the components themselves stay.

    Parameters
    ----------
    run : Run
    components : Components
    rows : JudgedRows
        Under these components.
    limits : Limits
        Of the EM of a trial, in the objective per row of the whole sample.
    """

    run: Run
    components: Components
    rows: JudgedRows
    limits: Limits

    def trial(self, plan: Plan, active: IntArray | None = None) -> Trial:
        """Carry out a plan, and let EM settle its neighbourhood.

        Parameters
        ----------
        plan : Plan
        active : array of int, optional
            The components that take part; the plan's `neighbourhood` if left out.
        """
        if active is None:
            active = np.array(neighbourhood(self.rows, plan, self.run.tuning))
        weight = float(self.components.weights[active].sum())
        size, n_rows = self.components.n_features, len(self.rows.values)
        work = n_rows * len(active) * (size + 1) ** 2 * self.limits.patience
        if self._loops is not None and len(plan) == 1 and weight * work < 10 * WORK:
            found = self._compiled(self._loops, plan, active, weight)
            if found is not None:
                return found
        return self._by_passes(plan, active, weight)

    @cached_property
    def _loops(self) -> Patches | None:
        return patches_for(self.run.constraints, self.components.n_features)

    @cached_property
    def _given(self) -> tuple[Array, ...]:
        """What compiled trials read: the rows, and the mixture with all of its components."""
        rows, whole = self.rows, self.components
        return (
            *(rows.values, rows.by_component, rows.log_density, rows.row_weights),
            *(whole.weights, whole.means, np.ascontiguousarray(whole.covariances)),
        )

    @cached_property
    def _bounds(self) -> tuple[Array, Array, Array]:
        return bounds_of(self.run.constraints, self.components.n_features)

    @cached_property
    def _log_priors(self) -> Array:
        """Log-prior of each component, for one pseudo-row, shape (K,)."""
        constraints = self.run.constraints
        prior = constraints.log_prior(self.components) / max(constraints.prior.rows, _TINY)
        return np.asarray(prior)

    def _compiled(
        self, loops: Patches, plan: Plan, active: IntArray, weight: float
    ) -> Trial | None:
        """Settle a neighbourhood in one call; return None where rounding broke a covariance."""
        run, rows, old = self.run, self.rows, self.components
        size, n_active, total = old.n_features, len(active), rows.total / rows.stands_for
        layout = layout_of(size, n_active, kernels.PRODUCTS)
        thinned = run.constraints.thinned(1 / rows.stands_for)
        settings = settings_of(thinned, layout, self.limits, rows.stands_for)
        settings[layouts.TOL] *= total
        ((removal, cut),) = plan
        partner = -1 if removal.partner is None else removal.partner
        halves = cut.halves
        best = np.empty(n_active), np.empty((n_active, size)), np.empty((n_active, size, size))
        found = np.empty(4)
        loops.attempt(
            *self._given,
            active,
            np.array([removal.lost, partner, cut.parent]),
            *(halves.weights, halves.means, np.ascontiguousarray(halves.covariances)),
            *self._bounds,
            *layout[:3],
            settings,
            np.array([run.tuning.least_share, weight, self._log_priors[active].sum()]),
            *best,
            found,
        )
        gain, members, steps, raised = found.tolist()
        if raised:
            run.counters.repairs += Repairs(raised=int(raised))
        run.spend(steps * rows.passes(members, n_active))
        if not np.isfinite(gain):
            return None
        weights, means, covariances = best
        settled = Components(weight * weights, means, covariances, old.shapes[active], old.family)
        return Trial(active, settled.in_blocks(old.block_size), gain / total)

    def _by_passes(self, plan: Plan, active: IntArray, weight: float) -> Trial:
        """Settle a neighbourhood by passes over its rows."""
        run, rows = self.run, self.rows
        constraints = run.constraints.part(active, weight)
        old = self.components.part(active, 1 / weight)
        local = [(removal.within(active), cut.within(active)) for removal, cut in plan]
        part = run.note(operate(constraints, old, local))
        share = rows.shares[:, active].sum(axis=1)
        members = np.flatnonzero(share > run.tuning.least_share)
        with np.errstate(divide="ignore"):  # a row of these components alone has no background
            elsewhere = np.log(np.maximum(1.0 - share[members], 0.0)) + rows.log_density[members]
        background = elsewhere - np.log(weight)
        patch = patch_of(
            run, rows, members, constraints, len(active), weight, background=background
        )
        ours = rows.weights[members]
        before = float(ours @ rows.log_density[members] / ours.sum()) - np.log(weight)
        before += patch.prior_of(old, float(ours.sum()) * rows.total / rows.stands_for)
        limits = replace(self.limits, tol=self.limits.tol / ours.sum(), goal=before)
        best, reached = settle(patch, part, limits)
        return Trial(active, best.part(slice(None), weight), float((reached - before) * ours.sum()))
