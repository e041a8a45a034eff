"""Checks of the user's rows, weights and labels: messages name fault, value and remedy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, FloatArray, IntArray
from biglearn.tables.containers import as_array

#: Share of the largest weight below which a row is absent.
_NOTHING = 1e-30

#: A larger weight is no number of copies of a row.
_MOST_COPIES = 1e6


def reject_infinite(X: FloatArray, names: Sequence[str] | None = None, *, start: int = 0) -> None:
    """Refuse infinity, naming the first column and row that has one; NaN is missing.

    Rows are counted from `start`, for a block of more rows.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(X.sum()):  # one pass and no mask where all is well
            return
    bad = np.isinf(X)
    if not bad.any():
        return  # NaN, or the sum overflowed and the values did not
    row, column = (int(i) for i in np.argwhere(bad)[0])
    where = f"column {column}" if names is None else f"column {column} ({names[column]!r})"
    raise ValueError(
        f"X contains infinity: {X[row, column]} in {where}, row {start + row} "
        f"({int(bad.sum())} such values in all); drop them, or make them NaN where they are missing"
    )


def check_weights(sample_weight: ArrayLike | None, n_rows: int) -> Array | None:
    """Return the weights of the rows, shape (N,), or None where each counts as one row.

    Weights below 1e-30 of the largest are 0: rounding loses them in every sum, and a spread
    about the heaviest row alone has no digits.  Weights from 1 to a million are taken as they
    are, since they count repeated rows.  Where the largest is none of these only ratios can
    matter, and it is brought into [½, 1): sums then stay in range.  The factor is a power of two,
    which costs no digit.  A missing weight, such as a masked one, is refused.
    """
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(as_array(sample_weight, "it"), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must be numbers ({error})") from None
    if weights.ndim == 0:
        weights = np.full(n_rows, float(weights))
    if weights.shape != (n_rows,):
        raise ValueError(
            f"sample_weight must have shape ({n_rows},), one for each row, got {weights.shape}"
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        row = int(np.argmax(~np.isfinite(weights) | (weights < 0)))
        raise ValueError(
            f"sample_weight must be finite and at least 0, got {weights[row]} in row {row}"
        )
    if not weights.any():
        raise ValueError(
            "sample_weight is zero for every row; at least one weight must be positive"
        )
    largest = float(weights.max())
    weights = np.where(weights < _NOTHING * largest, 0.0, weights)
    weights = np.ldexp(weights, weight_exponent(largest))
    return None if (weights == weights[0]).all() and weights[0] <= 1.0 else weights


def check_labels(
    labels: ArrayLike | None, n_rows: int, n_components: int | None = None
) -> IntArray | None:
    """Return the known component of each row, shape (N,), with -1 for unknown, or None.

    A masked label is unknown.
    """
    if labels is None:
        return None
    array = np.asarray(np.ma.filled(labels, -1) if np.ma.isMaskedArray(labels) else labels)
    if array.shape != (n_rows,):
        raise ValueError(f"labels must have shape ({n_rows},), one for each row, got {array.shape}")
    whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and (array % 1 == 0).all())
    if not whole:
        raise ValueError(
            f"labels must be whole numbers, -1 where the component is not known, got {array.dtype}"
            " values such as " + repr(array.ravel()[:3].tolist())
        )
    if array.min() < -1 or (n_components is not None and array.max() >= n_components):
        most = "K - 1" if n_components is None else n_components - 1
        raise ValueError(
            f"labels must be from 0 to {most}, or -1 where the component is not known, "
            f"got {array.min()} to {array.max()}"
        )
    return array.astype(np.intp)


def weight_exponent(largest: float) -> int:
    """Return the power of two that weights are multiplied by, given the largest."""
    return 0 if 1.0 <= largest <= _MOST_COPIES else -int(np.frexp(largest)[1])
