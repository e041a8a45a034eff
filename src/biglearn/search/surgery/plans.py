"""Plans of split-merge: which component to give up, and which to cut in two.

A plan is judged by a bound, not a guess: with responsibilities r held fixed,
Jensen's inequality bounds from below the change of the log-likelihood when one
component is replaced by two, or a pair by one.  (Ueda, Nakano, Ghahramani and
Hinton, Neural Computation 12, 2000, rank candidates by heuristics instead.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from biglearn._types import IntArray
from biglearn.model.blocks import each, outer, sums_of
from biglearn.model.components import Components, Places
from biglearn.model.constraints import Constraints, Fitted
from biglearn.model.linalg import floor_covariances
from biglearn.search.surgery.cuts import Cut
from biglearn.search.surgery.judged import JudgedRows

_TINY = 1e-300


@dataclass(frozen=True)
class Removal:
    """Give up component `lost`: merged with `partner`, or dropped where that is None.

    `cost` is the loss in the objective per row.
    """

    lost: int
    partner: int | None
    cost: float

    @property
    def touched(self) -> set[int]:
        """The components that change."""
        return {self.lost} if self.partner is None else {self.lost, self.partner}

    def within(self, chosen: IntArray) -> Removal:
        """Return the same removal among chosen components, in ascending order."""
        partner = None if self.partner is None else int(np.searchsorted(chosen, self.partner))
        return replace(self, lost=int(np.searchsorted(chosen, self.lost)), partner=partner)


def removals(constraints: Constraints, components: Components, rows: JudgedRows) -> list[Removal]:
    """Return for every component the cheapest way to give it up, cheapest first."""
    dropped = rows.drops() + np.log1p(-np.minimum(components.weights, 1 - 1e-15))
    dropped += constraints.log_prior(components) / rows.total
    best = [Removal(k, None, float(cost)) for k, cost in enumerate(dropped)]
    weights = components.weights.tolist()
    for i, j, least in merge_costs(constraints, components, rows):
        # the lighter of a pair is the one given up
        lost, kept = (i, j) if weights[i] < weights[j] else (j, i)
        if least < best[lost].cost:
            cost = least + rows.entropy(i, j)
            if cost < best[lost].cost:
                best[lost] = Removal(lost, kept, cost)
    return sorted(best, key=lambda removal: removal.cost)


def merge_costs(
    constraints: Constraints, components: Components, rows: JudgedRows
) -> list[tuple[int, int, float]]:
    """Return (i, j, cost) for the pairs that are cheapest to merge, without their entropies.

    cost = ½(π_ij log|Σ_ij| - π_i log|Σ_i| - π_j log|Σ_j|) - π_ij H(π_i/π_ij),
    where ij is the pair merged with its moments kept.  With Σ_n r_n,ij H(r_ni/r_n,ij), the
    `JudgedRows.entropy` of the pair, it is the loss in Jensen's bound at a fixed point of EM; H is
    the entropy in nats.
    """
    n_components = components.n_components
    left, right = np.triu_indices(n_components, 1)
    if not len(left):
        return []
    weights, log_dets = np.maximum(components.weights, _TINY), -2 * components.half_log_det
    merged, prior = merge(components, left, right), constraints.log_prior(components)
    sound, _ = floor_covariances(merged.blocks, constraints.floor)  # rounding may have hurt
    merged = merged.replace(covariances=sound)
    costs = 0.5 * merged.weights * sums_of(np.linalg.slogdet(merged.blocks)[1])
    costs -= constraints.log_prior(merged) / rows.total
    for part in (left, right):
        costs -= 0.5 * weights[part] * log_dets[part]
        costs += weights[part] * np.log(weights[part] / merged.weights)
        costs += prior[part] / rows.total
    cheapest = np.argsort(costs)[: 4 * n_components]
    chosen = (left[cheapest], right[cheapest], costs[cheapest])
    return list(zip(*(values.tolist() for values in chosen), strict=True))


def merge(components: Components, left: Places, right: Places) -> Components:
    """Return components with the moments of pairs, and the shapes of the right ones."""
    one, other = components.part(left), components.part(right)
    total = np.maximum(one.weights + other.weights, _TINY)
    a, b = one.weights / total, other.weights / total
    gap = one.means - other.means
    blocks = each(a, one.blocks) * one.blocks + each(b, other.blocks) * other.blocks
    blocks += each(a * b, blocks) * outer(gap, gap, blocks)
    means = a[:, None] * one.means + b[:, None] * other.means
    return other.replace(weights=total, means=means, covariances=blocks)


Plan = list[tuple[Removal, Cut]]


def plans(
    removals: list[Removal],
    cuts: list[Cut],
    chances: int = 3,
    known: Callable[[Plan], bool] = lambda plan: False,
) -> Iterator[Plan]:
    """Yield plans of one surgery each, the most promising first.

    No removal and no cut is tried more than `chances` times; plans that are `known` are left out.
    """
    costs = np.array([removal.cost for removal in removals])
    gains = np.array([cut.gain for cut in cuts])
    promise = gains - costs[:, None]
    tried: Counter[tuple[str, int]] = Counter()
    for place in np.argsort(-promise, axis=None, kind="stable").tolist():
        i, j = divmod(place, len(cuts))
        if cuts[j].parent in removals[i].touched:
            continue
        plan = [(removals[i], cuts[j])]
        if max(tried["removal", i], tried["cut", j]) < chances and not known(plan):
            tried["removal", i] += 1
            tried["cut", j] += 1
            yield plan


def operate(constraints: Constraints, components: Components, plan: Plan) -> Fitted:
    """Carry out disjoint surgeries under the constraints: give up one component, cut another."""
    changed = components
    for removal, cut in plan:
        if removal.partner is not None:
            one = merge(components, [removal.lost], [removal.partner])
            changed = changed.put([removal.partner], one)
        changed = changed.put([cut.parent, removal.lost], cut.placed(components))
    return constraints.impose_on(changed.reweighted())
