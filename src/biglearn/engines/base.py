"""The protocols of every engine, and of the rows that one is opened over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self, cast

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, BoolArray, FloatArray, IntArray
from biglearn.engines.rows.summaries import Extent, Summary, T
from biglearn.engines.rows.units import Units
from biglearn.model.components import Components
from biglearn.model.moments import Moments
from biglearn.model.noise import Noise
from biglearn.model.structures import FULL, Structure
from biglearn.model.views import View


class Block(NamedTuple):
    """Rows in the layout of the compiled loops.

    Attributes
    ----------
    rows : array of shape (D + 1, N)
        Features first, and a row of ones.
    weights : array of shape (N,) or None
    background : array of shape (N,) or None
        Log-density that each row has from elsewhere, see `SampleEngine.select`.
    """

    rows: Array
    weights: Array | None = None
    background: Array | None = None

    @property
    def total(self) -> float:
        """Weight of the rows."""
        return float(len(self.rows[0])) if self.weights is None else float(self.weights.sum())

    @property
    def n_rows(self) -> int:
        """Number of rows with a positive weight."""
        if self.weights is None:
            return len(self.rows[0])
        return int(np.count_nonzero(self.weights > 0))


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

    def expect(self, components: Components) -> Moments:
        """Make one E-step: return the moments under the components' responsibilities.

        Second moments outside of the blocks of the components' covariances are not needed
        (see `biglearn.model.blocks`): they may be in blocks of that size, or whole.
        """
        ...

    def subsample(
        self, limit: int, rng: np.random.Generator, components: Components | None = None
    ) -> SampleEngine:
        """Return an engine in memory over at most `limit` of the rows, drawn at random.

        Their numbers are those of `draw`, so that every engine draws the same rows from the
        same seed.  Missing values are filled by draws under the components or, if these are
        left out, under the one Gaussian that fits the rows.
        """
        ...

    def thinned(self, limit: int, rng: np.random.Generator) -> Engine:
        """Return an engine in memory over at most `limit` of the rows, gaps and all.

        Where rows are not alike, such as those with labels, all of them stay.
        """
        ...

    def block(self, n_components: int, most: float) -> Block | None:
        """Return all rows where a pass over them is at most so many multiplications.

        Then compiled loops make many steps of EM at once.
        """
        ...

    def align(self, components: Components, held: BoolArray | None = None) -> Components:
        """Return the components in the order that suits known labels of the rows best.

        Parameters
        ----------
        components : Components
        held : array of shape (K,), optional
            Which keep their places.
        """
        ...

    def running(self) -> AbstractContextManager[None]:
        """Hold threads and BLAS settings while a fit runs."""
        ...


class SampleEngine(Engine, Protocol):
    """An engine over complete rows in memory, which starts and surgery may look at."""

    def project(self, view: View) -> SampleEngine:
        """Return an engine over the same rows seen through a view of this one."""
        ...

    @property
    def weights(self) -> Array | None:
        """Weight of each row, shape (N,), or None where all are 1."""
        ...

    def rows(self) -> Array:
        """Return all rows in the engine's units, shape (N, d)."""
        ...

    def moments_of(self, responsibilities: Array, structure: Structure = FULL) -> Moments:
        """Return the moments under given responsibilities, (N, K), that a structure needs."""
        ...

    def responsibilities(self, components: Components) -> tuple[Array, Array]:
        """Return the log-density of each row, shape (N,), and the responsibilities, (N, K)."""
        ...

    def select(
        self,
        chosen: IntArray,
        *,
        background: Array | None = None,
        weights: Array | None = None,
    ) -> SampleEngine:
        """Return an engine over the chosen rows, with a background of their own.

        Parameters
        ----------
        chosen : array of shape (n,)
        background : array of shape (n,), optional
            Log-density that each row has from elsewhere, such as components that stay as they
            are: part of p(x_n) in every E-step.
        weights : array of shape (n,), optional
            Weights of the chosen rows; those that they have if left out.
        """
        ...


