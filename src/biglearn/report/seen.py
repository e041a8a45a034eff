"""Rows under a model: whose they are, how sure that is, which are unusual, what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array, BoolArray, FloatArray, IntArray
from biglearn.engines.base import Source
from biglearn.engines.rows.sampled import sample_rows
from biglearn.model.densities import normalise
from biglearn.model.mixture import Mixture
from biglearn.model.noise import NoisyMixture

Distribution = Mixture | NoisyMixture

#: Rows drawn in pictures, and rows named as the most unusual.
DRAWN, NAMED = 4000, 20

#: A row is sure of its component from this responsibility on.
SURE = 0.9

#: Share of the model's own rows that is called unusual, and how many of these are drawn to know
#: from where on: at least, at most, and by the work that a row costs.
UNUSUAL = 0.005
_FEWEST, _MOST, _WORK = 2000, 20_000, 2e9


@dataclass(frozen=True, eq=False)
class Lowest:
    """The rows of lowest log-density of so many, in order."""

    n_rows: int
    places: IntArray
    scores: Array
    rows: Array

    @classmethod
    def of(cls, scores: Array, rows: FloatArray) -> Lowest:
        """Look at a block of rows."""
        order = np.argsort(scores, kind="stable")[:NAMED]
        return cls(len(rows), order, scores[order], np.asarray(rows[order], dtype=np.float64))

    def __add__(self, other: Lowest) -> Lowest:
        scores = np.concatenate([self.scores, other.scores])
        places = np.concatenate([self.places, other.places + self.n_rows])
        order = np.argsort(scores, kind="stable")[:NAMED]
        rows = np.concatenate([self.rows, other.rows])[order]
        return Lowest(self.n_rows + other.n_rows, places[order], scores[order], rows)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over rows: products of responsibilities, values and gaps, and the lowest rows."""

    overlap: Array
    values: Array
    squares: Array
    gaps: IntArray
    with_gaps: int
    lowest: Lowest

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.overlap + other.overlap,
            self.values + other.values,
            self.squares + other.squares,
            self.gaps + other.gaps,
            self.with_gaps + other.with_gaps,
            self.lowest + other.lowest,
        )


@dataclass(frozen=True, eq=False)
class Seen:
    """What a model says of rows.

    Attributes
    ----------
    n_components : int
        K.
    labels : array of shape (N,)
        Component of each row, -1 for noise.
    certainty : array of shape (N,)
        Largest responsibility of each row.
    scores : array of shape (N,)
        Log-density of each row.
    is_whole : array of shape (N,)
        Rows without a gap, whose log-densities can be compared.
    threshold : float
        Below this log-density lie `UNUSUAL` of the rows that the model itself would draw.
    overlap : array of shape (K, K)
        Mean product of the responsibilities of two components, (K + 1, K + 1) with noise last.
    mean, deviation, low, high : array of shape (D,)
        Of the columns.
    missing : array of shape (D,)
        Missing values of every column.
    with_gaps : int
        Rows with a missing value.
    lowest : Lowest
        The most unusual rows, with their places among all rows.
    sample : array of shape (n, D)
        Rows to draw.
    shares : array of shape (n, K), or (n, K + 1) with noise last
        Their responsibilities.
    """

    n_components: int
    labels: IntArray
    certainty: Array
    scores: Array
    is_whole: BoolArray
    threshold: float
    overlap: Array
    mean: Array
    deviation: Array
    low: Array
    high: Array
    missing: IntArray
    with_gaps: int
    lowest: Lowest
    sample: Array
    shares: Array

    @property
    def sample_labels(self) -> IntArray:
        """Component of each row of the sample, -1 for noise."""
        labels = self.shares.argmax(axis=1)
        return np.where(labels == self.n_components, -1, labels)

    @property
    def n_rows(self) -> int:
        """N."""
        return len(self.labels)

    @property
    def is_unusual(self) -> BoolArray:
        """Which rows have no gap and lie below the threshold, shape (N,)."""
        return np.asarray(self.is_whole & (self.scores < self.threshold))


def seen(source: Source, distribution: Distribution) -> Seen:
    """Ask a distribution about all rows of a source, in a few passes.

    Parameters
    ----------
    source : Source
    distribution : Mixture or NoisyMixture
    """
    K = _gaussians(distribution).n_components
    centre = (source.extent.low + source.extent.high) / 2

    def rule(rows: FloatArray) -> Array:
        scores, shares = _asked(distribution, rows)
        labels = shares.argmax(axis=1)
        labels[labels == K] = -1
        whole = ~np.isnan(rows).any(axis=1)
        return np.column_stack([labels, shares.max(axis=1), scores, whole])

    def summary(rows: FloatArray, weights: Array | None) -> Sums:
        scores, shares = _asked(distribution, rows)
        gaps = np.isnan(rows)
        # a row with gaps has a density over fewer features, which is no rank among the others
        ranked = np.where(gaps.any(axis=1), np.inf, scores)
        shifted = np.where(gaps, 0.0, rows - centre)
        return Sums(
            shares.T @ shares,
            shifted.sum(axis=0),
            (shifted**2).sum(axis=0),
            gaps.sum(axis=0),
            int(gaps.any(axis=1).sum()),
            Lowest.of(np.asarray(ranked, dtype=np.float64), rows),
        )

    labels, certainty, scores, whole = np.asarray(source.map(rule), dtype=np.float64).T
    sums: Sums = source.total(summary)
    counts = np.maximum(sums.lowest.n_rows - sums.gaps, 1)
    shift = sums.values / counts
    variance = np.maximum(sums.squares / counts - shift**2, 0.0)
    sample = np.asarray(sample_rows(source, DRAWN).rows, dtype=np.float64)
    return Seen(
        n_components=K,
        labels=labels.astype(np.intp),
        certainty=certainty,
        scores=scores,
        is_whole=whole.astype(bool),
        threshold=_threshold(distribution),
        overlap=sums.overlap / sums.lowest.n_rows,
        mean=centre + shift,
        deviation=np.sqrt(variance),
        low=np.asarray(source.extent.low),
        high=np.asarray(source.extent.high),
        missing=sums.gaps,
        with_gaps=sums.with_gaps,
        lowest=_placed(sums.lowest, source),
        sample=sample,
        shares=distribution.responsibilities(sample),
    )


def _gaussians(distribution: Distribution) -> Mixture:
    """Return a distribution without its noise."""
    return distribution.mixture if isinstance(distribution, NoisyMixture) else distribution


def _asked(distribution: Distribution, rows: FloatArray) -> tuple[Array, Array]:
    """Return log-densities and responsibilities of rows."""
    shares = distribution.log_joint(rows)
    return np.asarray(normalise(shares.T)), shares


def _placed(lowest: Lowest, source: Source) -> Lowest:
    """Return the lowest rows with places among all rows, those of weight 0 included."""
    there = np.isfinite(lowest.scores) | (lowest.scores < 0)
    places = lowest.places[there]
    if source.present is not None:
        places = np.flatnonzero(source.present)[places]
    return Lowest(lowest.n_rows, places, lowest.scores[there], lowest.rows[there])


def _threshold(distribution: Distribution) -> float:
    """Return the log-density below which few of the distribution's own rows lie."""
    mixture = _gaussians(distribution)
    work = mixture.n_components * mixture.n_features**2
    n = int(np.clip(_WORK / work, _FEWEST, _MOST))
    rows, _ = distribution.sample(n, np.random.default_rng(0))
    return float(np.quantile(distribution.log_density(rows), UNUSUAL))
