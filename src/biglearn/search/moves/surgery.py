"""Plans of split-merge: which component to give up, and which to cut in two.

A plan is judged by a bound, not a guess: with responsibilities r held fixed,
Jensen's inequality bounds from below the change of the log-likelihood when one
component is replaced by two, or a pair by one.  (Ueda, Nakano, Ghahramani and
Hinton, Neural Computation 12, 2000, rank candidates by heuristics instead.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from biglearn._types import Array, IntArray
from biglearn.engines.base import SampleEngine
from biglearn.model.components import Components, Places
from biglearn.model.constraints import Constraints, Fitted
from biglearn.model.densities import log_normaliser, normalise
from biglearn.model.linalg import floor_covariances
from biglearn.model.mixture import Mixture
from biglearn.search.run import Run

#: Logarithm of the largest odds between halves that count.
_LARGEST_ODDS = 300.0

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


@dataclass(frozen=True)
class Cut:
    """Put two halves in place of component `parent`.

    The halves lie about the parent's mean, and their weights sum to one.
    `gain` is the gain in the objective per row, at least.
    """

    parent: int
    halves: Components
    gain: float

    def placed(self, components: Components) -> Components:
        """Return the halves where the parent lies, with its weight and shapes."""
        k = self.parent
        return self.halves.replace(
            weights=self.halves.weights * components.weights[k],
            means=self.halves.means + components.means[k],
            shapes=components.shapes[[k, k]],
            family=components.family,
        )


@dataclass(frozen=True)
class JudgedRows:
    """A sample of rows with their densities and responsibilities under components.

    Attributes
    ----------
    sample : SampleEngine
        An engine over the rows.
    values : array of shape (n, D)
    weights : array of shape (n,)
        Summing to one.
    total : float
        Weight of all rows, for which the sample stands.
    stands_for : float
        Rows that each row of the sample stands for.
    log_density : array of shape (n,)
    shares : array of shape (n, K)
        Responsibilities.
    """

    sample: SampleEngine
    values: Array
    weights: Array
    total: float
    stands_for: float
    log_density: Array
    shares: Array

    @classmethod
    def of(cls, run: Run, components: Components, limit: int | None = None) -> JudgedRows:
        """Draw at most `limit` of the run's rows (`plan_rows` if left out)."""
        limit = run.tuning.plan_rows if limit is None else limit
        sample = run.engine.subsample(limit, run.rng, components)
        values = sample.rows()
        weights = np.ones(len(values)) if sample.weights is None else sample.weights
        total, stands_for = float(weights.sum()), run.engine.n_rows / sample.n_rows
        shares = Mixture.of(components).log_joint(values)
        log_density = normalise(shares.T).astype(np.float64)
        ours = weights / total
        return cls(sample, values, ours, total * stands_for, stands_for, log_density, shares)

    @cached_property
    def overlaps(self) -> Array:
        """How much of component i's rows j answers for, shape (K, K); rows sum to one."""
        weighted = self.shares * self.weights[:, None]
        common = weighted.T @ self.shares
        return np.asarray(common / np.maximum(weighted.sum(axis=0)[:, None], _TINY))


@dataclass(frozen=True)
class Members:
    """The rows of every component, padded to m rows each, for work on all at once.

    Attributes
    ----------
    values : array of shape (K, m, D)
        About the component's mean.
    weights : array of shape (K, m)
        Responsibility times row weight; 0 for padding.
    whitened : array of shape (K, m, D)
        The values in the component's whitened frame.
    """

    values: Array
    weights: Array
    whitened: Array

    @classmethod
    def of(cls, run: Run, part: Components, rows: JudgedRows, parents: IntArray) -> Members:
        """Gather them; a component with very many is thinned at random."""
        n_components, size = part.means.shape
        most, chosen = run.tuning.cut_members, []
        for k in parents:
            index = np.flatnonzero(rows.shares[:, k] > run.tuning.least_share)
            if len(index) > most:
                index = run.rng.choice(index, most, replace=False)
            chosen.append(index)
        longest = max(1, *(len(index) for index in chosen))
        values = np.zeros((n_components, longest, size))
        weights = np.zeros((n_components, longest))
        for k, index in enumerate(chosen):
            values[k, : len(index)] = rows.values[index] - part.means[k]
            share = rows.weights[index] * rows.shares[index, parents[k]]
            scale = part.weights[k] / max(share.sum(), _TINY)
            weights[k, : len(index)] = share * scale
        whitened = values @ np.swapaxes(part.whitening, 1, 2)
        return cls(values, weights, whitened)


