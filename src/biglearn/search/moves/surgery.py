"""Plans of split-merge: which component to give up, and which to cut in two.

A plan is judged by a bound, not a guess: with responsibilities r held fixed,
Jensen's inequality bounds from below what the log-likelihood changes when one
component is replaced by two, or a pair by one.  (Ueda, Nakano, Ghahramani and
Hinton, Neural Computation 12, 2000, rank candidates by heuristics instead.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from biglearn._types import Array, IntArray
from biglearn.engines.memory.engine import MemoryEngine
from biglearn.model.densities import log_normaliser, normalise
from biglearn.model.mixture import Mixture
from biglearn.search.run import Run

#: EM steps inside a component that look for its best cut.
_CUT_STEPS = 6

#: Logarithm of the largest odds between halves that count.
_LARGEST_ODDS = 300.0

#: Rows for which a component's responsibility is smaller do not shape its cut.
_LEAST_SHARE = 1e-2

#: Rows of one component that shape its cut, at most.
_MOST_MEMBERS = 1000

#: Plans in which the same cut, or the same removal, is tried.
_CHANCES = 3

_TINY = 1e-300


@dataclass(frozen=True)
class Removal:
    """Give up component `lost`: merged with `partner`, or dropped where that is None.

    `cost` is what this loses of the log-likelihood per row.
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
    `gain` is what this gains of the log-likelihood per row, at least.
    """

    parent: int
    halves: Mixture
    gain: float


@dataclass(frozen=True)
class Rows:
    """A sample of rows with what a mixture says of them.

    Attributes
    ----------
    engine : MemoryEngine
        Over the sample.
    values : array of shape (n, D)
    weights : array of shape (n,)
        Summing to one.
    log_density : array of shape (n,)
    shares : array of shape (n, K)
        Responsibilities.
    """

    engine: MemoryEngine
    values: Array
    weights: Array
    log_density: Array
    shares: Array

    @classmethod
    def of(cls, run: Run, mixture: Mixture, limit: int) -> Rows:
        """Draw at most `limit` of the run's rows."""
        sample = run.engine.subsample(limit, run.rng).filled(mixture)
        values = sample.rows()
        weights = np.ones(len(values)) if sample.weights is None else sample.weights
        shares = mixture.log_joint(values)
        log_density = normalise(shares.T).astype(np.float64)
        return cls(sample, values, weights / weights.sum(), log_density, shares)

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
    def of(cls, run: Run, mixture: Mixture, rows: Rows, parents: IntArray) -> Members:
        """Gather them; a component with very many is thinned at random."""
        n_components, size = mixture.means.shape
        chosen = []
        for k in parents:
            index = np.flatnonzero(rows.shares[:, k] > _LEAST_SHARE)
            if len(index) > _MOST_MEMBERS:
                index = run.rng.choice(index, _MOST_MEMBERS, replace=False)
            chosen.append(index)
        longest = max(1, *(len(index) for index in chosen))
        values = np.zeros((n_components, longest, size))
        weights = np.zeros((n_components, longest))
        for k, index in enumerate(chosen):
            values[k, : len(index)] = rows.values[index] - mixture.means[k]
            share = rows.weights[index] * rows.shares[index, parents[k]]
            scale = mixture.weights[k] / max(share.sum(), _TINY)
            weights[k, : len(index)] = share * scale
        whitened = values @ np.swapaxes(mixture.whitening, 1, 2)
        return cls(values, weights, whitened)


def find_cuts(run: Run, mixture: Mixture, rows: Rows, parents: IntArray) -> list[Cut]:
    """Return the best cut found of each parent that has rows enough for two."""
    part = mixture.part(parents)
    members = Members.of(run, part, rows, parents)
    directions = cut_directions(members)
    tried = [_settle(run, part, members, axes) for axes in directions]
    steps = len(directions) * (_CUT_STEPS + 1)
    run.spend(steps * 2 * np.count_nonzero(members.weights) / rows.shares.size)
    enough = (members.weights > 0).sum(axis=1) > mixture.n_features + 1
    cuts = []
    for k in np.flatnonzero(enough):
        halves, gains = max(tried, key=lambda found: found[1][k])
        pair = slice(2 * k, 2 * k + 2)
        one = Mixture.trusted(
            halves.weights[pair].copy(), halves.means[pair].copy(), halves.covariances[pair].copy()
        )
        cuts.append(Cut(int(parents[k]), one, float(gains[k])))
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


