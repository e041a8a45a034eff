"""Which engine rows in memory get: whole inputs, and blocks of larger ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from biglearn._types import Array, FloatArray
from biglearn.engines.memory.engine import MemoryEngine
from biglearn.engines.memory.threads import Threads
from biglearn.engines.memory.with_gaps import MissingEngine
from biglearn.engines.rows.units import Units
from biglearn.model.views import View


def engine_over(
    rows: FloatArray,
    *,
    weights: Array | None = None,
    units: Units | None = None,
    view: View | None = None,
    n_threads: int | Threads = 1,
    dtype: np.dtype[Any] | None = None,
    background: Array | None = None,
) -> MemoryEngine | MissingEngine:
    """Open the engine for rows in memory, by whether values are missing.

    Parameters
    ----------
    rows : array of shape (N, D)
        In the user's units, float64 or float32; NaN is missing.
    weights : array of shape (N,), optional
        Positive.
    units, view, n_threads, dtype, background
        As in `MemoryEngine`.

    Returns
    -------
    MemoryEngine or MissingEngine

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.engines import engine_over
    >>> engine_over(np.zeros((3, 2))).n_rows
    3
    """
    gaps = np.isnan(rows.min(initial=0.0))  # NaN comes through, and no array is made
    engine = MissingEngine if gaps else MemoryEngine
    return engine(
        rows,
        weights=weights,
        units=units,
        view=view,
        n_threads=n_threads,
        dtype=dtype,
        background=background,
    )
