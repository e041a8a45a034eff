"""Rows of which some have a known component."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np

from biglearn._types import Array, BoolArray
from biglearn.engines.base import Engine
from biglearn.engines.wrappers.around import EngineAround
from biglearn.model.densities import log_normaliser
from biglearn.model.fixed import assigned
from biglearn.model.mixture import Mixture
from biglearn.model.moments import Moments
from biglearn.model.views import View


class LabelledEngine(EngineAround):
    """Engines over rows of unknown component, and over those of each known one.

    A row whose component k is known counts by its joint density π_k N(x; μ_k, Σ_k), and
    belongs to no other component.

    Parameters
    ----------
    whole : Engine
        Over all rows: the one that samples are drawn from, for which labels do not matter.
    unknown : Engine or None
        Over those without a label; None where all have one.
    known : dict of int to Engine
        Over those with each label.
    """

    def __init__(self, whole: Engine, unknown: Engine | None, known: dict[int, Engine]) -> None:
        super().__init__(whole)
        self._unknown, self._known = unknown, known

    def project(self, view: View) -> LabelledEngine:
        """Return an engine over the same rows seen through a view of this one."""
        return LabelledEngine(
            self._engine.project(view),
            self._unknown and self._unknown.project(view),
            {k: engine.project(view) for k, engine in self._known.items()},
        )

    def expect(self, mixture: Mixture, *, diagonal: bool = False) -> Moments:
        """Make one E-step: return the moments, of labelled rows for their component alone."""
        parts = [self._of_one(mixture, k, diagonal) for k in self._known]
        if self._unknown is not None:
            parts.insert(0, self._unknown.expect(mixture, diagonal=diagonal))
        return reduce(add, parts)

    def _of_one(self, mixture: Mixture, k: int, diagonal: bool) -> Moments:
        moments = self._known[k].expect(mixture.part(slice(k, k + 1)), diagonal=diagonal)
        counts = np.zeros(mixture.n_components)
        first, second = np.zeros(mixture.means.shape), np.zeros(mixture.covariances.shape)
        counts[k], first[k], second[k] = moments.counts[0], moments.first[0], moments.second[0]
        scales = None
        if moments.scales is not None:
            scales = np.zeros((mixture.n_components, 2))
            scales[k] = moments.scales[0]
        return replace(moments, counts=counts, first=first, second=second, scales=scales)

    def align(self, mixture: Mixture, held: BoolArray | None = None) -> Mixture:
        """Return the mixture with its components in the order that suits the labels best.

        The likeliest assignment, of components that are not held in their places.
        """
        places = np.array(sorted(self._known))
        costs = np.stack([self._costs(mixture, int(k)) for k in places])
        order = assigned(costs, places, None if held is None else ~held)
        return mixture.part(order)

    def _costs(self, mixture: Mixture, k: int) -> Array:
        """Return minus the log-likelihood of the rows labelled k under every component, (K,)."""
        size = self.n_features
        plain = Mixture.trusted(np.ones(1), np.zeros((1, size)), np.eye(size)[None])
        moments = self._known[k].expect(plain).shift(np.zeros(size))
        count, gaps = moments.counts[0], moments.means[0] - mixture.means
        scatter = moments.covariances[0] + gaps[:, :, None] * gaps[:, None, :]
        distances = (mixture.precisions * scatter).sum(axis=(1, 2))
        weighted = Mixture.trusted(
            np.maximum(mixture.weights, 1e-300), mixture.means, mixture.covariances
        )
        return np.asarray(count * (0.5 * distances - log_normaliser(weighted)))

    def running(self) -> AbstractContextManager[None]:
        """Hold what passes need while a fit runs."""
        return self._running()

    @contextmanager
    def _running(self) -> Iterator[None]:
        engines = [self._engine, *self._known.values()]
        with ExitStack() as stack:
            for engine in engines if self._unknown is None else [self._unknown, *engines]:
                stack.enter_context(engine.running())
            yield
