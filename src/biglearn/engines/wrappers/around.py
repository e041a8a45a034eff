"""What engines around another engine have in common."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np

from biglearn.engines.base import Engine

if TYPE_CHECKING:
    from biglearn.engines.memory.over import Sample


class EngineAround:
    """An engine that leaves everything but views and passes to another one.

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

    def subsample(self, limit: int, rng: np.random.Generator) -> Sample:
        """Return an engine in memory over at most `limit` of the rows, as the other one does."""
        return self._engine.subsample(limit, rng)

    def running(self) -> AbstractContextManager[None]:
        """Hold what passes need while a fit runs."""
        return self._engine.running()
