"""Compiled loops where Numba is installed; NumPy does the same work without it.

Numba is loaded when a loop is first needed, and compiled code is kept on disk, so that
only the first process that ever runs it waits (a few seconds).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from biglearn.kernels.row_loops import Passes
    from biglearn.kernels.triangle_loops import Triangles

#: Whether compiled loops are wanted; the environment variable BIGLEARN_NUMBA=0 says no.
WANTED = os.environ.get("BIGLEARN_NUMBA", "1") != "0"


def passes(dtype: np.dtype[Any]) -> Passes | None:
    """Return the loops of a pass for float64 or float32, or None without Numba."""
    if not WANTED:
        return None
    try:
        from biglearn.kernels import row_loops
    except ImportError:  # Numba is not installed, or not for this NumPy
        return None
    return row_loops.passes(dtype)


def triangles() -> Triangles | None:
    """Return the loops over stacks of small matrices, or None without Numba."""
    if not WANTED:
        return None
    try:
        from biglearn.kernels import triangle_loops
    except ImportError:
        return None
    return triangle_loops.triangles()


def load(dtype: np.dtype[Any]) -> None:
    """Load all loops that a fit may need now; the first time of all they are compiled."""
    passes(dtype)
    triangles()
