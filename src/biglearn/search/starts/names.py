"""Starts: from rows and a source of randomness to a first mixture."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.cluster import AgglomerativeClustering, KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin
from sklearn.neighbors import NearestNeighbors

from biglearn._types import Array
from biglearn.engines import Engine, MemoryEngine, Source
from biglearn.engines.rows.units import Units
from biglearn.model.mixture import Mixture
from biglearn.model.moments import Moments
from biglearn.model.noise import Noise
from biglearn.search.run import Run, Start

#: Starts look at this many rows, or this many for each component, at most.
_SAMPLE, _SAMPLE_PER_COMPONENT = 20_000, 200

#: Rows that the search for lone ones looks at, their neighbours, and its rounds of EM.
_LOOKED_AT, _NEIGHBOURS, _ROUNDS = 5000, 12, 50

#: Rows that Ward's method merges, at most: its cost grows with their square.
MERGED = 1000

#: Chooses K centres, shape (K, D): (rows, weights, K, rng).
Centres = Callable[[Array, Array | None, int, np.random.Generator], Array]


def _plus_plus(
    rows: Array, weights: Array | None, n_components: int, rng: np.random.Generator
) -> Array:
    centres, _ = kmeans_plusplus(
        rows, n_components, sample_weight=weights, random_state=int(rng.integers(2**31))
    )
    return np.asarray(centres)


def _kmeans(
    rows: Array, weights: Array | None, n_components: int, rng: np.random.Generator
) -> Array:
    seed = int(rng.integers(2**31))
    model = KMeans(n_components, n_init=1, random_state=seed)
    with warnings.catch_warnings():  # fewer distinct rows than components are no trouble here
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows, sample_weight=weights)
    return np.asarray(model.cluster_centers_)


def _ward(rows: Array, weights: Array | None, n_components: int, rng: np.random.Generator) -> Array:
    limit = max(MERGED, 4 * n_components)
    chosen = rows if len(rows) <= limit else rows[rng.choice(len(rows), limit, replace=False)]
    labels = AgglomerativeClustering(n_components).fit_predict(chosen)
    return np.array([chosen[labels == k].mean(axis=0) for k in range(n_components)])


def _random_rows(
    rows: Array, weights: Array | None, n_components: int, rng: np.random.Generator
) -> Array:
    shares = None
    if weights is not None:  # a row of next to no weight must remain a candidate
        shares = np.maximum(weights, 1e-12 * weights.mean())
        shares /= shares.sum()
    return rows[rng.choice(len(rows), size=n_components, replace=False, p=shares)]


#: The starts that choose centres and give each row to the nearest, by name.
CENTRES: dict[str, Centres] = {
    "k-means++": _plus_plus,
    "kmeans": _kmeans,
    "ward": _ward,
    "random_from_data": _random_rows,
}


@dataclass(frozen=True)
class CentreStart:
    """Choose centres, give each row to its nearest, and estimate."""

    centres: Centres

    def __call__(self, run: Run) -> Mixture:
        """Return a first mixture of the run's rows."""
        n_components = run.settings.n_components
        sample = _sample(run)
        rows = sample.rows()
        centres = self.centres(rows, sample.weights, n_components, run.rng)
        if run.settings.fixed is not None:
            centres = run.settings.fixed.near(centres)
        nearest = pairwise_distances_argmin(rows, centres)
        moments = sample.moments_of(one_hot(nearest, n_components))
        return estimate(run, moments, centres)


def random_responsibilities(run: Run) -> Mixture:
    """Give every row uniformly random responsibilities."""
    sample = _sample(run)
    shares = run.rng.random((len(sample.rows()), run.settings.n_components))
    moments = sample.moments_of(shares / shares.sum(axis=1, keepdims=True))
    return estimate(run, moments, moments.means)


def normal(run: Run) -> Mixture:
    """Draw the paper's start: π = 1/K, μ ~ N(0, I), Σ = I in the engine's units."""
    n_components, n_features = run.settings.n_components, run.engine.n_features
    dof = run.settings.dof
    return Mixture.trusted(
        np.full(n_components, 1.0 / n_components),
        run.rng.standard_normal((n_components, n_features)),
        np.tile(np.eye(n_features), (n_components, 1, 1)),
        dof=None if dof is None else np.full(n_components, dof),
    )


