"""Stacks of symmetric matrices with equal blocks on their diagonals, and zeros elsewhere.

K matrices of D x D are an array of shape (K, D, D), or, where each consists of B blocks of
m x m with B m = D, one of shape (K, B, m, m): with m = 1 the diagonals alone.  Products,
factors and eigenvalues of blocks are those of the matrices, so what works on the last two
axes works on both; these functions do the rest, and nothing else asks which it has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from biglearn._types import Array, IntArray


def shape_of(n_features: int, size: int) -> tuple[int, ...]:
    """Return the shape of one matrix in blocks of a size, which divides D.

    Examples
    --------
    >>> from biglearn.model.blocks import shape_of
    >>> shape_of(6, 6), shape_of(6, 1)
    ((6, 6), (6, 1, 1))
    """
    return (size, size) if size == n_features else (n_features // size, size, size)


def n_features_of(blocks: Array) -> int:
    """Return D."""
    return int(np.prod(blocks.shape[1:-1]))


def whole(blocks: Array) -> Array:
    """Return the matrices themselves, shape (K, D, D)."""
    return in_blocks(blocks, n_features_of(blocks))


def in_blocks(blocks: Array, size: int) -> Array:
    """Return the same matrices in blocks of another size, without what is outside of these.

    One of the sizes divides the other.

    Examples
    --------
    >>> from typing import Any

    import numpy as np
    >>> from biglearn.model.blocks import in_blocks
    >>> diagonal = in_blocks(np.array([[[1.0, 2.0], [2.0, 5.0]]]), 1)
    >>> diagonal.shape, in_blocks(diagonal, 2)
    ((1, 2, 1, 1), array([[[1., 0.],
            [0., 5.]]]))
    """
    given = blocks.shape[-1]
    if given == size:
        return blocks
    out = np.zeros((len(blocks), *shape_of(n_features_of(blocks), size)))
    places = _pieces(out, min(given, size))
    places[:] = _pieces(blocks, min(given, size)).reshape(places.shape)
    return out


def _pieces(blocks: Array, size: int) -> Array:
    """Return a view of the blocks of a size on the diagonals of larger ones, (K, B, b, m, m)."""
    n_matrices, given = len(blocks), blocks.shape[-1]
    pieces = blocks.reshape(n_matrices, -1, given // size, size, given // size, size)
    return np.asarray(np.einsum("kbisit->kbist", pieces))


def split(vectors: NDArray[Any], blocks: Array) -> NDArray[Any]:
    """Return vectors, (K, D), in parts as long as blocks, shape (K, D) or (K, B, m)."""
    return vectors.reshape(len(vectors), *blocks.shape[1:-1])


def outer(left: Array, right: Array, like: Array) -> Array:
    """Return l rᵀ of vectors, (K, D) each, within the blocks of a stack."""
    return np.asarray(split(left, like)[..., :, None] * split(right, like)[..., None, :])


def weighted_outer(weights: Array, vectors: Array, like: Array) -> Array:
    """Return Σ_k w_k v_k v_kᵀ of vectors, (K, D), within the blocks of a stack: one matrix."""
    parts = np.moveaxis(split(vectors, like), 0, -1)
    return np.asarray((parts * weights) @ np.swapaxes(parts, -1, -2))


def scaled(blocks: Array, scale: Array) -> Array:
    """Return diag(s) Σ diag(s), for s of shape (D,)."""
    each = scale.reshape(blocks.shape[1:-1])
    return np.asarray(blocks * each[..., :, None] * each[..., None, :])


def unscaled(blocks: Array, scale: Array) -> Array:
    """Return diag(s)⁻¹ Σ diag(s)⁻¹, for s of shape (D,)."""
    each = scale.reshape(blocks.shape[1:-1])
    return np.asarray(blocks / each[..., :, None] / each[..., None, :])


def diagonals(blocks: Array) -> Array:
    """Return the diagonals, shape (K, D)."""
    return np.diagonal(blocks, axis1=-2, axis2=-1).reshape(len(blocks), -1)


def each(values: NDArray[Any], blocks: Array) -> NDArray[Any]:
    """Return one number for each matrix, (K,), in a shape that multiplies the stack."""
    return values.reshape(-1, *(1,) * (blocks.ndim - 1))


def times(blocks: Array, vectors: Array) -> Array:
    """Return M_k v_k of vectors, shape (K, D)."""
    products = np.einsum("...ij,...j->...i", blocks, split(vectors, blocks))
    return np.asarray(products.reshape(len(vectors), -1))


def under(matrix: Array, rows: Array) -> Array:
    """Return M y of rows, (n, D), for one matrix in blocks."""
    parts = np.moveaxis(rows.reshape(len(rows), *matrix.shape[:-1]), 0, -2)
    products = parts @ np.swapaxes(matrix, -1, -2)
    return np.moveaxis(products, -2, 0).reshape(len(rows), -1)


def gram(roots: Array) -> Array:
    """Return Wᵀ W, such as the precisions of whitenings W."""
    return np.asarray(np.swapaxes(roots, -2, -1) @ roots)


def averaged(weights: Array, blocks: Array) -> Array:
    """Return Σ_k w_k M_k, one matrix in blocks."""
    return np.asarray(np.einsum("k,k...->...", weights, blocks))


def sums_of(values: Array) -> Array:
    """Return the sum of all numbers of each matrix, or of whatever is its own, shape (K,)."""
    return np.asarray(values.sum(axis=tuple(range(1, values.ndim))))


def entries(blocks: Array, rows: IntArray, columns: IntArray) -> Array:
    """Return elements (i, j) of the matrices, shape (K, P)."""
    size = blocks.shape[-1]
    pieces = blocks.reshape(len(blocks), -1, size, size)
    (row, i), (column, j) = np.divmod(rows, size), np.divmod(columns, size)
    return np.where(row == column, pieces[:, row, i, j], 0.0)


def selected(blocks: Array, columns: IntArray) -> Array:
    """Return the matrices of some of the features: a copy, in blocks where these are of 1 x 1."""
    if blocks.shape[-1] == 1 and len(columns):
        chosen = np.ascontiguousarray(blocks.reshape(len(blocks), -1)[:, columns])
        return chosen.reshape(len(blocks), *shape_of(len(columns), 1))
    return np.ascontiguousarray(whole(blocks)[:, columns[:, None], columns])


def seen(blocks: Array, basis: Array) -> Array:
    """Return B Σ Bᵀ for a basis (d, D), shape (K, d, d)."""
    return np.asarray(applied(blocks, basis) @ basis.T)


def applied(blocks: Array, basis: Array) -> Array:
    """Return B Σ for a basis (d, D), shape (K, d, D)."""
    if blocks.ndim == 3:
        return np.asarray(basis @ blocks)
    parts = np.swapaxes(basis.reshape(len(basis), *blocks.shape[1:-1]), 0, 1)
    return np.swapaxes(parts @ blocks, 1, 2).reshape(len(blocks), len(basis), -1)


def eigh(blocks: Array) -> tuple[Array, Array]:
    """Return eigenvalues and eigenvectors of the blocks; ascending within each."""
    if blocks.shape[-1] == 1:  # LAPACK takes a microsecond for each
        return blocks[..., 0], np.ones_like(blocks)
    return np.linalg.eigh(blocks)


def rebuilt(values: Array, vectors: Array) -> Array:
    """Return V diag(λ) Vᵀ of eigenvalues and eigenvectors of blocks."""
    return np.asarray((vectors * values[..., None, :]) @ np.swapaxes(vectors, -2, -1))


def side_by_side(blocks: Array) -> Array:
    """Return the blocks of all K matrices one below the other, shape (B, K m, m).

    They multiply rows, (B, m, n), by one product, or one for each of the B blocks, whatever
    K is.  Vectors, (K, D, 1) or (K, B, m, 1), are laid out likewise.
    """
    n_matrices, (rows, columns) = len(blocks), blocks.shape[-2:]
    parts = np.swapaxes(blocks.reshape(n_matrices, -1, rows, columns), 0, 1)
    return parts.reshape(len(parts), n_matrices * rows, columns)
