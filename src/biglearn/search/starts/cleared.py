"""Starts from rows that are not alone, for heavy tails and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array
from biglearn.engines.base import Engine
from biglearn.model.components import Components
from biglearn.model.noise import Noise
from biglearn.search.run import Run, Start
from biglearn.search.starts.given import GivenResponsibilities
from biglearn.search.tuning import Tuning


def lone_rows(rows: Array, tuning: Tuning = Tuning()) -> Array:  # noqa: B008  immutable
    """Return how likely each row is no part of any cluster, shape (N,).

    Rows of a uniform density have volumes to their k-th neighbour, d^D, that are Gamma
    distributed; so a mixture of two such distributions, of dense and of sparse rows,
    tells them apart (Byers and Raftery, JASA 93, 1998).
    """
    k = min(tuning.lone_neighbours, len(rows) - 1)
    if k < 1:
        return np.zeros(len(rows))
    from scipy.special import expit  # loading these takes long
    from sklearn.neighbors import NearestNeighbors

    distances = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors()[0][:, -1]
    logs = rows.shape[1] * np.log(np.maximum(distances, np.finfo(float).tiny))
    volumes = np.exp(np.clip(logs - np.median(logs), -100.0, 100.0))
    lone = (volumes > np.quantile(volumes, 0.9)).astype(np.float64)
    for _ in range(tuning.lone_rounds):
        counts = np.maximum([(1 - lone).sum(), lone.sum()], 1e-9 * len(rows))
        share = counts / len(rows)
        means = np.array([(1 - lone) @ volumes, lone @ volumes]) / counts
        # of rows that nearly all lie in one place the rest has no mean but for rounding
        rates = k / np.clip(means, volumes.min(), volumes.max())
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

    def __call__(self, run: Run) -> Components:
        """Return the other start's components."""
        return self.with_share(run)[0]

    def with_share(self, run: Run) -> tuple[Components, float]:
        """Return the components, and the share of the rows that are alone."""
        sample = run.engine.subsample(run.tuning.lone_rows, run.rng)
        together = np.flatnonzero(lone_rows(sample.rows(), run.tuning) < 0.5)
        engine: Engine = run.engine
        # a start that is given for every row keeps them all
        if len(together) > 2 * run.settings.n_components and not isinstance(
            self.base, GivenResponsibilities
        ):
            engine = sample.select(together)
        components = self.base(run.part(engine, run.constraints))
        return components, 1 - len(together) / sample.n_rows


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

    def __call__(self, run: Run) -> Components:
        """Return K + 1 first components."""
        n_components = run.settings.n_components - 1
        constraints = run.constraints.part(np.arange(n_components))
        inner = run.part(run.engine, constraints, n_components=n_components)
        first, share = ClearedStart(self.base).with_share(inner)
        share = float(np.clip(share, run.tuning.least_noise, run.tuning.most_noise))
        last = self.noise.components(first.family, share)
        rest = first.replace(weights=(1 - last.weights[0]) * first.weights)
        return run.note(run.constraints.impose_on(rest.joined(last)))
