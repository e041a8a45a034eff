"""Samples of rows, the same for every engine."""

from __future__ import annotations

import numpy as np

from biglearn._types import IntArray


def draw(n_rows: int, limit: int, rng: np.random.Generator) -> IntArray:
    """Return the numbers of at most `limit` rows, in order: all if there are no more.

    Nothing as long as the rows is made, of which there may be more than memory holds.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.engines.rows.samples import draw
    >>> draw(10**12, 3, np.random.default_rng(0)).size
    3
    """
    if n_rows <= limit:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, size=limit, replace=False))
