"""Compiled loops; NumPy does the same work where Numba cannot, or is not wanted.

Numba is loaded when a loop is first needed, and compiled code is kept in the user's cache, so
that only the first process that ever runs it waits (half a minute to a minute).
"""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

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

#: Why there are none though they are wanted, which is said once.
_WARNED: list[str] = []


def _loops(module: str, maker: str, *arguments: Any) -> Any:
    """Return the loops of a module, or None where NumPy has to do their work."""
    return _made(module, maker, *arguments) if WANTED else None


@lru_cache(maxsize=8)
def _made(module: str, maker: str, *arguments: Any) -> Any:
    try:
        return getattr(import_module(f"biglearn.kernels.{module}"), maker)(*arguments)
    except Exception as error:  # a compiler of another version may fail in any way
        _warn(f"{type(error).__name__}: {error}")
        return None


def _warn(reason: str) -> None:
    if not _WARNED:
        _WARNED.append(reason)
        warnings.warn(
            f"without compiled loops fits take several times as long ({reason}); install a Numba "
            "that works here, or set BIGLEARN_NUMBA=0 if NumPy is meant to do their work",
            stacklevel=2,
        )


def passes(dtype: np.dtype[Any]) -> Passes | None:
    """Return the loops of a pass for float64 or float32, or None without Numba."""
    return cast("Passes | None", _loops("row_loops", "passes", dtype))


def triangles() -> Triangles | None:
    """Return the loops over stacks of small matrices, or None without Numba."""
    return cast("Triangles | None", _loops("triangle_loops", "triangles"))


def climbs() -> Climbs | None:
    """Return the loops over EM of few components on few rows, or None without Numba."""
    return cast("Climbs | None", _loops("climb_loops", "climbs"))


def patches() -> Patches | None:
    """Return the loops over cuts and trials of surgery, or None without Numba."""
    return cast("Patches | None", _loops("patch_loops", "patches"))


def overlaps() -> Overlaps | None:
    """Return the loops over responsibilities of pairs, or None without Numba."""
    return cast("Overlaps | None", _loops("overlap_loops", "overlaps"))


def load(dtype: np.dtype[Any], *, with_climbs: bool = True, with_surgery: bool = True) -> None:
    """Load the loops that a fit may need now; the first time of all they are compiled.

    Parameters
    ----------
    dtype : dtype
    with_climbs : bool
        Whether there may be EM of few components on few rows, which takes longest to compile.
    with_surgery : bool
        Whether there may be surgery; part of it are such climbs.
    """
    passes(dtype)
    triangles()
    if with_climbs:
        climbs()
    if with_surgery:
        overlaps()
        if with_climbs:
            patches()
