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
from biglearn.engines.wrappers.base import EngineWrapper
from biglearn.model.components import Components
from biglearn.model.fixed import assigned
from biglearn.model.moments import Moments
from biglearn.model.views import View

#: Smallest weight of a component that labels may be given to.
_LEAST_WEIGHT = 1e-300


class LabelledEngine(EngineWrapper):
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

    def expect(self, components: Components) -> Moments:
        """Make one E-step: return the moments, of labelled rows for their component alone."""
        parts = [self._of_one(components, k) for k in self._known]
        if self._unknown is not None:
            parts.insert(0, self._unknown.expect(components))
        return reduce(add, parts)

    def _of_one(self, components: Components, k: int) -> Moments:
        moments = self._known[k].expect(components.part([k]))

        def in_place(values: Array) -> Array:
            everyone = np.zeros((components.n_components, *values.shape[1:]))
            everyone[k] = values[0]
            return everyone

        return replace(
            moments,
            counts=in_place(moments.counts),
            first=in_place(moments.first),
            second=in_place(moments.second),
            scaled_counts=in_place(moments.scaled_counts),
            statistics=in_place(moments.statistics),
        )

    def align(self, components: Components, held: BoolArray | None = None) -> Components:
        """Return the components in the order that suits the labels best.

        The likeliest assignment, of components that are not held in their places.  It leaves
        the density of rows without a label as it is, so the likelihood never falls.
        """
        if held is not None and held.all():
            return components
        places = np.array(sorted(self._known))
        costs = np.stack([self._costs(components, int(k)) for k in places])
        order = assigned(costs, places, None if held is None else ~held)
        if np.array_equal(order, np.arange(len(order))):
            return components
        return components.part(order)

    def _costs(self, components: Components, k: int) -> Array:
        """Return minus the log-likelihood of the rows labelled k under every component, (K,)."""
        present = components.replace(weights=np.maximum(components.weights, _LEAST_WEIGHT))
        engine, each = self._known[k], range(components.n_components)
        return np.array([-engine.expect(present.part([j])).log_likelihood for j in each])

    def running(self) -> AbstractContextManager[None]:
        """Hold threads and BLAS settings while a fit runs."""
        return self._running()

    @contextmanager
    def _running(self) -> Iterator[None]:
        engines = [self._engine, *self._known.values()]
        with ExitStack() as stack:
            for engine in engines if self._unknown is None else [self._unknown, *engines]:
                stack.enter_context(engine.running())
            yield
