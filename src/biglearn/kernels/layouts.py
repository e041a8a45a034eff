"""In which order the loops of `biglearn.kernels.row_loops` read and write numbers."""

from __future__ import annotations

import numpy as np

from biglearn._types import FloatArray, IntArray


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
    rows, columns = np.indices((size + size % 2, size)).reshape(2, -1)
    first = rows - rows % 2  # of its pair
    wanted = columns < first + 2
    if diagonal:
        wanted &= columns >= first
    order = np.lexsort((rows[wanted], columns[wanted], first[wanted]))
    return rows[wanted][order], columns[wanted][order]


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
