"""Compiled loops where Numba is installed; NumPy does the same work without it.

Numba is loaded when a loop is first needed, and compiled code is kept on disk, so that
only the first process that ever runs it waits (half a minute to a minute).
"""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from biglearn.kernels.climb_loops import Climbs
    from biglearn.kernels.overlap_loops import Overlaps
    from biglearn.kernels.patch_loops import Patches
    from biglearn.kernels.row_loops import Passes
    from biglearn.kernels.triangle_loops import Triangles

#: Products that the loops sum at a time.
PRODUCTS = 6

#: Whether compiled loops are wanted; the environment variable BIGLEARN_NUMBA=0 says no.
WANTED = os.environ.get("BIGLEARN_NUMBA", "1") != "0"


def _loops(module: str) -> Any:
    """Return a module of loops, or None without Numba."""
    return _imported(module) if WANTED else None


@lru_cache(maxsize=8)
def _imported(module: str) -> Any:
    try:
        return import_module(f"biglearn.kernels.{module}")
    except ImportError:  # Numba is not installed, or not for this NumPy
        return None


def passes(dtype: np.dtype[Any]) -> Passes | None:
    """Return the loops of a pass for float64 or float32, or None without Numba."""
    loops = _loops("row_loops")
    return None if loops is None else loops.passes(dtype)


def triangles() -> Triangles | None:
    """Return the loops over stacks of small matrices, or None without Numba."""
    loops = _loops("triangle_loops")
    return None if loops is None else loops.triangles()


def climbs() -> Climbs | None:
    """Return the loops over EM of few components on few rows, or None without Numba."""
    loops = _loops("climb_loops")
    return None if loops is None else loops.climbs()


def patches() -> Patches | None:
    """Return the loops over cuts and trials of surgery, or None without Numba."""
    loops = _loops("patch_loops")
    return None if loops is None else loops.patches()


def overlaps() -> Overlaps | None:
    """Return the loops over responsibilities of pairs, or None without Numba."""
    loops = _loops("overlap_loops")
    return None if loops is None else loops.overlaps()


def load(dtype: np.dtype[Any]) -> None:
    """Load all loops that a fit may need now; the first time of all they are compiled."""
    passes(dtype)
    triangles()
    climbs()
    patches()
    overlaps()
