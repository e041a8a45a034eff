"""Base class of engines around another engine."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

import numpy as np

from biglearn._types import BoolArray
from biglearn.engines.base import Block, Engine, SampleEngine
from biglearn.model.components import Components


class EngineWrapper:
    """Base class of wrappers: forwards everything except `project` and `expect`.

    Parameters
    ----------
    engine : Engine
        Over the same rows.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def n_rows(self) -> int:
        """Number of rows N with a positive weight."""
        return self._engine.n_rows

    @property
    def n_features(self) -> int:
        """Number of features of the rows as seen here."""
        return self._engine.n_features

    def subsample(
        self, limit: int, rng: np.random.Generator, components: Components | None = None
    ) -> SampleEngine:
        """Return an engine in memory over at most `limit` of the rows, as the other one does."""
        return self._engine.subsample(limit, rng, components)

    def thinned(self, limit: int, rng: np.random.Generator) -> Engine:
        """Return this engine: what it adds to rows holds for all of them."""
        return cast(Engine, self)

    def block(self, n_components: int, most: float) -> Block | None:
        """Return None: a wrapper wants to see every pass."""
        return None

    def align(self, components: Components, held: BoolArray | None = None) -> Components:
        """Return the components in the order that suits known labels best, as the other does."""
        return self._engine.align(components, held)

    def running(self) -> AbstractContextManager[None]:
        """Hold threads and BLAS settings while a fit runs."""
        return self._engine.running()
