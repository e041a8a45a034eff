"""In which order the loops of `biglearn.kernels.row_loops` read and write numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from biglearn._types import FloatArray, IntArray

#: The compiled loops sum one component at a time from so many features of a view on, and so many
#: for each component but two (see docs/explanation).
_FEW_FEATURES, _FEATURES_PER_COMPONENT = 4, 6

#: Numbers in the `settings` of `climb_loops.climb`, by place: EM ends where less than `TOL` is
#: left, after `PATIENCE` steps, or, after `GRACE` steps, where `HOPE` times what is left does not
#: lead to the `GOAL`; `ALL_LIVE` says that it ends where a count is below `DEAD`, which estimates
#: nothing, and `ACCELERATE` that it jumps.  `PSEUDO_ROWS` blend into covariances, `PRIOR_SCALE`
#: turns the log-prior into one per row, covariances are of a `FORM`, and of `N_SUMS` numbers.
(
    TOL,
    GOAL,
    HOPE,
    GRACE,
    PATIENCE,
    ALL_LIVE,
    ACCELERATE,
    PSEUDO_ROWS,
    PRIOR_SCALE,
    DEAD,
    FORM,
    N_SUMS,
    N_SETTINGS,
) = range(13)

#: Forms of a covariance: any, a diagonal one, and one variance.
FULL, DIAGONAL, SPHERICAL = range(3)

#: Numbers in the `out` of `climb_loops.climb`, by place.
BEST, POINTS, STEPS, RAISED, ENDED, REMAINS, N_OUT = range(7)

#: Numbers of each point in its `trail`, by place.
VALUE, LOG_LIKELIHOOD, LEFT, SO_FAR, LIFTED, N_TRAIL = range(6)


def two_rows_at_once(size: int, *, diagonal: bool) -> tuple[IntArray, IntArray]:
    """Return the order of the elements (i, j) of a lower triangle of d rows.

    Rows come in pairs, their elements side by side; where d is odd, row d is there too, and
    elements above the diagonal are, so that both rows of a pair are equally long.

    Examples
    --------
    >>> from biglearn.kernels.layouts import two_rows_at_once
    >>> rows, columns = two_rows_at_once(2, diagonal=False)
    >>> [(int(i), int(j)) for i, j in zip(rows, columns)]
    [(0, 0), (1, 0), (0, 1), (1, 1)]
    """
    firsts = np.arange(0, size, 2)  # of the pairs
    least = firsts if diagonal else np.zeros_like(firsts)
    widths = np.minimum(firsts + 2, size) - least
    starts = np.cumsum(widths) - widths
    columns = np.arange(widths.sum()) + np.repeat(least - starts, widths)
    rows = np.repeat(firsts, widths)[:, None] + np.arange(2)
    return rows.ravel(), np.repeat(columns, 2)


def side_by_side(numbers: FloatArray, group: int) -> FloatArray:
    """Lay out numbers (K, m) with those of `group` components interleaved; the last ones alone.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.kernels.layouts import side_by_side
    >>> side_by_side(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), 2)
    array([1., 3., 2., 4., 5., 6.])
    """
    n_components, width = numbers.shape
    even = n_components - n_components % group
    groups = numbers[:even].reshape(-1, group, width).swapaxes(1, 2)
    return np.concatenate([groups.ravel(), numbers[even:].ravel()])


def tiles(left: IntArray, right: IntArray, products: int) -> tuple[IntArray, int]:
    """Return where pairs of rows lie in triangles summed `products` rows at a time.

    Returns
    -------
    places : array of shape (P,)
        Where the sum over rows left and right is found.
    length : int
        How many numbers there are, those of no use included: all rows that are summed at a time
        are as long as the last of them.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.kernels.layouts import tiles
    >>> tiles(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2]), 2)
    (array([0, 2, 3, 6]), 10)
    """
    size = int(max(left.max(), right.max())) + 1
    below, beside = np.maximum(left, right), np.minimum(left, right)
    widths = np.minimum(np.arange(products, size + products, products), size)
    starts = products * np.concatenate([[0], np.cumsum(widths)])
    tile, row = np.divmod(below, products)
    return starts[tile] + row * widths[tile] + beside, int(starts[-1])


def one_by_one(size: int, n_components: int) -> bool:
    """Whether compiled loops sum one component at a time.

    They multiply r_k with y_i first then, for all y_j to share, and y_i with y_j otherwise, for
    all r_k to share.

    Examples
    --------
    >>> from biglearn.kernels.layouts import one_by_one
    >>> one_by_one(784, 10), one_by_one(16, 10)
    (True, False)
    """
    return size >= max(_FEW_FEATURES, _FEATURES_PER_COMPONENT * (n_components - 2))


class Layout(NamedTuple):
    """How `climb_loops` reads the parameters of components, and sums products of rows.

    Attributes
    ----------
    order : array of shape (2, P)
        Order of the elements of a whitening, see `two_rows_at_once`.
    pairs : array of shape (2, Q)
        The pairs of rows of a block whose products are summed, or (2, 0) for all.
    places : array of shape (d (d + 1) / 2 + d + 1,)
        Where the sums are found of the products (i <= j), of the rows, and of ones.
    n_sums : int
        Number of sums for each component.
    """

    order: IntArray
    pairs: IntArray
    places: IntArray
    n_sums: int


@lru_cache(maxsize=64)
def layout_of(size: int, n_components: int, products: int) -> Layout:
    """Return the layout for components over d features; `products` are summed at a time.

    Examples
    --------
    >>> from biglearn.kernels.layouts import layout_of
    >>> layout_of(1, 2, products=6).places
    array([0, 1, 2])
    """
    upper = np.triu_indices(size)
    left = np.concatenate([upper[0], np.arange(size + 1)])
    right = np.concatenate([upper[1], np.full(size + 1, size)])
    order = np.array(two_rows_at_once(size, diagonal=False), dtype=np.int64)
    if one_by_one(size, n_components):
        places, n_sums = tiles(left, right, products)
        return Layout(order, np.empty((2, 0), dtype=np.int64), places.astype(np.int64), n_sums)
    idle = np.full(-len(left) % products, size)  # of no use, to fill a group
    pairs = np.array([np.append(left, idle), np.append(right, idle)], dtype=np.int64)
    return Layout(order, pairs, np.arange(len(left), dtype=np.int64), pairs.shape[1])
