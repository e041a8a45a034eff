"""Rows in memory: cache-sized blocks, spread over threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from biglearn._types import Array, FloatArray, IntArray
from biglearn.engines.base import Block, EngineBase
from biglearn.engines.memory.forms import Form, form_for
from biglearn.engines.memory.threads import Threads
from biglearn.engines.rows.samples import draw
from biglearn.engines.rows.units import Units
from biglearn.model.components import Components
from biglearn.model.densities import Tails, scale_sums
from biglearn.model.families import GAUSSIAN, Family
from biglearn.model.moments import Moments
from biglearn.model.structures import FULL, Structure
from biglearn.model.views import View

#: Blocks up to this size in all are kept between the steps in a view.
_CACHE_BYTES = 1 << 26

#: Blocks are summed in this many groups, whatever the number of threads, so
#: that the order of summation, and so the result, never depends on it.
_GROUPS = 16

#: Blocks have a multiple of so many rows, but for the last one.
_STEP = 32

#: Passes with fewer multiplications are not worth waking a thread for.
_SMALL_WORK = 4_000_000

#: From the numbers of some rows, a block of them and room (K, b) for their responsibilities, to
#: their log-densities (b,), and E(u) of components with tails (K, b).
Respond = Callable[[slice, FloatArray, FloatArray], tuple[FloatArray, FloatArray | None]]


@dataclass
class _Sums:
    """Sums over a group of blocks: Σ r y_i y_j, (K, P), and those of a family with tails."""

    products: Array
    extra: Array | None = None
    log_likelihood: float = 0.0

    def add_extra(self, extra: Array | None) -> None:
        if extra is not None:
            self.extra = extra if self.extra is None else self.extra + extra

    def plus(self, other: _Sums) -> _Sums:
        """Add other sums to these."""
        self.products += other.products
        self.add_extra(other.extra)
        self.log_likelihood += other.log_likelihood
        return self


@dataclass
class _Workspace:
    """Work space of a thread, for a block of b rows.

    For shares (K, b), for rows (b, D), and for the block where it is not kept.
    """

    shares: FloatArray
    rows: Array
    block: FloatArray | None


class MemoryEngine(EngineBase):
    """One pass over rows that live in an array.

    Parameters
    ----------
    X : array of shape (N, D)
        float64 or float32; any memory order, read only is fine.
    weights : array of shape (N,), optional
        Weight of each row; 1 if left out.
    units : Units, optional
        Coordinates to compute in; the user's own if left out.
    view : View, optional
        View of them; all features if left out.
    n_threads : int or Threads
        Threads for a pass; a `Threads` is shared with other engines.
    dtype : dtype, optional
        Of the products (float64 or float32); that of X if left out.  Sums over
        blocks are always float64.
    background : array of shape (N,), optional
        Log-density that each row has from elsewhere, such as components that
        stay as they are: part of p(x_n) in every E-step.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.engines import MemoryEngine
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> mixture = Mixture([0.5, 0.5], [[0.0], [5.0]], [[[1.0]], [[1.0]]])
    >>> MemoryEngine(X).expect(mixture).counts.round(4)
    array([1.9994, 1.0006])
    """

    def __init__(
        self,
        X: FloatArray,
        *,
        weights: Array | None = None,
        units: Units | None = None,
        view: View | None = None,
        n_threads: int | Threads = 1,
        dtype: np.dtype[np.floating] | None = None,
        background: Array | None = None,
    ) -> None:
        super().__init__(view or View.joint(X.shape[1]))
        self._X = X
        self._weights = weights
        self._units = units or Units.identity(X.shape[1])
        self._threads = n_threads if isinstance(n_threads, Threads) else Threads(n_threads)
        self._dtype = np.dtype(dtype or (np.float32 if X.dtype == np.float32 else np.float64))
        self._background = None if background is None else background.astype(self._dtype)
        self._total = float(len(X)) if weights is None else float(weights.sum())
        self._count = len(X) if weights is None else int((weights > 0).sum())
        self._passes = 0
        self._kept: dict[int, FloatArray] = {}
        self._kept_in: tuple[Form, int] | None = None
        self._block_of_all: Block | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows N with a positive weight."""
        return self._count

    def _through(self, view: View) -> MemoryEngine:
        return MemoryEngine(
            self._X,
            weights=self._weights,
            units=self._units,
            view=view,
            n_threads=self._threads,
            dtype=self._dtype,
        )

    def expect(self, components: Components) -> Moments:
        """Make one E-step: return the moments under the components' responsibilities."""
        form = self._form(components.block_size)
        respond = self._respond(form, components)
        moments = self._collect(respond, form, components.n_components, components.family)
        return moments.completed(components, self.n_features)

    def _form(self, block_size: int) -> Form:
        """Return the form for covariances in blocks of a size."""
        return form_for(self.n_features, self._dtype, diagonal=block_size == 1)

    def _respond(self, form: Form, components: Components) -> Respond:
        """Return what turns a block of rows into responsibilities under components."""
        write_log_joint = form.density(components)
        tails = Tails.of(components, self._dtype)

        def respond(
            rows: slice, block: FloatArray, shares: FloatArray
        ) -> tuple[FloatArray, FloatArray | None]:
            write_log_joint(block, shares)
            scales = None if tails is None else tails.apply(shares)
            background = None if self._background is None else self._background[rows]
            return form.normalise(shares, background), scales

        return respond

    def moments_of(self, responsibilities: Array, structure: Structure = FULL) -> Moments:
        """Return the moments under given responsibilities, (N, K), that a structure needs."""

        def given(rows: slice, block: FloatArray, shares: FloatArray) -> tuple[FloatArray, None]:
            shares[:] = responsibilities[rows].T
            return np.zeros(shares.shape[1], dtype=self._dtype), None

        form = self._form(structure.block_size(self.n_features))
        return self._collect(given, form, responsibilities.shape[1], GAUSSIAN)

    def subsample(
        self, limit: int, rng: np.random.Generator, components: Components | None = None
    ) -> MemoryEngine:
        """Return an engine over at most `limit` rows, drawn without replacement."""
        return self.thinned(limit, rng)

    def thinned(self, limit: int, rng: np.random.Generator) -> MemoryEngine:
        """Return an engine over at most `limit` rows, drawn without replacement."""
        if len(self._X) <= limit:
            return self
        return self.select(draw(len(self._X), limit, rng))

    def block(self, n_components: int, most: float) -> Block | None:
        """Return all rows where a pass over them is at most so many multiplications."""
        if len(self._X) * n_components * (self.n_features + 1) ** 2 / 2 > most:
            return None
        if self._block_of_all is None:
            rows = np.ones((self.n_features + 1, len(self._X)))
            rows[:-1] = self.rows().T
            weights, background = self._weights, self._background
            # rows of weight 1 are summed as those without weights, to the last bit
            if weights is not None:
                weights = None if (weights == 1.0).all() else np.array(weights, dtype=np.float64)
            if background is not None:
                background = background.astype(np.float64)
            self._block_of_all = Block(rows, weights, background)
        return self._block_of_all

    def responsibilities(self, components: Components) -> tuple[Array, Array]:
        """Return the log-density of each row, shape (N,), and the responsibilities, (N, K)."""
        form = self._form(components.block_size)
        respond = self._respond(form, components)
        shares = np.empty((components.n_components, len(self._X)))
        log_density = np.empty(len(self._X))
        size = form.block_rows(components.n_components)
        for start in range(0, len(self._X), size):
            rows = slice(start, min(start + size, len(self._X)))
            block = form.new_block(rows.stop - start)
            form.hold(self._project(rows, np.empty((size, self._X.shape[1]))), block)
            room = form.new_shares(components.n_components, rows.stop - start)
            log_density[rows], _ = respond(rows, block, room)
            shares[:, rows] = room
        return log_density, shares.T

    def select(
        self,
        chosen: IntArray,
        *,
        background: Array | None = None,
        weights: Array | None = None,
    ) -> MemoryEngine:
        """Return an engine over the chosen rows, with a background of their own."""
        if weights is None and self._weights is not None:
            weights = self._weights[chosen]
        return MemoryEngine(
            self._X[chosen],
            weights=weights,
            units=self._units,
            view=self._view,
            n_threads=self._threads,
            dtype=self._dtype,
            background=background,
        )

    def rows(self) -> Array:
        """Return all rows in the engine's units, shape (N, d)."""
        return self._project(slice(None), np.empty(self._X.shape))

    @property
    def weights(self) -> Array | None:
        """Weight of each row, shape (N,), or None where all are 1."""
        return self._weights

    def running(self) -> AbstractContextManager[None]:
        """Hold a pool of threads, with BLAS held to one thread in each."""
        return self._threads.running()

    def _project(self, rows: slice, room: Array) -> Array:
        """Return rows in units and view, shape (b, d); room for (b, D) numbers is overwritten."""
        given = self._X[rows]
        scaled = room[: len(given)]
        np.subtract(given, self._units.centre, out=scaled)
        scaled /= self._units.scale
        return self._view.rows(scaled)

    def _collect(self, respond: Respond, form: Form, n_components: int, family: Family) -> Moments:
        """Sum the products of all rows, weighted by responsibilities."""
        work = len(self._X) * n_components * form.pairs.n_features
        n_blocks = -(-len(self._X) // form.block_rows(n_components))
        if work > _SMALL_WORK:  # all but equal shares for an even number of threads
            n_blocks = _up(n_blocks, _GROUPS if n_blocks > _GROUPS else 2)
        size = _up(-(-len(self._X) // n_blocks), _STEP)
        blocks = range(0, len(self._X), size)
        per_group = -(-len(blocks) // _GROUPS)
        groups = [blocks[i : i + per_group] for i in range(0, len(blocks), per_group)]
        self._passes += 1
        # rows that are asked once are not worth a copy
        keep = form.width * len(self._X) * self._dtype.itemsize <= _CACHE_BYTES * (self._passes > 1)
        if self._kept_in != (form, size):  # blocks of another size are of no use any more
            self._kept, self._kept_in = {}, (form, size)

        rooms: deque[_Workspace] = deque()  # left by threads, at most one of each

        def room_left() -> _Workspace:
            try:
                return rooms.pop()
            except IndexError:
                return _Workspace(
                    shares=form.new_shares(n_components, size),
                    rows=np.empty((size, self._X.shape[1])),
                    block=None if keep else form.new_block(size),
                )

        def run(group: range) -> _Sums:
            total = _Sums(form.new_sums(n_components))
            room = room_left()
            for start in group:
                rows = slice(start, min(start + size, len(self._X)))
                shares = room.shares[:, : rows.stop - start]
                block = self._block(form, rows, room.rows, room.block)
                log_density, scales = respond(rows, block, shares)
                if self._weights is not None:
                    weights = self._weights[rows].astype(self._dtype)
                    shares *= weights
                    log_density = np.where(weights > 0, log_density, 0.0) * weights
                total.log_likelihood += float(log_density.sum(dtype=np.float64))
                if scales is not None:
                    total.add_extra(scale_sums(family, shares, scales))
                    shares *= scales
                form.add_sums(shares, block, total.products)
            rooms.append(room)
            return total

        threads = self._threads if work > _SMALL_WORK else Threads(1)
        total = threads.fold(run, groups, _Sums.plus)
        counts, first, second = form.unpack(total.products)
        scaled, statistics = counts, np.empty((n_components, 0))
        if total.extra is not None:  # rows count by their scales
            counts, statistics = total.extra[:, 0], total.extra[:, 1:]
        return Moments(
            counts=counts,
            first=first,
            second=second,
            log_likelihood=total.log_likelihood,
            total=self._total,
            rows=self._count,
            reference=np.zeros(self.n_features),
            scaled_counts=scaled,
            statistics=statistics,
        )

    def _block(self, form: Form, rows: slice, room: Array, block: FloatArray | None) -> FloatArray:
        """Return a block of rows in the form's layout: written into `block`, or kept for good."""
        if block is None and rows.start in self._kept:
            return self._kept[rows.start]
        n_rows = rows.stop - rows.start
        out = form.new_block(n_rows) if block is None else block[:, :n_rows]
        form.hold(self._project(rows, room), out)
        if block is None:
            self._kept[rows.start] = out
        return out


def _up(number: int, step: int) -> int:
    """Round up to a multiple."""
    return -(-number // step) * step
