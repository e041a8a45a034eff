"""Rows that do not fit in memory: block after block from files, memory maps or iterables."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np

from biglearn._types import Array, BoolArray, FloatArray
from biglearn.engines.base import EngineBase, Header, RowOptions, SourceBase
from biglearn.engines.chunked.blocks import (
    Block,
    Content,
    Shape,
    as_block,
    check_block,
    cut,
    join,
    read_ahead,
    shape_of,
)
from biglearn.engines.chunked.stored import Stored, stored
from biglearn.engines.memory.choose import engine_over
from biglearn.engines.memory.engine import MemoryEngine
from biglearn.engines.memory.threads import Threads, default_threads
from biglearn.engines.memory.with_gaps import MissingEngine
from biglearn.engines.rows.checks import check_weights, weight_exponent
from biglearn.engines.rows.samples import draw
from biglearn.engines.rows.summaries import PIECE, Extent, Summary, T, pieces
from biglearn.engines.rows.units import Units
from biglearn.model.components import Components
from biglearn.model.moments import Moments
from biglearn.model.views import View

#: Copies of a block that a pass holds at a time: worked on, turned for the engine, read
#: ahead, and room for a reader to make the next.
_COPIES = 4


@dataclass(frozen=True)
class Chunked:
    """Rows out of memory, in blocks of a stated size: ``engine="chunked"``, with options.

    Parameters
    ----------
    block_bytes : int, default=16 MiB
        Size of a block.  A pass holds about four of them, and no more than
        that of the rows; blocks of an iterable that are larger come on top.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import GaussianMixture
    >>> from biglearn.engines.chunked.engine import Chunked
    >>> blocks = [np.zeros((20, 1)), np.ones((30, 1))]
    >>> model = GaussianMixture(2, engine=Chunked(1 << 20), random_state=0).fit(blocks)
    >>> sorted(model.weights_.round(3).tolist())
    [0.4, 0.6]
    """

    block_bytes: int = 1 << 24

    def __post_init__(self) -> None:
        if not self.block_bytes > 0:
            raise ValueError(f"block_bytes must be positive, got {self.block_bytes}")

    def open_source(self, X: Any, options: RowOptions) -> ChunkedSource:
        """Find out how to read X, and look at its first block."""
        return ChunkedSource(stored(X, options.features), options, self.block_bytes)


def open_source(X: Any, options: RowOptions) -> ChunkedSource:
    """Open rows with the default size of blocks."""
    return Chunked().open_source(X, options)


class ChunkedSource(SourceBase):
    """Rows that are read anew for every pass.

    Sums run over blocks of a size that depends on the number of columns alone, so
    that neither threads nor the way in which the rows arrive change a bit.

    Parameters
    ----------
    rows : Stored
    options : RowOptions
    block_bytes : int
    """

    def __init__(self, rows: Stored, options: RowOptions, block_bytes: int) -> None:
        self._stored = rows
        self._shape, names = _look(rows)
        self._names = None if names is None else list(names)
        self.header = Header(self._shape.n_features, names, given=rows.header)
        self.dtype = self._shape.dtype
        self._weights = self._given_weights(options.sample_weight)
        self.n_threads = options.n_threads or default_threads()
        row_bytes = self._shape.n_features * self.dtype.itemsize
        n_rows = max(1, block_bytes // row_bytes)
        self.block_rows = n_rows if n_rows < PIECE else n_rows // PIECE * PIECE
        self.most_bytes = _COPIES * self.block_rows * row_bytes
        self.label = (
            f"chunked ({rows.label}, blocks of {self.block_rows} rows, "
            f"about {self.most_bytes / 2**20:.0f} MiB of rows in memory)"
        )
        self._empty = 0
        self._content: Content | None = None

    def _given_weights(self, sample_weight: Any) -> Array | None:
        if sample_weight is None:
            return None
        if np.ndim(sample_weight) == 0:
            if check_weights(sample_weight, 1) is not None:
                raise ValueError(
                    "sample_weight must have one weight for each row, got the number "
                    f"{sample_weight}; rows out of memory are not counted before"
                )
            return None
        if self._shape.weighted:
            raise ValueError("the blocks of X bring weights of their own; leave out sample_weight")
        return check_weights(sample_weight, len(np.asarray(sample_weight)))

    @cached_property
    def _census(self) -> _Census:
        """Count, extent and weights of the rows, from the first pass."""
        n_given, extent, lightest, heaviest = 0, None, np.inf, 0.0
        for rows, weights in read_ahead(self._checked()):
            n_given += len(rows)
            if weights is not None:
                lightest = min(lightest, float(weights.min()))
                heaviest = max(heaviest, float(weights.max()))
                rows, weights = rows[weights > 0], weights[weights > 0]
            for piece in pieces(rows, weights):
                extent = Extent.of(*piece) if extent is None else extent + Extent.of(*piece)
        self._check_enough_weights(n_given, exactly=True)
        if extent is None:
            raise ValueError(
                "the weight is zero for every row; at least one weight must be positive"
            )
        if self._empty:
            warnings.warn(
                f"{self._empty} empty blocks of {self._stored.label} were skipped", stacklevel=2
            )
        return _Census(n_given, extent, lightest == heaviest, heaviest)

    @property
    def n_given(self) -> int:
        """Number of all rows, those of weight 0 included."""
        return self._census.n_given

    @property
    def extent(self) -> Extent:
        """Number, weight and range of the rows with a positive weight."""
        return self._census.scaled

    @property
    def present(self) -> BoolArray | None:
        """Which rows have a positive weight; one more pass where there are weights."""
        if self.extent.n_rows == self.n_given:
            return None
        return np.concatenate([b.weights > 0 for b in self._checked() if b.weights is not None])

    def blocks(self) -> Iterator[Block]:
        """Yield the rows with a positive weight in blocks of `block_rows`, read ahead."""
        return read_ahead(cut(self._weighed(), self.block_rows))

    def total(self, summary: Summary[T]) -> T:
        """Return the sum of ``summary(rows, weights)`` over pieces of the rows."""
        return reduce(add, (summary(*piece) for block in self.blocks() for piece in pieces(*block)))

    def map(self, rule: Callable[[FloatArray], Any]) -> Any:
        """Return the rule's result for every row, in one array."""
        return np.concatenate([rule(block.rows) for block in read_ahead(self._checked())])

    def engine(self, units: Units) -> ChunkedEngine:
        """Open the engine over the rows, in units."""
        return ChunkedEngine(self, units)

    def _weighed(self) -> Iterator[Block]:
        """Yield the rows with a positive weight; weights only where they differ."""
        census = self._census
        for rows, weights in self._checked(census.n_given):
            if weights is None or census.unweighted:
                yield Block(rows)
            else:
                present = weights > 0
                yield Block(rows[present], weights[present] * census.factor)

    def _checked(self, expected: int | None = None) -> Iterator[Block]:
        """Yield all rows with their weights, checked, and at the end their number."""
        start = self._empty = 0
        content = Content()
        for number, given in enumerate(self._stored.blocks(self.block_rows)):
            if not len(as_block(given)[0]):
                self._empty += 1
                continue
            block = check_block(given, number, start, self._shape, self._names)
            stop = start + len(block.rows)
            if self._weights is not None:
                block = Block(block.rows, self._weights[start:stop])
                self._check_enough_weights(stop)
            start = stop
            if self._stored.is_fixed:
                content = content.followed_by(block)
            yield block
        if expected is not None and start != expected:
            raise ValueError(
                f"{self._stored.label} gave {start} rows in this pass and {expected} in the "
                "first; the rows must stay the same during a fit"
            )
        self._content = self._content or content
        if content != self._content:
            raise ValueError(
                f"{self._stored.label} gave other rows in this pass than in the first; the rows "
                "must stay the same during a fit"
            )

    def _check_enough_weights(self, n_rows: int, *, exactly: bool = False) -> None:
        """Refuse weights that are fewer than the rows so far, or more than all of them."""
        n_weights = n_rows if self._weights is None else len(self._weights)
        if n_weights < n_rows or (exactly and n_weights > n_rows):
            raise ValueError(
                f"sample_weight must have one weight for each row, got {n_weights} for "
                f"{'' if exactly else 'at least '}{n_rows} rows"
            )


