"""The protocol of every engine."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import numpy as np

from biglearn._linalg import Array
from biglearn.mixture import Mixture
from biglearn.moments import Moments
from biglearn.views import View

if TYPE_CHECKING:
    from biglearn.engines.memory import MemoryEngine


class Engine(Protocol):
    """Where rows live, and the only code that touches them.

    Rows are seen in centred and scaled units.  An engine sums in an order
    that depends on the data alone, never on the number of threads.
    """

    @property
    def n_rows(self) -> int:
        """Number of rows N with a positive weight."""
        ...

    @property
    def n_features(self) -> int:
        """Number of features of the rows as seen here: D, or d under a view."""
        ...

    def project(self, view: View) -> Engine:
        """Return an engine over the same rows seen through a view of this one."""
        ...

    def expect(self, mixture: Mixture, *, diagonal: bool = False) -> Moments:
        """Make one E-step: return the moments under the mixture's responsibilities.

        With `diagonal` the second moments off the diagonal are left at zero.
        """
        ...

    def subsample(self, limit: int, rng: np.random.Generator) -> MemoryEngine:
        """Return an engine in memory over at most `limit` of the rows, drawn at random."""
        ...

    def rows(self) -> Array:
        """Return all rows in the engine's units, shape (N, D)."""
        ...

    def running(self) -> AbstractContextManager[None]:
        """Hold what passes need (threads, BLAS settings) while a fit runs."""
        ...
