"""How loops are compiled, and kept for other processes where there is a folder for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from numba import njit, void


@lru_cache(maxsize=1)
def _can_cache() -> bool:
    """Whether there is a folder to keep compiled code in."""
    try:
        njit(cache=True)(compiled)
    except RuntimeError:
        return False
    return True


def compiled(loop: Callable[..., None], *arguments: Any) -> Callable[..., None]:
    """Compile a loop for arguments of given types; other types are refused when it is called."""
    jit = njit([void(*arguments)], nogil=True, cache=_can_cache(), error_model="numpy")
    return cast(Callable[..., None], jit(loop))