def _settle(
    run: Run, mixture: Mixture, members: Members, directions: Array
) -> tuple[Mixture, Array]:
    """Halve every component along its direction, and let EM inside it settle.

    Returns halves 2k and 2k + 1 of each component k, about its mean and with
    weights that sum to one, and the gains, shape (K,).
    """
    n_components, _, size = members.values.shape
    # Halves of N(0, 1) have means ± √(2/π) and variance 1 - 2/π.
    steps = np.linalg.solve(mixture.whitening, directions[:, :, None])[:, :, 0]
    steps *= np.sqrt(2 / np.pi)
    means = np.stack([steps, -steps], axis=1)
    covariances = np.repeat(mixture.covariances[:, None], 2, axis=1)
    if not run.settings.structure.is_shared:
        covariances = covariances - (steps[:, :, None] * steps[:, None, :])[:, None]
    weights = np.full((n_components, 2), 0.5)
    halves = _structured(run, weights, means, covariances)
    total = np.maximum(members.weights.sum(axis=1), _TINY)[:, None]
    for _ in range(_CUT_STEPS):
        joint = _log_joint_of_halves(halves, members.values)
        odds = np.exp(np.clip(joint[:, 1] - joint[:, 0], -_LARGEST_ODDS, _LARGEST_ODDS))
        first = members.weights / (1 + odds)
        shares = np.stack([first, first * odds], axis=1)
        counts = np.maximum(shares.sum(axis=2), _TINY)
        means = shares @ members.values / counts[:, :, None]
        covariances = halves.covariances.reshape(n_components, 2, size, size)
        if not run.settings.structure.is_shared:
            gaps = members.values[:, None] - means[:, :, None]
            heavy = np.swapaxes(gaps * shares[:, :, :, None], 2, 3)
            covariances = heavy @ gaps / counts[:, :, None, None]
        halves = _structured(run, counts / total, means, covariances)
    joint = _log_joint_of_halves(halves, members.values)
    log_density = np.logaddexp(joint[:, 0], joint[:, 1])
    whole = -0.5 * ((members.whitened**2).sum(axis=2) + size * np.log(2 * np.pi))
    whole += mixture.half_log_det[:, None]
    return halves, (members.weights * (log_density - whole)).sum(axis=1)


def _structured(run: Run, weights: Array, means: Array, covariances: Array) -> Mixture:
    """Put halves, (K, 2, ...), under structure and floor, as 2K components."""
    size = means.shape[-1]
    flat = covariances.reshape(-1, size, size)
    if not run.settings.structure.is_shared:
        flat, _ = run.settings.structure.fit(flat, weights.ravel(), run.settings.floor)
    return Mixture.trusted(weights.ravel(), means.reshape(-1, size), flat)


def _log_joint_of_halves(halves: Mixture, values: Array) -> Array:
    """Return the log-joint (K, 2, m) of values under pairs of halves."""
    n_components, _, size = values.shape
    whitening = halves.whitening.reshape(n_components, 2, size, size)
    means = halves.means.reshape(n_components, 2, 1, size)
    gaps = (values[:, None] - means) @ np.swapaxes(whitening, 2, 3)
    top = log_normaliser(halves).reshape(n_components, 2, 1)
    return np.asarray(top - 0.5 * (gaps**2).sum(axis=3))


def removals(mixture: Mixture, rows: Rows) -> list[Removal]:
    """Return for every component the cheapest way to give it up, cheapest first."""
    certain = 1 - 1e-15
    dropped = -rows.weights @ np.log1p(-np.minimum(rows.shares, certain))
    dropped += np.log1p(-np.minimum(mixture.weights, certain))
    best = [Removal(k, None, float(cost)) for k, cost in enumerate(dropped)]
    for i, j, cost in merge_costs(mixture, rows):
        # the lighter of a pair is the one given up
        lost, kept = (i, j) if mixture.weights[i] < mixture.weights[j] else (j, i)
        if cost < best[lost].cost:
            best[lost] = Removal(lost, kept, cost)
    return sorted(best, key=lambda removal: removal.cost)


