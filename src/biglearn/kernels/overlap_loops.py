"""What responsibilities say of pairs of components, and of each, compiled.

Most responsibilities are next to nothing, and their terms are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import float64, int64, types

from biglearn.kernels.compiling import compiled

#: Responsibilities below this count as none.
_NONE = 1e-12


def entropies(shares, row_weights, left, right, out):
    """Write Σ_n w_n (a + b) H(a / (a + b)) for pairs of components with shares a and b.

    Parameters
    ----------
    shares : array of shape (K, n)
    row_weights : array of shape (n,)
    left, right : array of shape (P,)
    out : array of shape (P,)
    """
    for p in range(len(left)):
        i, j, total = left[p], right[p], 0.0
        for n in range(len(row_weights)):
            a, b = shares[i, n], shares[j, n]
            if a > _NONE and b > _NONE:
                both = a + b
                total -= row_weights[n] * (a * np.log(a / both) + b * np.log(b / both))
        out[p] = total


def drops(shares, row_weights, certain, out):
    """Write -Σ_n w_n log(1 - r_n) for each component, with no r above `certain`.

    Parameters
    ----------
    shares : array of shape (K, n)
    row_weights : array of shape (n,)
    certain : float
    out : array of shape (K,)
    """
    for k in range(len(shares)):
        total = 0.0
        for n in range(len(row_weights)):
            share = shares[k, n]
            if share > _NONE:
                total -= row_weights[n] * np.log1p(-min(share, certain))
        out[k] = total


class Overlaps(NamedTuple):
    """The loops, compiled."""

    entropies: Callable[..., None]
    drops: Callable[..., None]


@lru_cache(maxsize=1)
def overlaps() -> Overlaps:
    """Compile the loops, or load them from an earlier process."""
    two = types.Array(float64, 2, "C", readonly=True)
    one, indices = float64[::1], int64[::1]
    return Overlaps(
        compiled(entropies, two, one, indices, indices, one),
        compiled(drops, two, one, float64, one),
    )
