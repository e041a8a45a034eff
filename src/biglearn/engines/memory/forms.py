"""How a block of rows is computed: by compiled loops, or by NumPy's matrix products.

All forms give the same numbers up to rounding; `form_for` chooses in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from biglearn import kernels
from biglearn._types import Array, FloatArray
from biglearn.kernels.layouts import one_by_one, side_by_side, tiles, two_rows_at_once
from biglearn.model.blocks import entries, times
from biglearn.model.components import Components
from biglearn.model.densities import (
    LEAST_EXPONENT,
    LOWEST,
    Pairs,
    QuadraticDensity,
    WhitenedDensity,
    log_normaliser,
    normalise,
    outer_sums,
    quadratic_is_accurate,
)

if TYPE_CHECKING:
    from biglearn.kernels.row_loops import Passes

#: Bytes of a block: it should stay in the second-level cache.
_BLOCK_BYTES = 1 << 19

#: Up to this size of a view NumPy is fastest with quadratic features (see docs/explanation).
_FEATURES_SIZE = 40

#: Bytes of a line of the cache.
_LINE = 64

#: Registers of rows whose products are summed at a time: six such rows fit in the first-level
#: cache, and an odd number keeps them from competing for the same lines of it.
_CHUNK = 65


class Form(Protocol):
    """The arithmetic of a pass over blocks of rows of one size and type."""

    @property
    def pairs(self) -> Pairs:
        """The products y_i y_j that are summed."""
        ...

    @property
    def width(self) -> int:
        """How many numbers it holds for each row."""
        ...

    def block_rows(self, n_components: int) -> int:
        """Return the largest number of rows b of a block."""
        ...

    def new_block(self, n_rows: int) -> FloatArray:
        """Return room for a block; its first columns are room for a smaller one."""
        ...

    def new_shares(self, n_components: int, n_rows: int) -> FloatArray:
        """Return room for numbers (K, b); its first columns are room for fewer rows."""
        ...

    def new_sums(self, n_components: int) -> Array:
        """Return zeros for `add_sums`, in the form's own order."""
        ...

    def hold(self, rows: FloatArray, block: FloatArray) -> None:
        """Write projected rows (b, d) into a block, in the form's own layout."""
        ...

    def density(self, components: Components) -> Callable[[FloatArray, FloatArray], None]:
        """Return a function that writes log π_k N(y_n) of a block into another array, (K, b)."""
        ...

    def normalise(self, log_joint: FloatArray, background: FloatArray | None) -> FloatArray:
        """See `biglearn.model.densities.normalise`."""
        ...

    def add_sums(self, shares: FloatArray, block: FloatArray, sums: Array) -> None:
        """Add the products y_i y_j, y and 1 of a block, weighted by shares (K, b), to sums."""
        ...

    def unpack(self, sums: Array) -> tuple[Array, Array, Array]:
        """Split sums into counts (K,), first (K, d) and second moments, as `Pairs.unpack`."""
        ...


def form_for(size: int, dtype: np.dtype[Any], *, diagonal: bool = False) -> Form:
    """Return the fastest form for d features of a view.

    Parameters
    ----------
    size : int
        d.
    dtype : dtype
        float64 or float32.
    diagonal : bool
        Whether only the squares are summed, and covariances are diagonal.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.engines.memory.forms import form_for
    >>> form = form_for(2, np.dtype(np.float64))
    >>> block, sums = form.new_block(1), form.new_sums(1)
    >>> form.hold(np.array([[2.0, 3.0]]), block)
    >>> form.add_sums(np.ones((1, 1)), block, sums)
    >>> form.unpack(sums)
    (array([1.]), array([[2., 3.]]), array([[[4., 6.],
            [6., 9.]]]))
    """
    return _form(size, dtype, diagonal, kernels.passes(dtype))


