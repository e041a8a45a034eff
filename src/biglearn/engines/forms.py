"""How a block of rows is computed: by compiled loops, or by NumPy's matrix products.

All forms give the same numbers up to rounding; `form_for` chooses in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from biglearn import kernels
from biglearn._linalg import Array, FloatArray, IntArray
from biglearn.densities import (
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
from biglearn.mixture import Mixture

if TYPE_CHECKING:
    from biglearn.kernels.row_loops import Passes

#: Bytes of a block: it should stay in the second-level cache.
_BLOCK_BYTES = 1 << 19

#: Up to this size of a view NumPy is fastest with quadratic features (see docs/explanation).
_FEATURES_SIZE = 40


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
        """Return zeros for `add_sums`; the first P columns are in the order of the pairs."""
        ...

    def hold(self, rows: FloatArray, block: FloatArray) -> None:
        """Write projected rows (b, d) into a block, in the form's own layout."""
        ...

    def density(self, mixture: Mixture) -> Callable[[FloatArray, FloatArray], None]:
        """Return what writes log π_k N(y_n) of a block into its second argument, (K, b)."""
        ...

    def normalise(self, log_joint: FloatArray, background: FloatArray | None) -> FloatArray:
        """See `biglearn.densities.normalise`."""
        ...

    def add_sums(self, shares: FloatArray, block: FloatArray, sums: Array) -> None:
        """Add the products y_i y_j, y and 1 of a block, weighted by shares (K, b), to sums."""
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
    >>> from biglearn.engines.forms import form_for
    >>> form = form_for(2, np.dtype(np.float64))
    >>> block, sums = form.new_block(1), form.new_sums(1)
    >>> form.hold(np.array([[2.0, 3.0]]), block)
    >>> form.add_sums(np.ones((1, 1)), block, sums)
    >>> sums[0, :6]  # y₁², y₁y₂, y₂², y₁, y₂, 1
    array([4., 6., 9., 2., 3., 1.])
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
    """What forms without compiled loops share."""

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


class _FeatureForm(_NumPyForm):
    """Two matrix products with the quadratic features: for few features of a view."""

    def block_rows(self, n_components: int) -> int:
        return min(max(2 * _BLOCK_BYTES // (self.width * self._dtype.itemsize), 256), 2048)

    def hold(self, rows: FloatArray, block: FloatArray) -> None:
        self.pairs.fill(np.ascontiguousarray(rows.T, dtype=self._dtype), block)

    def density(self, mixture: Mixture) -> Callable[[FloatArray, FloatArray], None]:
        if quadratic_is_accurate(mixture, self._dtype):
            quadratic = QuadraticDensity(mixture, self.pairs, self._dtype)
            return lambda block, out: np.copyto(out, quadratic.log_joint(block))
        whitened, rows = WhitenedDensity(mixture, self._dtype), slice(-self.pairs.size - 1, -1)
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

    def density(self, mixture: Mixture) -> Callable[[FloatArray, FloatArray], None]:
        whitened = WhitenedDensity(mixture, self._dtype)
        return lambda block, out: np.copyto(out, whitened.log_joint(block))

    def add_sums(self, shares: FloatArray, block: FloatArray, sums: Array) -> None:
        sums += outer_sums(shares, block)


class _CompiledForm:
    """Compiled loops over whitened rows and over products: nothing is stored per pair."""

    def __init__(self, pairs: Pairs, dtype: np.dtype[Any], loops: Passes) -> None:
        size = pairs.size
        self.pairs, self._dtype, self._loops, self.width = pairs, dtype, loops, size + 1
        ones = np.full(-pairs.n_features % loops.products, size)  # of no use, to fill a group
        self._left = np.concatenate([pairs.left, np.arange(size + 1), ones]).astype(np.int64)
        self._right = np.concatenate([pairs.right, np.full(size + 1, size), ones]).astype(np.int64)
        self._order = _two_rows_at_once(size, diagonal=pairs.diagonal)
        self._no_background = np.empty(0, dtype=dtype)

    def block_rows(self, n_components: int) -> int:
        per_row = (self.width + n_components) * self._dtype.itemsize
        return 128 * min(max(_BLOCK_BYTES // (128 * per_row), 2), 64)

    def new_block(self, n_rows: int) -> FloatArray:
        # two registers more, so that the rows do not compete for the same lines of a cache
        room = np.empty((self.width, n_rows + 2 * self._loops.lanes), dtype=self._dtype)
        return room[:, :n_rows]

    def new_shares(self, n_components: int, n_rows: int) -> FloatArray:
        room = np.empty((n_components, n_rows + 2 * self._loops.lanes), dtype=self._dtype)
        return room[:, :n_rows]

    def new_sums(self, n_components: int) -> Array:
        return np.zeros((n_components, len(self._left)))

    def hold(self, rows: FloatArray, block: FloatArray) -> None:
        block[:-1], block[-1] = rows.T, 1.0

    def density(self, mixture: Mixture) -> Callable[[FloatArray, FloatArray], None]:
        whitening, n_components = mixture.whitening, mixture.n_components
        centre = np.einsum("kij,kj->ki", whitening, mixture.means)
        half = np.full((n_components, 1), -0.5)
        top = log_normaliser(mixture)[:, None]
        nothing = np.zeros((n_components, self.pairs.size % 2))
        triangle = np.insert(whitening, self.pairs.size, 0.0, axis=1)[:, self._order[0], self._order[1]]
        parameters = self._side_by_side(np.concatenate([-centre, nothing, half, top, triangle], axis=1))
        first = int(self.pairs.diagonal)

        def log_joint(block: FloatArray, out: FloatArray) -> None:
            strip = np.empty((self.pairs.size, self._loops.strip), dtype=self._dtype)
            spare = np.empty((n_components, self._loops.strip), dtype=self._dtype)
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
        products = np.empty((self._loops.products, _CHUNK * lanes), dtype=self._dtype)
        spare = np.empty((len(shares) + len(block), lanes), dtype=self._dtype)
        self._loops.add_sums(shares, block, self._left, self._right, sums, products, spare)

    def _side_by_side(self, numbers: Array) -> FloatArray:
        """Lay out numbers (K, m) as the loops read them: those of a pair interleaved."""
        pair, (n_components, width) = self._loops.pair, numbers.shape
        even = n_components - n_components % pair
        pairs = numbers[:even].reshape(-1, pair, width).swapaxes(1, 2)
        return np.concatenate([pairs.ravel(), numbers[even:].ravel()]).astype(self._dtype)


def _two_rows_at_once(size: int, *, diagonal: bool) -> tuple[IntArray, IntArray]:
    """Return the order (i, j) in which `log_joint` reads a triangle: two rows side by side."""
    order = [
        (row, j)
        for i in range(0, size, 2)
        for j in range(i if diagonal else 0, min(i + 2, size))
        for row in (i, i + 1)
    ]
    rows, columns = np.array(order).T
    return rows, columns