def find_cuts(run: Run, components: Components, rows: JudgedRows, parents: IntArray) -> list[Cut]:
    """Return the best cut found of each parent that has rows enough for two."""
    part = components.part(parents)
    members = Members.of(run, part, rows, parents)
    directions = cut_directions(members)
    steps = run.tuning.cut_steps
    tried = [
        _settled_halves(run.constraints, part, members, axes, steps, rows.total)
        for axes in directions
    ]
    passes = len(directions) * (steps + 1) * 2 * np.count_nonzero(members.weights)
    run.spend(passes / rows.shares.size)
    whole = run.constraints.log_prior(part)
    enough = (members.weights > 0).sum(axis=1) > components.n_features + 1
    cuts = []
    for k in np.flatnonzero(enough):
        pair = slice(2 * k, 2 * k + 2)
        halves, gains = max(tried, key=lambda found: found[1][k])
        cut = Cut(int(parents[k]), halves.part(pair), float(gains[k]))
        prior = float(run.constraints.log_prior(cut.placed(components)).sum() - whole[k])
        cuts.append(replace(cut, gain=cut.gain + prior / rows.total))
    return cuts


def cut_directions(members: Members) -> list[Array]:
    """Return sets of directions, each (K, D) in the whitened frames, for cuts.

    Whitened rows of one Gaussian look alike from everywhere.  The principal axes
    of the rows weighted by their squared distance show where they do not: the
    axis on which they are most spread, and that on which the kurtosis is lowest,
    since two humps are flatter than one.
    """
    weights, whitened = members.weights[:, :, None], members.whitened
    distance = (whitened**2).sum(axis=2, keepdims=True)
    scatter = np.swapaxes(whitened, 1, 2) @ (whitened * (weights * distance))
    vectors = np.linalg.eigh(scatter)[1]
    squares = (whitened @ vectors) ** 2
    kurtosis = (weights * squares**2).sum(axis=1) / np.maximum(
        (weights * squares).sum(axis=1) ** 2, _TINY
    )
    flattest = kurtosis.argmin(axis=1)
    return [vectors[:, :, -1], vectors[np.arange(len(vectors)), :, flattest]]


def _settled_halves(
    constraints: Constraints,
    part: Components,
    members: Members,
    directions: Array,
    steps: int,
    n_rows: float,
) -> tuple[Components, Array]:
    """Halve every component along its direction, and let EM inside it settle.

    Returns halves 2k and 2k + 1 of each component k, about its mean and with
    weights that sum to one, and the gains in log-likelihood, shape (K,).
    """
    n_components, _, size = members.values.shape
    # Halves of N(0, 1) have means ± √(2/π) and variance 1 - 2/π.
    steps_aside = np.linalg.solve(part.whitening, directions[:, :, None])[:, :, 0]
    steps_aside *= np.sqrt(2 / np.pi)
    means = np.stack([steps_aside, -steps_aside], axis=1)
    covariances = np.repeat(part.covariances[:, None], 2, axis=1)
    if not constraints.structure.is_shared:
        outer = steps_aside[:, :, None] * steps_aside[:, None, :]
        covariances = covariances - outer[:, None]
    halves = _halves(constraints, np.full((n_components, 2), 0.5), means, covariances)
    total = np.maximum(members.weights.sum(axis=1), _TINY)[:, None]
    for _ in range(steps):
        joint = _log_joint_of_halves(halves, members.values)
        odds = np.exp(np.clip(joint[:, 1] - joint[:, 0], -_LARGEST_ODDS, _LARGEST_ODDS))
        first = members.weights / (1 + odds)
        shares = np.stack([first, first * odds], axis=1)
        counts = np.maximum(shares.sum(axis=2), _TINY)
        means = shares @ members.values / counts[:, :, None]
        covariances = halves.covariances.reshape(n_components, 2, size, size)
        if not constraints.structure.is_shared:
            gaps = members.values[:, None] - means[:, :, None]
            weighted = np.swapaxes(gaps * shares[:, :, :, None], 2, 3)
            covariances = weighted @ gaps / counts[:, :, None, None]
            flat = covariances.reshape(-1, size, size)
            flat = constraints.prior.blended(flat, n_rows * counts.ravel())
            covariances = flat.reshape(covariances.shape)
        halves = _halves(constraints, counts / total, means, covariances)
    joint = _log_joint_of_halves(halves, members.values)
    log_density = np.logaddexp(joint[:, 0], joint[:, 1])
    whole = -0.5 * ((members.whitened**2).sum(axis=2) + size * np.log(2 * np.pi))
    whole += part.half_log_det[:, None]
    return halves, (members.weights * (log_density - whole)).sum(axis=1)


def _halves(
    constraints: Constraints, weights: Array, means: Array, covariances: Array
) -> Components:
    """Put halves, (K, 2, ...), under structure and floor, as 2K Gaussians."""
    size = means.shape[-1]
    flat = covariances.reshape(-1, size, size)
    if not constraints.structure.is_shared:
        flat, _ = constraints.structure.fit(flat, weights.ravel(), constraints.floor)
    return Components(weights.ravel(), means.reshape(-1, size), flat)


