"""Compiled loops of a pass, where Numba is installed; NumPy's own work without it.

Numba is loaded at the first pass, and what it compiles is kept on disk, so that only the first
process that ever runs a kernel waits for it (a few seconds).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from biglearn.kernels.passes import Passes

#: Set to 0 to compute with NumPy alone.
VARIABLE = "BIGLEARN_NUMBA"


def compiled(dtype: np.dtype[Any]) -> Passes | None:
    """Return the compiled loops, or None where Numba is missing or BIGLEARN_NUMBA=0.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.kernels import compiled
    >>> kernels = compiled(np.dtype(np.float64))
    """
    if os.environ.get(VARIABLE, "1") == "0":
        return None
    try:
        from biglearn.kernels.passes import passes_for
    except ImportError:  # Numba is not installed, or not for this NumPy
        return None
    return passes_for(dtype)