class EngineBase:
    """Base class of engines over rows: the view through which they see them.

    An engine of its own needs `_through`, and of the protocol `n_rows`, `expect`, `subsample`
    and `running`.

    Parameters
    ----------
    view : View
        View through which the engine sees the rows in units.

    Examples
    --------
    >>> from biglearn import View
    >>> from biglearn.engines import EngineBase
    >>> EngineBase(View.marginal([0, 2], n_features=3)).n_features
    2
    """

    def __init__(self, view: View) -> None:
        self._view = view

    @property
    def n_features(self) -> int:
        """Number of features of the rows as seen here: D, or d under a view."""
        return self._view.size

    def project(self, view: View) -> Self:
        """Return an engine over the same rows seen through a view of this one."""
        return self if view.is_joint else self._through(view.after(self._view))

    def _through(self, view: View) -> Self:
        """Return an engine over the same rows, seen through another view."""
        raise NotImplementedError

    def thinned(self, limit: int, rng: np.random.Generator) -> Engine:
        """Return this engine: all rows stay."""
        return cast(Engine, self)

    def block(self, n_components: int, most: float) -> Block | None:
        """Return None: the rows are asked one pass at a time."""
        return None

    def align(self, components: Components, held: BoolArray | None = None) -> Components:
        """Return the components as they are: no row has a label."""
        return components


class Source(Protocol):
    """The user's checked rows, wherever they live, as an estimator reads them.

    Blocks are handed out as NumPy arrays in the user's units, in the order of
    the rows; those of weight 0 are left out of everything but `map`.
    """

    @property
    def label(self) -> str:
        """Which engine will be used, for people to read."""
        ...

    @property
    def header(self) -> Header:
        """Number and names of the columns."""
        ...

    @property
    def supports(self) -> frozenset[str]:
        """Subset of "labels" and "noise" that is supported where these rows live."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """float64 or float32: type of the products, and of the results of `map`."""
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

    def total(self, summary: Summary[T]) -> T:
        """Return the sum of ``summary(rows, weights)`` over blocks of the rows."""
        ...

    def map(self, rule: Callable[[FloatArray], Any]) -> Any:
        """Return the rule's result for every row, blocks (b, D) to (b, ...).

        It comes in the user's kind of container: an array, or as lazy as the rows.
        """
        ...

    def engine(self, units: Units) -> Engine:
        """Open the engine over the rows, in units."""
        ...

    def noise(self, units: Units) -> Noise:
        """Return the uniform component over the box that holds the rows, in units."""
        ...


class SourceBase:
    """Base class of sources: properties that follow from the extent of the rows."""

    @property
    def extent(self) -> Extent:
        """Number, weight and range of the rows with a positive weight."""
        raise NotImplementedError

    @property
    def supports(self) -> frozenset[str]:
        """Neither labels nor noise."""
        return frozenset()

    def noise(self, units: Units) -> Noise:
        """Return the uniform component over the box that holds the rows, in units."""
        sides = (self.extent.low, self.extent.high)
        return Noise.over_box(*((side - units.centre) / units.scale for side in sides))


@dataclass(frozen=True)
class Header:
    """Number and names of the columns of rows.

    Attributes
    ----------
    n_features : int
        D.
    names : tuple of D str, optional
    given : object, optional
        The user's array or data frame, where scikit-learn has rules for the columns of its kind.
    """

    n_features: int
    names: tuple[str, ...] | None = None
    given: Any = None


@dataclass(frozen=True)
class RowOptions:
    """How the user wants rows to be opened.

    Attributes
    ----------
    engine : str, callable or object
        As given to the estimator.
    sample_weight : array-like, optional
    labels : array-like, optional
        Component of each row, -1 where it is not known.
    noise : bool
        Whether there is a uniform component beside the others.
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