@lru_cache(maxsize=64)
def _form(size: int, dtype: np.dtype[Any], diagonal: bool, loops: Passes | None) -> Form:
    """Make a form once; the blocks that an engine keeps belong to it."""
    pairs = Pairs.of(size, diagonal=diagonal)
    if loops is not None:
        return _CompiledForm(pairs, dtype, loops)
    if diagonal or size <= _FEATURES_SIZE:
        return _FeatureForm(pairs, dtype, pairs.n_features)
    return _WideForm(pairs, dtype, size)


class _NumPyForm:
    """Base class of forms without compiled loops."""

    def __init__(self, pairs: Pairs, dtype: np.dtype[Any], width: int) -> None:
        self.pairs, self._dtype, self.width = pairs, dtype, width

    def normalise(self, log_joint: FloatArray, background: FloatArray | None) -> FloatArray:
        return normalise(log_joint, background)

    def new_block(self, n_rows: int) -> FloatArray:
        return np.empty((self.width, n_rows), dtype=self._dtype)

    def new_shares(self, n_components: int, n_rows: int) -> FloatArray:
        return np.empty((n_components, n_rows), dtype=self._dtype)

    def new_sums(self, n_components: int) -> Array:
        return np.zeros((n_components, self.pairs.n_features))

    def unpack(self, sums: Array) -> tuple[Array, Array, Array]:
        return self.pairs.unpack(sums)