@dataclass(frozen=True)
class GivenResponsibilities:
    """Estimate once from given responsibilities, shape (N, K)."""

    responsibilities: Array

    def __call__(self, run: Run) -> Mixture:
        """Return the mixture that an M-step from them gives."""
        engine = run.engine.subsample(len(self.responsibilities), run.rng).filled()
        moments = engine.moments_of(self.responsibilities)
        return estimate(run, moments, moments.means, shrink=False)


@dataclass(frozen=True)
class FromCallable:
    """Let the user's callable say whose rows are whose, on a sample of at most 20000 or 200 K."""

    rule: Callable[[Array, int, np.random.Generator], Any]
    units: Units

    def __call__(self, run: Run) -> Mixture:
        """Return the mixture that an M-step from its answer gives."""
        n_components, sample = run.settings.n_components, _sample(run)
        rows = sample.rows() * self.units.scale + self.units.centre
        shares = as_responsibilities(
            self.rule(rows, n_components, run.rng), len(rows), n_components
        )
        moments = sample.moments_of(shares)
        return estimate(run, moments, moments.means, shrink=False)


@dataclass(frozen=True)
class GivenParameters:
    """Replace parts of another start by given ones, in the engine's units."""

    base: Callable[[Run], Mixture]
    weights: Array | None = None
    means: Array | None = None
    covariances: Array | None = None
    dof: Array | None = None

    def __call__(self, run: Run) -> Mixture:
        """Return the base start with the given parts in place of its own."""
        if self.weights is not None and self.means is not None and self.covariances is not None:
            return run.regularise(
                self.weights, self.means, self.covariances, self.weights, dof=self.dof
            )
        mixture = self._start()(run)
        weights = mixture.weights if self.weights is None else self.weights
        means = mixture.means if self.means is None else self.means
        covariances = mixture.covariances if self.covariances is None else self.covariances
        return run.regularise(weights, means, covariances, weights)

    def _start(self) -> Callable[[Run], Mixture]:
        """Return the start that gives the missing parts."""
        if self.means is None:
            return self.base
        centres = self.means
        return CentreStart(lambda *_: centres)


def lone_rows(rows: Array) -> Array:
    """Return how likely each row is no part of any cluster, shape (N,).

    Rows of a uniform density have volumes to their k-th neighbour, d^D, that are Gamma
    distributed; so a mixture of two such distributions, of dense and of sparse rows,
    tells them apart (Byers and Raftery, JASA 93, 1998).
    """
    k = min(_NEIGHBOURS, len(rows) - 1)
    if k < 1:
        return np.zeros(len(rows))
    distances = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors()[0][:, -1]
    logs = rows.shape[1] * np.log(np.maximum(distances, np.finfo(float).tiny))
    volumes = np.exp(np.clip(logs - np.median(logs), -100.0, 100.0))
    lone = (volumes > np.quantile(volumes, 0.9)).astype(np.float64)
    for _ in range(_ROUNDS):
        share = np.clip([1 - lone.mean(), lone.mean()], 1e-9, 1.0)
        sums = np.array([(1 - lone) @ volumes, lone @ volumes])
        rates = k * len(rows) * share / np.maximum(sums, 1e-300)
        gap = np.log(share[1] / share[0]) + k * np.log(rates[1] / rates[0])
        lone = expit(gap - (rates[1] - rates[0]) * volumes)
    return np.asarray(lone)


@dataclass(frozen=True)
class ClearedStart:
    """Begin by another start, from rows that are not alone.

    A single row far away would draw a centre to itself.

    Parameters
    ----------
    base : Start
    """

    base: Start

    def __call__(self, run: Run) -> Mixture:
        """Return the other start's mixture."""
        return self.and_share(run)[0]

    def and_share(self, run: Run) -> tuple[Mixture, float]:
        """Return the mixture, and the share of the rows that are alone."""
        sample = run.engine.subsample(_LOOKED_AT, run.rng).filled()
        together = np.flatnonzero(lone_rows(sample.rows()) < 0.5)
        engine: Engine = run.engine
        # a start that is given for every row keeps them all
        if len(together) > 2 * run.settings.n_components and not isinstance(
            self.base, GivenResponsibilities
        ):
            engine = sample.select(together)
        mixture = self.base(Run(engine, run.settings, self.base, run.rng))
        return mixture, 1 - len(together) / sample.n_rows