def _log_joint_of_halves(halves: Components, values: Array) -> Array:
    """Return the log-joint (K, 2, m) of values under pairs of halves."""
    n_components, _, size = values.shape
    whitening = halves.whitening.reshape(n_components, 2, size, size)
    means = halves.means.reshape(n_components, 2, 1, size)
    gaps = (values[:, None] - means) @ np.swapaxes(whitening, 2, 3)
    top = log_normaliser(halves).reshape(n_components, 2, 1)
    return np.asarray(top - 0.5 * (gaps**2).sum(axis=3))


def removals(constraints: Constraints, components: Components, rows: JudgedRows) -> list[Removal]:
    """Return for every component the cheapest way to give it up, cheapest first."""
    certain = 1 - 1e-15
    dropped = -rows.weights @ np.log1p(-np.minimum(rows.shares, certain))
    dropped += np.log1p(-np.minimum(components.weights, certain))
    dropped += constraints.log_prior(components) / rows.total
    best = [Removal(k, None, float(cost)) for k, cost in enumerate(dropped)]
    for i, j, cost in merge_costs(constraints, components, rows):
        # the lighter of a pair is the one given up
        lost, kept = (i, j) if components.weights[i] < components.weights[j] else (j, i)
        if cost < best[lost].cost:
            best[lost] = Removal(lost, kept, cost)
    return sorted(best, key=lambda removal: removal.cost)


def merge_costs(
    constraints: Constraints, components: Components, rows: JudgedRows
) -> list[tuple[int, int, float]]:
    """Return (i, j, cost) for the pairs that are cheapest to merge.

    cost = ½(π_ij log|Σ_ij| - π_i log|Σ_i| - π_j log|Σ_j|) - π_ij H(π_i/π_ij)
    + Σ_n r_n,ij H(r_ni/r_n,ij), where ij is the pair merged with its moments kept
    and H the entropy in nats: the loss in Jensen's bound at a fixed point of EM.
    """
    n_components = components.n_components
    left, right = np.triu_indices(n_components, 1)
    if not len(left):
        return []
    weights, log_dets = np.maximum(components.weights, _TINY), -2 * components.half_log_det
    merged, prior = merge(components, left, right), constraints.log_prior(components)
    sound, _ = floor_covariances(merged.covariances, constraints.floor)  # rounding may have hurt
    merged = merged.replace(covariances=sound)
    costs = 0.5 * merged.weights * np.linalg.slogdet(merged.covariances)[1]
    costs -= constraints.log_prior(merged) / rows.total
    for part in (left, right):
        costs -= 0.5 * weights[part] * log_dets[part]
        costs += weights[part] * np.log(weights[part] / merged.weights)
        costs += prior[part] / rows.total
    cheapest = np.argsort(costs)[: 4 * n_components]
    return [
        (int(left[p]), int(right[p]), float(costs[p] + _overlap(rows, left[p], right[p])))
        for p in cheapest
    ]


def _overlap(rows: JudgedRows, i: int, j: int) -> float:
    """Return the entropy of the choice between a pair of components, per row."""
    a, b = np.maximum(rows.shares[:, i], _TINY), np.maximum(rows.shares[:, j], _TINY)
    both = a + b
    return float(-rows.weights @ (a * np.log(a / both) + b * np.log(b / both)))


def merge(components: Components, left: Places, right: Places) -> Components:
    """Return components with the moments of pairs, and the shapes of the right ones."""
    one, other = components.part(left), components.part(right)
    total = np.maximum(one.weights + other.weights, _TINY)
    a, b = one.weights / total, other.weights / total
    gap = one.means - other.means
    covariances = (
        a[:, None, None] * one.covariances
        + b[:, None, None] * other.covariances
        + (a * b)[:, None, None] * gap[:, :, None] * gap[:, None, :]
    )
    means = a[:, None] * one.means + b[:, None] * other.means
    return other.replace(weights=total, means=means, covariances=covariances)


Plan = list[tuple[Removal, Cut]]


def plans(removals: list[Removal], cuts: list[Cut], chances: int = 3) -> Iterator[Plan]:
    """Yield plans of one surgery each, the most promising first.

    No removal and no cut is tried more than `chances` times.
    """
    pairs = [
        (cut.gain - removal.cost, i, j)
        for i, removal in enumerate(removals)
        for j, cut in enumerate(cuts)
        if cut.parent not in removal.touched
    ]
    tried: Counter[tuple[str, int]] = Counter()
    for _, i, j in sorted(pairs, reverse=True):
        if max(tried["removal", i], tried["cut", j]) < chances:
            tried["removal", i] += 1
            tried["cut", j] += 1
            yield [(removals[i], cuts[j])]


def operate(constraints: Constraints, components: Components, plan: Plan) -> Fitted:
    """Carry out disjoint surgeries: give up one component each, and cut another."""
    changed = components
    for removal, cut in plan:
        if removal.partner is not None:
            one = merge(components, [removal.lost], [removal.partner])
            changed = changed.put([removal.partner], one)
        changed = changed.put([cut.parent, removal.lost], cut.placed(components))
    return constraints.impose_on(changed.reweighted())
