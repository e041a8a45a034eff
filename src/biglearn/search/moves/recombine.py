"""Recombination: a start made of two optima that other legs came to.

Optima of large mixtures differ in regions: some have found what is in one, some in another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from biglearn._types import Array, BoolArray, IntArray
from biglearn.model.components import Components
from biglearn.search.records import Record
from biglearn.search.run import Run
from biglearn.search.surgery.judged import JudgedRows

_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Pair:
    """Two mixtures of K components, and what they make of the same rows.

    Attributes
    ----------
    one, other : Components
    ours, theirs : JudgedRows
        The rows under the one and the other.
    ratio : array of shape (n, 1)
        Density under the other, in that under the one.
    priors : tuple of two arrays of shape (K,)
        Log-priors of their components, per row.
    """

    one: Components
    other: Components
    ours: JudgedRows
    theirs: JudgedRows
    ratio: Array
    priors: tuple[Array, Array]

    @classmethod
    def of(cls, run: Run, one: Components, other: Components) -> Pair:
        """Look at a sample of the run's rows."""
        ours = JudgedRows.of(run, one)
        theirs = ours.under(other)
        ratio = np.exp(np.clip(theirs.log_density - ours.log_density, -700.0, 700.0))[:, None]
        priors = [run.constraints.log_prior(part) / ours.total for part in (one, other)]
        return cls(one, other, ours, theirs, ratio, (priors[0], priors[1]))

    @property
    def overlaps(self) -> Array:
        """How much of the rows of the lighter of two components both answer for, (K, K)."""
        weights, shares = self.ours.weights, (self.ours.shares, self.theirs.shares)
        counts = [weights @ part for part in shares]
        common = (shares[0] * weights[:, None]).T @ shares[1]
        return np.asarray(common / np.maximum(np.minimum(counts[0][:, None], counts[1]), _TINY))

    def gain(self, lost: BoolArray, gained: BoolArray) -> float:
        """Return the gain per row where some components of the other replace some of the one.

        Exactly mean log(p + Σ d) - log(1 + Σ w), of differences d of density and w of weight.
        """
        won = (self.ratio * self.theirs.shares[:, gained]).sum(axis=1)
        change = won - self.ours.shares[:, lost].sum(axis=1)
        weight = self.other.weights[gained].sum() - self.one.weights[lost].sum()
        if weight <= -1:
            return -np.inf
        gain = self.ours.weights @ np.log(np.maximum(1.0 + change, _TINY)) - np.log1p(weight)
        return float(gain + self.priors[1][gained].sum() - self.priors[0][lost].sum())


def regions(overlaps: Array, least: float) -> tuple[int, IntArray, IntArray]:
    """Return how many regions there are, and that of each component of either mixture.

    Components that overlap by more than `least` are in the same region.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_components = len(overlaps)
    i, j = np.nonzero(overlaps > least)
    size = 2 * n_components
    links: Any = coo_array((np.ones(len(i)), (i, j + n_components)), shape=(size, size))
    count, labels = connected_components(links, directed=False)
    return int(count), labels[:n_components], labels[n_components:]


def balanced(gains: list[float], surpluses: list[int]) -> list[int]:
    """Return which regions to take, of most gain, such that no component is won or lost.

    Parameters
    ----------
    gains : list of float
    surpluses : list of int
        Components that each region wins.

    Examples
    --------
    >>> from biglearn.search.moves.recombine import balanced
    >>> balanced([0.3, 0.2, -0.1, -0.5], [0, 1, -1, -1])
    [0, 1, 2]
    """
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for place, (gain, surplus) in enumerate(zip(gains, surpluses, strict=True)):
        for so_far, (value, taken) in list(best.items()):
            reached = so_far + surplus
            if reached not in best or value + gain > best[reached][0]:
                best[reached] = value + gain, (*taken, place)
    return list(best[0][1])


def by_regions(pair: Pair, thresholds: tuple[float, ...]) -> Components | None:
    """Return the best child that takes regions from either mixture, or None where none gains."""
    overlaps, best, least = pair.overlaps, None, 1e-6
    for threshold in thresholds:
        count, ours, theirs = regions(overlaps, threshold)
        parts = [(ours == g, theirs == g) for g in range(count)]
        gains = [pair.gain(*part) for part in parts]
        surpluses = [int(gained.sum() - lost.sum()) for lost, gained in parts]
        taken = balanced(gains, surpluses)
        lost, gained = (np.isin(labels, taken) for labels in (ours, theirs))
        # taking all regions makes the other mixture, which is known
        if not lost.any() or lost.all():
            continue
        if (gain := pair.gain(lost, gained)) > least:
            best, least = pair.one.put(lost, pair.other.part(gained)).reweighted(), gain
    return best


def by_pairs(pair: Pair, rng: np.random.Generator) -> Components:
    """Return a child that takes each of the pairs that match best from either, by a coin."""
    from scipy.optimize import linear_sum_assignment

    ours, theirs = linear_sum_assignment(-pair.overlaps)
    coins = rng.random(len(ours)) < 0.5
    return pair.one.put(ours[coins], pair.other.part(theirs[coins])).reweighted()


@dataclass(frozen=True)
class Recombine:
    """Begin from the best components and another optimum of the pool, combined.

    By regions where that gains (components linked by the rows they share are one region, and
    regions are exchanged whole), or by pairs of components (HG-means, Gribel and Vidal, Pattern
    Recognition 88, 2019, does so for k-means).

    Parameters
    ----------
    how : {"regions", "pairs"}
    thresholds : tuple of float
        Overlaps above which components are linked; the best child of all is taken.
    """

    how: str = "regions"
    thresholds: tuple[float, ...] = (0.02, 0.1, 0.3)

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the components; nothing is known of them yet."""
        optima = run.pool.optima
        (_, one), *others = optima
        order = run.rng.permutation(len(others))
        child = None
        for place in order.tolist():
            pair = Pair.of(run, one, others[place][1])
            if self.how == "pairs":
                child = by_pairs(pair, run.rng)
                break
            child = by_regions(pair, self.thresholds)
            run.spend(2 * len(pair.ratio) / run.engine.n_rows)
            if child is not None:
                break
        if child is None:  # no region of any of them is better
            child = by_pairs(pair, run.rng)
        run.begin_leg(run.note(run.constraints.impose_on(child)))
        yield run.record("recombine", objective=float("nan"))
