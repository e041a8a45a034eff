"""Triangular factors of a stack of small matrices, compiled.

LAPACK's calls cost more than their arithmetic there, and one matrix that has no factor makes
NumPy refuse the whole stack.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import boolean, float64, types

from biglearn.kernels.compiling import compiled


def factorise(matrices, upper, sound):
    """Write Cholesky factors U with Uᵀ U = A; all rows run along contiguous memory.

    Parameters
    ----------
    matrices : array of shape (K, d, d)
        Symmetric; the upper triangles are read.
    upper : array of shape (K, d, d)
        Gets the factors, with zeros below the diagonal.
    sound : array of bool, shape (K,)
        Gets whether the matrix is positive definite; if not its factor is not whole.
    """
    size = matrices.shape[1]
    for k in range(len(matrices)):
        u = upper[k]
        for i in range(size):
            for j in range(size):
                u[i, j] = matrices[k, i, j] if j >= i else 0.0
        sound[k] = True
        for i in range(size):
            pivot = u[i, i]
            if not pivot > 0.0:  # NaN neither
                sound[k] = False
                break
            root = np.sqrt(pivot)
            for j in range(i, size):
                u[i, j] /= root
            for row in range(i + 1, size):
                factor = u[i, row]
                for j in range(row, size):
                    u[row, j] -= factor * u[i, j]


def invert(upper, inverse, lower):
    """Write the inverses U⁻¹ of upper triangular matrices, transposed.

    Parameters
    ----------
    upper : array of shape (K, d, d)
    inverse : array of shape (d, d)
        Work space.
    lower : array of shape (K, d, d)
        Gets U⁻ᵀ, with zeros above the diagonal.
    """
    size = upper.shape[1]
    for k in range(len(upper)):
        u = upper[k]
        for i in range(size - 1, -1, -1):
            for j in range(size):
                inverse[i, j] = 0.0
            for row in range(i + 1, size):
                factor = u[i, row]
                for j in range(row, size):
                    inverse[i, j] -= factor * inverse[row, j]
            pivot = u[i, i]
            for j in range(i + 1, size):
                inverse[i, j] /= pivot
            inverse[i, i] = 1.0 / pivot
        for i in range(size):
            for j in range(size):
                lower[k, i, j] = inverse[j, i]


class Triangles(NamedTuple):
    """The loops, compiled."""

    factorise: Callable[..., None]
    invert: Callable[..., None]


@lru_cache(maxsize=1)
def triangles() -> Triangles:
    """Compile the loops, or load them from an earlier process."""
    two, three = float64[:, ::1], float64[:, :, ::1]
    given = types.Array(float64, 3, "C", readonly=True)
    return Triangles(
        compiled(factorise, given, three, boolean[::1]), compiled(invert, three, two, three)
    )
