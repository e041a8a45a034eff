"""What responsibilities say of pairs of components, and of each, compiled.

Most responsibilities are next to nothing, and their terms are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import float64, types

from biglearn.kernels.compiling import compiled

#: Responsibilities below this count as none.
_NONE = 1e-10


def entropy(a, b, row_weights, out):
    """Write Σ_n w_n (a + b) H(a / (a + b)) for a pair of components with shares a and b.

    Parameters
    ----------
    a, b, row_weights : array of shape (n,)
    out : array of shape (1,)
    """
    total = 0.0
    for n in range(len(row_weights)):
        if a[n] > _NONE and b[n] > _NONE:
            both = a[n] + b[n]
            total -= row_weights[n] * (a[n] * np.log(a[n] / both) + b[n] * np.log(b[n] / both))
    out[0] = total


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

    entropy: Callable[..., None]
    drops: Callable[..., None]


@lru_cache(maxsize=1)
def overlaps() -> Overlaps:
    """Compile the loops, or load them from an earlier process."""
    two = types.Array(float64, 2, "C", readonly=True)
    one, row = float64[::1], types.Array(float64, 1, "C", readonly=True)
    return Overlaps(
        compiled(entropy, row, row, one, one),
        compiled(drops, two, one, float64, one),
    )