@dataclass(frozen=True)
class NoisyStart:
    """Begin with K components by another start, from rows that are not alone, and with noise.

    Parameters
    ----------
    base : Start
        Of the K components.
    noise : Noise
    """

    base: Start
    noise: Noise

    def __call__(self, run: Run) -> Mixture:
        """Return a first mixture of K + 1 components."""
        fixed = run.settings.fixed
        n_components = run.settings.n_components - 1
        settings = replace(
            run.settings,
            n_components=n_components,
            fixed=None if fixed is None else fixed.part(np.arange(n_components), 1.0),
        )
        inner = Run(run.engine, settings, self.base, run.rng)
        first, share = ClearedStart(self.base).and_share(inner)
        last, share = self.noise.component(0), float(np.clip(share, 0.01, 0.5))
        weights = np.append((1 - share) * first.weights, share)
        means = np.concatenate([first.means, last.means])
        covariances = np.concatenate([first.covariances, last.covariances])
        return run.regularise(weights, means, covariances, weights)


#: Every start by name.
STARTS: dict[str, Callable[[Run], Mixture]] = {
    **{name: CentreStart(centres) for name, centres in CENTRES.items()},
    "random": random_responsibilities,
    "normal": normal,
}


def one_hot(labels: Array, n_components: int) -> Array:
    """Turn labels 0..K-1, shape (N,), into responsibilities, shape (N, K)."""
    return np.asarray(labels[:, None] == np.arange(n_components), dtype=np.float64)


def estimate(run: Run, moments: Moments, centres: Array, *, shrink: bool = True) -> Mixture:
    """Make a mixture of a start's moments.

    A handful of rows has no covariance of its own: with `shrink` each is drawn
    towards the pooled one by D + 1 pseudo-rows, and a component without rows
    begins at its centre with the pooled covariance.
    """
    n_features = moments.first.shape[1]
    alive = moments.alive
    covariances = np.where(alive[:, None, None], moments.covariances, 0.0)
    shares = np.where(alive, moments.counts, 0.0)
    pooled = np.einsum("k,kij->ij", shares / shares.sum(), covariances)
    rows = shares / moments.row_weight
    prior = float(n_features + 1) if shrink else 0.0
    ours = (rows / np.maximum(rows + prior, 1e-300))[:, None, None]
    covariances = np.where(alive[:, None, None], ours * covariances + (1 - ours) * pooled, pooled)
    means = np.where(alive[:, None], moments.means, np.nan_to_num(centres))
    weights = np.maximum(moments.counts, moments.row_weight if shrink else 0.0)
    return run.regularise(weights / weights.sum(), means, covariances, shares / shares.sum())


def _sample(run: Run) -> MemoryEngine:
    limit = max(_SAMPLE, _SAMPLE_PER_COMPONENT * run.settings.n_components)
    return run.engine.subsample(limit, run.rng).filled()


def from_user(
    init_params: Any, source: Source, units: Units, n_components: int
) -> Callable[[Run], Mixture]:
    """Turn the user's `init_params` into a start.

    Parameters
    ----------
    init_params : str, array-like or callable
        See `BigLearnGaussianMixture`.
    source : Source
        The user's rows.
    units : Units
        Those of the engine.
    n_components : int
        K.
    """
    if isinstance(init_params, str):
        if init_params not in STARTS:
            raise ValueError(
                f"init_params must be one of {list(STARTS)}, labels, responsibilities or a "
                f"callable, got {init_params!r}"
            )
        return STARTS[init_params]
    if callable(init_params):
        return FromCallable(init_params, units)
    shares = as_responsibilities(init_params, source.n_given, n_components)
    present = source.present
    return GivenResponsibilities(shares if present is None else shares[present])


def as_responsibilities(values: Any, n_rows: int, n_components: int) -> Array:
    """Check labels (N,) or responsibilities (N, K); return responsibilities."""
    array = np.asarray(values)
    if array.shape == (n_rows,):
        if not np.isin(array, np.arange(n_components)).all():
            raise ValueError(
                f"labels in init_params must be whole numbers from 0 to {n_components - 1}, "
                f"got {array.min()} to {array.max()}"
            )
        return one_hot(array, n_components)
    if array.shape != (n_rows, n_components):
        raise ValueError(
            f"init_params must give labels of shape ({n_rows},) or responsibilities of shape "
            f"{(n_rows, n_components)}, got {array.shape}"
        )
    shares = array.astype(np.float64)
    total = shares.sum(axis=1, keepdims=True)
    if not np.isfinite(shares).all() or (shares < 0).any() or not np.allclose(total, 1, atol=1e-6):
        raise ValueError("responsibilities in init_params must be at least 0 and sum to 1 per row")
    return shares