class ChunkedEngine(EngineBase):
    """One pass over rows that are read block by block.

    Each block goes to the engine for rows in memory, and the moments add up.

    Parameters
    ----------
    source : ChunkedSource
    units : Units
    view : View, optional
    threads : Threads, optional
        Shared with other engines over the same rows.
    """

    def __init__(
        self,
        source: ChunkedSource,
        units: Units,
        view: View | None = None,
        threads: Threads | None = None,
    ) -> None:
        super().__init__(view or View.joint(len(units.centre)))
        self._source, self._units = source, units
        self._threads = threads or Threads(source.n_threads)

    @property
    def n_rows(self) -> int:
        """Number of rows N with a positive weight."""
        return self._source.extent.n_rows

    def _through(self, view: View) -> ChunkedEngine:
        return ChunkedEngine(self._source, self._units, view, self._threads)

    def expect(self, components: Components) -> Moments:
        """Make one E-step: return the moments under the components' responsibilities."""
        blocks = self._source.blocks()
        parts = (self._over(block).expect(components) for block in blocks)
        return reduce(add, parts)

    def subsample(
        self, limit: int, rng: np.random.Generator, components: Components | None = None
    ) -> MemoryEngine:
        """Return an engine in memory over at most `limit` rows, gathered in one pass."""
        return self.thinned(limit, rng).subsample(limit, rng, components)

    def thinned(self, limit: int, rng: np.random.Generator) -> MemoryEngine | MissingEngine:
        """Return an engine in memory over at most `limit` rows, gathered in one pass."""
        chosen = draw(self.n_rows, limit, rng)
        parts, start = [], 0
        for block in self._source.blocks():
            stop = start + len(block.rows)
            inside = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, stop)] - start
            weights = None if block.weights is None else block.weights[inside]
            parts.append(Block(block.rows[inside], weights))
            start = stop
        return self._over(join(parts))

    def running(self) -> AbstractContextManager[None]:
        """Hold a pool of threads, with BLAS held to one thread in each."""
        return self._threads.running()

    def _over(self, block: Block) -> MemoryEngine | MissingEngine:
        return engine_over(
            block.rows,
            weights=block.weights,
            units=self._units,
            view=self._view,
            n_threads=self._threads,
        )


@dataclass(frozen=True, eq=False)
class _Census:
    """Count, extent and weights of the rows, from the first pass over them."""

    n_given: int
    extent: Extent
    equal: bool
    heaviest: float

    @property
    def factor(self) -> float:
        """Factor that scales the weights, as for an array."""
        return float(np.ldexp(1.0, weight_exponent(self.heaviest)))

    @property
    def unweighted(self) -> bool:
        """Whether each row counts as one."""
        return self.heaviest == 0 or (self.equal and self.heaviest * self.factor <= 1.0)

    @property
    def scaled(self) -> Extent:
        """The extent in scaled weights."""
        n_rows = float(self.extent.n_rows)
        weight = n_rows if self.unweighted else self.extent.weight * self.factor
        return replace(self.extent, weight=weight)


def _look(rows: Stored) -> tuple[Shape, tuple[str, ...] | None]:
    """Learn the columns from the first row."""
    for given in rows.blocks(1):
        if len(as_block(given)[0]):
            shape = shape_of(given)
            return shape, rows.names or shape.names
    raise ValueError(
        f"{rows.label} holds no rows: found 0 sample(s) while a minimum of 1 is required"
    )