class _FeatureForm(_NumPyForm):
    """Two matrix products with the quadratic features: for few features of a view."""

    def block_rows(self, n_components: int) -> int:
        return min(max(2 * _BLOCK_BYTES // (self.width * self._dtype.itemsize), 256), 2048)

    def hold(self, rows: FloatArray, block: FloatArray) -> None:
        self.pairs.fill(np.ascontiguousarray(rows.T, dtype=self._dtype), block)

    def density(self, components: Components) -> Callable[[FloatArray, FloatArray], None]:
        if quadratic_is_accurate(components, self._dtype):
            quadratic = QuadraticDensity(components, self.pairs, self._dtype)
            return lambda block, out: np.copyto(out, quadratic.log_joint(block))
        whitened, rows = WhitenedDensity(components, self._dtype), slice(-self.pairs.size - 1, -1)
        return lambda block, out: np.copyto(out, whitened.log_joint(block[rows]))

    def add_sums(self, shares: FloatArray, block: FloatArray, sums: Array) -> None:
        sums += shares @ block.T


class _WideForm(_NumPyForm):
    """Products of whitened rows and of weighted ones, per component: for many features."""

    def block_rows(self, n_components: int) -> int:
        per_row = self.width * n_components * self._dtype.itemsize
        return min(max(2 * _BLOCK_BYTES // per_row, 256), 2048)

    def hold(self, rows: FloatArray, block: FloatArray) -> None:
        block[:] = rows.T

    def density(self, components: Components) -> Callable[[FloatArray, FloatArray], None]:
        whitened = WhitenedDensity(components, self._dtype)
        return lambda block, out: np.copyto(out, whitened.log_joint(block))

    def add_sums(self, shares: FloatArray, block: FloatArray, sums: Array) -> None:
        sums += outer_sums(shares, block)


class _CompiledForm:
    """Compiled loops over whitened rows and over products: nothing is stored per pair."""

    def __init__(self, pairs: Pairs, dtype: np.dtype[Any], loops: Passes) -> None:
        size = pairs.size
        self.pairs, self._dtype, self._loops, self.width = pairs, dtype, loops, size + 1
        left = np.concatenate([pairs.left, np.arange(size + 1)]).astype(np.int64)
        right = np.concatenate([pairs.right, np.full(size + 1, size)]).astype(np.int64)
        ones = np.full(-len(left) % loops.products, size)  # of no use, to fill a group
        self._left, self._right = np.append(left, ones), np.append(right, ones)
        self._places, self._n_places = tiles(left, right, loops.products)
        self._order = two_rows_at_once(size, diagonal=pairs.diagonal)
        self._no_background = np.empty(0, dtype=dtype)

    def _by_component(self, n_components: int) -> bool:
        return not self.pairs.diagonal and one_by_one(self.pairs.size, n_components)

    def block_rows(self, n_components: int) -> int:
        per_row = (self.width + n_components) * self._dtype.itemsize
        return 128 * min(max(_BLOCK_BYTES // (128 * per_row), 4), 64)

    def new_block(self, n_rows: int) -> FloatArray:
        return _apart(self.width, n_rows, self._dtype)

    def new_shares(self, n_components: int, n_rows: int) -> FloatArray:
        return _apart(n_components, n_rows, self._dtype)

    def new_sums(self, n_components: int) -> Array:
        tiled = self._by_component(n_components)
        return np.zeros((n_components, self._n_places if tiled else len(self._left)))

    def hold(self, rows: FloatArray, block: FloatArray) -> None:
        block[:-1], block[-1] = rows.T, 1.0

    def density(self, components: Components) -> Callable[[FloatArray, FloatArray], None]:
        size, n_components = self.pairs.size, components.n_components
        centre = np.zeros((n_components, size + size % 2))
        centre[:, :size] = times(components.whitening_blocks, components.means)
        half = np.full((n_components, 1), -0.5)
        top = log_normaliser(components)[:, None]
        rows, columns = self._order
        triangle = entries(components.whitening_blocks, np.minimum(rows, size - 1), columns)
        triangle[:, rows == size] = 0.0
        numbers = np.concatenate([-centre, half, top, triangle], axis=1)
        parameters = side_by_side(numbers, self._loops.pair).astype(self._dtype)
        first = int(self.pairs.diagonal)

        def log_joint(block: FloatArray, out: FloatArray) -> None:
            strip = _aligned((size, self._loops.strip), self._dtype)
            spare = _aligned((n_components, self._loops.strip), self._dtype)
            self._loops.log_joint(block[:-1], parameters, first, out, strip, spare)

        return log_joint

    def normalise(self, log_joint: FloatArray, background: FloatArray | None) -> FloatArray:
        spare = np.empty((len(log_joint) + 3, self._loops.lanes), dtype=self._dtype)
        found = np.empty((2, log_joint.shape[1]), dtype=self._dtype)
        least, lowest = LEAST_EXPONENT[self._dtype], LOWEST[self._dtype]
        behind = self._no_background if background is None else background
        self._loops.normalise(log_joint, behind, least, lowest, found, spare)
        return np.asarray(found[0] + np.log(found[1]))

    def add_sums(self, shares: FloatArray, block: FloatArray, sums: Array) -> None:
        lanes = self._loops.lanes
        n_pairs = 0 if self._by_component(len(shares)) else len(self._left)
        products = _aligned((self._loops.products, _CHUNK * lanes), self._dtype)
        spare = np.empty((len(shares) + len(block), lanes), dtype=self._dtype)
        left, right = self._left[:n_pairs], self._right[:n_pairs]
        self._loops.add_sums(shares, block, left, right, sums, products, spare)

    def unpack(self, sums: Array) -> tuple[Array, Array, Array]:
        tiled = self._by_component(len(sums))
        return self.pairs.unpack(sums[:, self._places if tiled else slice(self.pairs.n_features)])


def _aligned(shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
    """Return room that begins at a line of the cache, which numbers in a register then share."""
    n_bytes = shape[0] * shape[1] * dtype.itemsize
    room = np.empty(n_bytes + _LINE, dtype=np.uint8)
    first = -room.ctypes.data % _LINE
    return room[first : first + n_bytes].view(dtype).reshape(shape)


def _apart(n_rows: int, n_columns: int, dtype: np.dtype[Any]) -> FloatArray:
    """Return room whose rows lie an odd number of lines apart, so that they share the cache."""
    per_line = _LINE // dtype.itemsize
    return _aligned((n_rows, per_line * (-(-n_columns // per_line) | 1)), dtype)[:, :n_columns]
