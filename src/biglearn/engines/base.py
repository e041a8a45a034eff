"""The protocols of every engine, and of the rows that one is opened over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import BoolArray, FloatArray
from biglearn.engines.rows.summaries import Ask, Extent
from biglearn.engines.rows.units import Units
from biglearn.model.mixture import Mixture
from biglearn.model.moments import Moments
from biglearn.model.views import View

if TYPE_CHECKING:
    from biglearn.engines.memory.over import Sample


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

    def subsample(self, limit: int, rng: np.random.Generator) -> Sample:
        """Return an engine in memory over at most `limit` of the rows, drawn at random.

        Their numbers are those of `draw`, so that every engine draws the same rows from the
        same seed.
        """
        ...

    def running(self) -> AbstractContextManager[None]:
        """Hold what passes need (threads, BLAS settings) while a fit runs."""
        ...


class Source(Protocol):
    """The user's rows, checked, wherever they live: what an estimator asks of them.

    Blocks are handed out as NumPy arrays in the user's units, in the order of
    the rows; those of weight 0 are left out of everything but `map`.
    """

    @property
    def label(self) -> str:
        """Which engine will be used, for people to read."""
        ...

    @property
    def header(self) -> Any:
        """What tells the columns: a `Header`, or what scikit-learn understands."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """float64 or float32: that of the products, and of what `map` should return."""
        ...

    @property
    def n_given(self) -> int:
        """Number of all rows, those of weight 0 included."""
        ...

    @property
    def present(self) -> BoolArray | None:
        """Which rows have a positive weight, shape (n_given,); None where all have."""
        ...

    @property
    def extent(self) -> Extent:
        """Number, weight and range of the rows with a positive weight."""
        ...

    def total(self, ask: Ask[Any]) -> Any:
        """Return the sum of ``ask(rows, weights)`` over blocks of the rows."""
        ...

    def map(self, rule: Callable[[FloatArray], Any]) -> Any:
        """Return the rule's result for every row, blocks (b, D) to (b, ...).

        It comes in the user's kind of container: an array, or as lazy as the rows.
        """
        ...

    def engine(self, units: Units) -> Engine:
        """Open the engine over the rows, in units."""
        ...


@dataclass(frozen=True)
class Header:
    """Number and names of the columns of rows that are no data frame.

    Attributes
    ----------
    n_features : int
        D.
    names : tuple of D str, optional
    """

    n_features: int
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Wishes:
    """How the user wants rows to be opened.

    Attributes
    ----------
    engine : str, callable or object
        As given to the estimator.
    sample_weight : array-like, optional
    labels : array-like, optional
        Component of each row, -1 where it is not known.
    noise : bool
        Whether there is a uniform component beside the Gaussians.
    features : tuple of str, optional
        Names of the columns that a fitted model needs, where rows can be chosen
        by name.
    n_threads : int, optional
    """

    engine: Any = "auto"
    sample_weight: ArrayLike | None = None
    labels: ArrayLike | None = None
    noise: bool = False
    features: tuple[str, ...] | None = None
    n_threads: int | None = None
