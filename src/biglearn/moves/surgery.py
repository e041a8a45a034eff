"""Plans of split-merge: which component to give up, and which to cut in two.

A plan is judged by a bound, not a guess: with responsibilities r held fixed,
Jensen's inequality bounds from below what the log-likelihood changes when one
component is replaced by two, or a pair by one.  (Ueda, Nakano, Ghahramani and
Hinton, Neural Computation 12, 2000, rank candidates by heuristics instead.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from biglearn._linalg import Array, IntArray, inverse_cholesky
from biglearn.mixture import Mixture
from biglearn.search import Run

#: EM steps inside a component that look for its best cut.
_CUT_STEPS = 6

#: Rows for which a component's responsibility is smaller do not shape its cut.
_LEAST_SHARE = 1e-2

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
    values : array of shape (n, D)
    weights : array of shape (n,)
        Summing to one.
    shares : array of shape (n, K)
        Responsibilities.
    """

    values: Array
    weights: Array
    shares: Array

    @classmethod
    def of(cls, run: Run, mixture: Mixture, limit: int) -> Rows:
        """Draw at most `limit` of the run's rows."""
        sample = run.engine.subsample(limit, run.rng)
        values = sample.rows()
        weights = np.ones(len(values)) if sample.weights is None else sample.weights
        return cls(values, weights / weights.sum(), mixture.responsibilities(values))


def best_cut(run: Run, mixture: Mixture, rows: Rows, parent: int) -> Cut | None:
    """Return the best cut found of a component; None where it has too few rows."""
    members = rows.shares[:, parent] > _LEAST_SHARE
    if members.sum() <= mixture.n_features + 1:
        return None
    values = rows.values[members]
    weights = (rows.weights * rows.shares[:, parent])[members]
    centred = values - mixture.means[parent]
    cuts = [
        _settle(run, mixture, parent, centred, weights, direction)
        for direction in cut_directions(centred @ mixture.whitening[parent].T, weights)
    ]
    return max(cuts, key=lambda cut: cut.gain)


def cut_directions(whitened: Array, weights: Array) -> list[Array]:
    """Return directions along which whitened rows look least like one Gaussian.

    The axis of the widest spread of the squared distances' excess, that is the
    principal axis of the rows weighted by their distance, and the axis among the
    features whose kurtosis is lowest: two humps are flatter than one.
    """
    total = weights.sum()
    distance = (whitened**2).sum(axis=1)
    scatter = (whitened * (weights * distance)[:, None]).T @ whitened / total
    vectors = np.linalg.eigh(scatter)[1]
    projected = whitened @ vectors
    kurtosis = weights @ projected**4 / np.maximum((weights @ projected**2) ** 2 / total, _TINY)
    flattest, heaviest = int(kurtosis.argmin()), whitened.shape[1] - 1
    return [vectors[:, i] for i in sorted({flattest, heaviest})]


def _settle(
    run: Run, mixture: Mixture, parent: int, centred: Array, weights: Array, direction: Array
) -> Cut:
    """Halve a component along a direction (in its whitened frame); run EM within it."""
    tied = run.settings.covariance_type == "tied"
    # Halves of N(0, 1) have means ± √(2/π) and variance 1 - 2/π.
    step = np.sqrt(2 / np.pi) * np.linalg.solve(mixture.whitening[parent], direction)
    whole = mixture.covariances[parent]
    left = whole if tied else whole - np.outer(step, step)
    halves = run.regularise(
        np.array([0.5, 0.5]), np.stack([step, -step]), np.stack([left, left]), np.full(2, 0.5)
    )
    total = weights.sum()
    for _ in range(_CUT_STEPS):
        shares, _ = _split_shares(halves, centred)
        counts = np.maximum(weights @ shares, _TINY)
        means = (shares * weights[:, None]).T @ centred / counts[:, None]
        covariances = halves.covariances
        if not tied:
            gaps = centred - means[:, None, :]
            heavy = np.swapaxes(gaps * (shares * weights[:, None]).T[:, :, None], 1, 2)
            covariances = heavy @ gaps / counts[:, None, None]
        halves = run.regularise(counts / total, means, covariances, counts / total)
    _, log_density = _split_shares(halves, centred)
    one = ((centred @ mixture.whitening[parent].T) ** 2).sum(axis=1)
    size = centred.shape[1]
    old = mixture.half_log_det[parent] - 0.5 * (one + size * np.log(2 * np.pi))
    grown = Mixture.trusted(
        halves.weights * mixture.weights[parent],
        halves.means + mixture.means[parent],
        halves.covariances,
    )
    return Cut(parent, grown, float(weights @ (log_density - old)))


def _split_shares(halves: Mixture, centred: Array) -> tuple[Array, Array]:
    """Return responsibilities (n, 2) of two components, and their log-density (n,)."""
    whitening, half_log_det = inverse_cholesky(halves.covariances)
    gaps = (centred - halves.means[:, None, :]) @ np.swapaxes(whitening, 1, 2)
    log_joint = -0.5 * np.einsum("jni,jni->jn", gaps, gaps)
    size = centred.shape[1]
    log_joint += (
        np.log(np.maximum(halves.weights, _TINY)) + half_log_det - 0.5 * size * np.log(2 * np.pi)
    )[:, None]
    log_density = np.logaddexp(log_joint[0], log_joint[1])
    return np.exp(log_joint - log_density).T, log_density


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


def pair_up(removals: list[Removal], cuts: list[Cut]) -> Plan:
    """Match cheap removals with rewarding cuts, each component used once.

    Only pairs whose gain exceeds the cost are made, so that the whole plan
    cannot lose likelihood (but for the sampling of its bounds).
    """
    used: set[int] = set()
    plan: Plan = []
    for removal in removals:
        free = [c for c in cuts if c.parent not in used | removal.touched]
        if removal.touched & used or not free:
            continue
        cut = max(free, key=lambda cut: cut.gain)
        if cut.gain <= removal.cost:
            break
        used |= removal.touched | {cut.parent}
        plan.append((removal, cut))
    return plan


def single_plans(removals: list[Removal], cuts: list[Cut]) -> Iterator[Plan]:
    """Yield plans of one surgery each, the most promising first."""
    pairs = [
        (cut.gain - removal.cost, i, j)
        for i, removal in enumerate(removals)
        for j, cut in enumerate(cuts)
        if cut.parent not in removal.touched
    ]
    for _, i, j in sorted(pairs, reverse=True):
        yield [(removals[i], cuts[j])]


def operate(run: Run, mixture: Mixture, plan: Plan) -> Mixture:
    """Carry out disjoint surgeries: give up one component each, and cut another."""
    weights = mixture.weights.copy()
    means, covariances = mixture.means.copy(), mixture.covariances.copy()
    for removal, cut in plan:
        if removal.partner is not None:
            one = merge(mixture, np.array([removal.lost]), np.array([removal.partner]))
            weights[removal.partner] = one.weights[0]
            means[removal.partner] = one.means[0]
            covariances[removal.partner] = one.covariances[0]
        places = [cut.parent, removal.lost]
        weights[places] = cut.halves.weights
        means[places], covariances[places] = cut.halves.means, cut.halves.covariances
    weights /= weights.sum()
    return run.regularise(weights, means, covariances, weights)