def merge_costs(mixture: Mixture, rows: Rows) -> list[tuple[int, int, float]]:
    """Return (i, j, cost) for the pairs that are cheapest to merge.

    cost = ½(π_ij log|Σ_ij| - π_i log|Σ_i| - π_j log|Σ_j|) - π_ij H(π_i/π_ij)
    + Σ_n r_n,ij H(r_ni/r_n,ij), where ij is the pair merged with its moments kept
    and H the entropy in nats: what Jensen's bound loses at a fixed point of EM.
    """
    n_components = mixture.n_components
    left, right = np.triu_indices(n_components, 1)
    if not len(left):
        return []
    weights, log_dets = np.maximum(mixture.weights, _TINY), -2 * mixture.half_log_det
    merged = merge(mixture, left, right)
    costs = 0.5 * merged.weights * np.linalg.slogdet(merged.covariances)[1]
    for part in (left, right):
        costs -= 0.5 * weights[part] * log_dets[part]
        costs += weights[part] * np.log(weights[part] / merged.weights)
    cheapest = np.argsort(costs)[: 4 * n_components]
    return [
        (int(left[p]), int(right[p]), float(costs[p] + _overlap(rows, left[p], right[p])))
        for p in cheapest
    ]


def _overlap(rows: Rows, i: int, j: int) -> float:
    """Return the entropy of which of a pair a row belongs to, per row."""
    a, b = np.maximum(rows.shares[:, i], _TINY), np.maximum(rows.shares[:, j], _TINY)
    both = a + b
    return float(-rows.weights @ (a * np.log(a / both) + b * np.log(b / both)))


def merge(mixture: Mixture, left: IntArray, right: IntArray) -> Mixture:
    """Return the Gaussians that have the moments of pairs of components."""
    a, b = mixture.weights[left], mixture.weights[right]
    total = np.maximum(a + b, _TINY)
    a, b = a / total, b / total
    gap = mixture.means[left] - mixture.means[right]
    means = a[:, None] * mixture.means[left] + b[:, None] * mixture.means[right]
    covariances = (
        a[:, None, None] * mixture.covariances[left]
        + b[:, None, None] * mixture.covariances[right]
        + (a * b)[:, None, None] * gap[:, :, None] * gap[:, None, :]
    )
    return Mixture.trusted(total, means, covariances)


Plan = list[tuple[Removal, Cut]]


def plans(removals: list[Removal], cuts: list[Cut]) -> Iterator[Plan]:
    """Yield plans of one surgery each, the most promising first.

    No removal and no cut is tried more than a few times.
    """
    pairs = [
        (cut.gain - removal.cost, i, j)
        for i, removal in enumerate(removals)
        for j, cut in enumerate(cuts)
        if cut.parent not in removal.touched
    ]
    tried: Counter[tuple[str, int]] = Counter()
    for _, i, j in sorted(pairs, reverse=True):
        if max(tried["removal", i], tried["cut", j]) < _CHANCES:
            tried["removal", i] += 1
            tried["cut", j] += 1
            yield [(removals[i], cuts[j])]


def operate(run: Run, mixture: Mixture, plan: Plan) -> Mixture:
    """Carry out disjoint surgeries: give up one component each, and cut another."""
    weights = mixture.weights.copy()
    means, covariances = mixture.means.copy(), mixture.covariances.copy()
    dof = None if mixture.dof is None else mixture.dof.copy()
    for removal, cut in plan:
        if removal.partner is not None:
            one = merge(mixture, np.array([removal.lost]), np.array([removal.partner]))
            weights[removal.partner] = one.weights[0]
            means[removal.partner] = one.means[0]
            covariances[removal.partner] = one.covariances[0]
        places = [cut.parent, removal.lost]
        weights[places] = cut.halves.weights * mixture.weights[cut.parent]
        means[places] = cut.halves.means + mixture.means[cut.parent]
        covariances[places] = cut.halves.covariances
        if dof is not None:
            dof[places] = dof[cut.parent]
    weights /= weights.sum()
    return run.regularise(weights, means, covariances, weights, dof=dof)
