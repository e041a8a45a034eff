"""Cuts: where a component is best put in two, and what that gains at least.

By Jensen's inequality, with responsibilities held fixed, EM of two halves on the rows of one
component raises the log-likelihood of the whole by no less than theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from biglearn import kernels
from biglearn._types import Array, IntArray
from biglearn.kernels.layouts import layout_of
from biglearn.model.blocks import outer, split, under
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints, Fitted, Repairs
from biglearn.model.families import GAUSSIAN
from biglearn.model.fixed import Fixed
from biglearn.search.climbing.compiled import WORK, bounds_of, patches_for, settings_of
from biglearn.search.climbing.limits import Limits
from biglearn.search.run import Run
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.surgery.patch import patch_of, settle

if TYPE_CHECKING:
    from biglearn.kernels.patch_loops import Patches

_TINY = 1e-300


@dataclass(frozen=True)
class Cut:
    """Put two halves in place of component `parent`.

    The halves lie about the parent's mean, and their weights sum to one.
    `gain` is the gain in the objective per row, at least.
    """

    parent: int
    halves: Components
    gain: float

    def within(self, chosen: IntArray) -> Cut:
        """Return the same cut among chosen components, in ascending order."""
        return replace(self, parent=int(np.searchsorted(chosen, self.parent)))

    def placed(self, components: Components) -> Components:
        """Return the halves where the parent lies, with its weight and shapes."""
        k = self.parent
        return self.halves.replace(
            weights=self.halves.weights * components.weights[k],
            means=self.halves.means + components.means[k],
            shapes=components.shapes[[k, k]],
            family=components.family,
        )


def find_cuts(run: Run, components: Components, rows: JudgedRows, parents: IntArray) -> list[Cut]:
    """Return the best cut found of each parent that has rows enough for two.

    Halves are put apart along two directions, and EM inside the component settles the better
    ones.  A component with very many rows is thinned.
    """
    constraints = _inside(run.constraints, components)
    loops = patches_for(constraints, components.n_features)
    if loops is not None:
        return _find_compiled(loops, run, constraints, components, rows, parents)
    cuts = []
    for k in parents.tolist():
        members = np.flatnonzero(rows.shares[:, k] > run.tuning.least_share)
        members = members[:: max(1, -(-len(members) // run.tuning.cut_members))]
        if len(members) > components.n_features + 1:
            cuts.append(_cut(run, constraints, components, rows, k, members))
    return cuts


def _inside(constraints: Constraints, components: Components) -> Constraints:
    """Return the constraints of two halves; a covariance that all share stays as it is."""
    fixed = None
    if constraints.structure.is_shared:
        means = np.full((2, components.n_features), np.nan)
        fixed = Fixed(np.full(2, np.nan), means, components.blocks[[0, 0]])
    return replace(constraints, fixed=fixed, family=GAUSSIAN, max_ratio=None)


def _find_compiled(
    loops: Patches,
    run: Run,
    constraints: Constraints,
    components: Components,
    rows: JudgedRows,
    parents: IntArray,
) -> list[Cut]:
    """Find cuts in compiled loops, some of the parents at a time."""
    tuning, size = run.tuning, components.n_features
    layout, alone = (layout_of(size, n, kernels.PRODUCTS) for n in (2, 1))
    thinned = constraints.thinned(1 / rows.stands_for)
    settings = settings_of(thinned, layout, Limits(), rows.stands_for)
    first, steps = min(tuning.first_cut_steps, tuning.cut_steps), tuning.cut_steps
    cutting = [tuning.least_share, tuning.cut_members, first, steps, alone.n_sums]
    given = (rows.values, rows.by_component, rows.row_weights)
    at_once = max(1, WORK // (tuning.cut_members * (size + 1) ** 2 * 2 * (steps + first + 1)))

    def work(some: IntArray) -> list[tuple[Components, Array]]:
        halves = (
            np.empty((len(some), 2)),
            np.empty((len(some), 2, size)),
            np.empty((len(some), 2, size, size)),
        )
        found = np.empty((len(some), 4))
        loops.cuts(
            *given,
            *(components.weights, components.means, components.covariances),
            some,
            *bounds_of(thinned, size),
            *layout[:3],
            *alone[1:3],
            settings.copy(),
            np.array(cutting, dtype=np.float64),
            *halves,
            found,
        )
        found_halves = (Components(*arrays) for arrays in zip(*halves, strict=True))
        sized = (one.in_blocks(components.block_size) for one in found_halves)
        return list(zip(sized, found, strict=True))

    cuts, total = [], rows.total / rows.stands_for
    for start in range(0, len(parents), at_once):
        some = np.ascontiguousarray(parents[start : start + at_once], dtype=np.int64)
        passes = raised = 0.0
        for k, (halves, (gain, members, n_steps, n_raised)) in zip(some, work(some), strict=True):
            passes, raised = passes + n_steps * rows.passes(members, 2), raised + n_raised
            if gain > -np.inf:
                cuts.append(Cut(int(k), halves, float(gain) / total))
        run.counters.repairs += Repairs(raised=int(raised))
        run.spend(passes)
    return cuts


def _cut(
    run: Run,
    constraints: Constraints,
    components: Components,
    rows: JudgedRows,
    k: int,
    members: IntArray,
) -> Cut:
    """Find the cut of one component."""
    weight, tuning = float(components.weights[k]), run.tuning
    parent = components.part([k]).replace(weights=np.ones(1))
    shares = rows.row_weights[members] * rows.shares[members, k]
    weights = shares * (weight / max(shares.sum(), _TINY)) * rows.total / rows.stands_for
    patch = patch_of(run, rows, members, constraints, 2, weight, weights=weights)
    whitened = under(parent.whitening_blocks[0], rows.values[members] - parent.means[0])
    first = min(tuning.first_cut_steps, tuning.cut_steps)
    tried = []
    for direction in directions_of(whitened.T, weights):
        halves = run.note(_halve(constraints, parent, direction))
        tried.append(settle(patch, halves, Limits(patience=first)))
    best, reached = max(tried, key=lambda found: found[1])
    if tuning.cut_steps > first:
        best, reached = settle(patch, best, Limits(patience=tuning.cut_steps - first))
    distance = weights @ (whitened**2).sum(axis=1) / weights.sum()
    before = parent.half_log_det[0] - 0.5 * (distance + components.n_features * np.log(2 * np.pi))
    if constraints.fixed is None:  # a given covariance has no prior
        before += patch.prior_of(parent, float(weights.sum()))
    gain = (reached - before) * weights.sum() * rows.stands_for / rows.total
    return Cut(k, best.shifted(-parent.means[0]), float(gain))


def _halve(constraints: Constraints, parent: Components, direction: Array) -> Fitted:
    """Return two halves of one component, apart along a direction in its whitened frame.

    Halves of N(0, 1) have means ± √(2/π) and variance 1 - 2/π.
    """
    whitening = parent.whitening_blocks
    aside: Array = np.linalg.solve(whitening, split(direction[None], whitening)[..., None])
    aside = np.sqrt(2 / np.pi) * aside.reshape(1, -1)
    means, covariance = parent.means + np.concatenate([aside, -aside]), parent.blocks
    if constraints.fixed is None:
        covariance = covariance - outer(aside, aside, covariance)
    return constraints.impose(np.full(2, 0.5), means, np.repeat(covariance, 2, axis=0))


def directions_of(whitened: Array, weights: Array) -> Array:
    """Return directions in a component's whitened frame to cut it along, shape (2, D).

    Whitened rows of one Gaussian look alike from everywhere.  The principal axes
    of the rows weighted by their squared distance show where they do not: the
    axis on which they are most spread, and that on which the kurtosis is lowest,
    since two humps are flatter than one.

    Parameters
    ----------
    whitened : array of shape (D, n)
    weights : array of shape (n,)
    """
    distance = (whitened**2).sum(axis=0)
    vectors = np.linalg.eigh((whitened * (weights * distance)) @ whitened.T)[1]
    squares = (vectors.T @ whitened) ** 2
    kurtosis = (squares**2 @ weights) / np.maximum((squares @ weights) ** 2, _TINY)
    return np.asarray(vectors[:, [-1, int(kurtosis.argmin())]].T)
