"""Checks of what the user hands over: each says what was wrong and what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from biglearn._linalg import Array, FloatArray, IntArray, symmetrise
from biglearn.fixed import Fixed
from biglearn.structures import Structure

#: A larger weight is no number of copies of a row.
_MOST_COPIES = 1e6


def reject_text(X: Any) -> None:
    """Refuse columns that do not hold numbers, by name where they have one."""
    columns = getattr(X, "columns", None)
    if columns is not None and hasattr(X, "dtypes"):
        bad = [str(name) for name in columns if not _is_numeric(X[name])]
        if bad:
            raise ValueError(
                f"columns {bad} do not hold numbers; drop or encode them before fitting"
            )
        return
    if isinstance(X, list | tuple) or getattr(getattr(X, "dtype", None), "kind", "f") in "USO":
        try:
            np.asarray(X, dtype=None if hasattr(X, "dtype") else object).astype(np.float64)
        except (TypeError, ValueError) as error:
            if "complex" in str(error) or "argument must be a string" in str(error):
                raise
            raise ValueError(
                f"X holds text or other values that are no numbers ({error}); "
                "drop or encode those columns before fitting"
            ) from None


def _is_numeric(column: Any) -> bool:
    values = np.asarray(column)
    if values.dtype.kind in "mM":  # dates would pass as numbers of nanoseconds
        return False
    try:
        values.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return True


def reject_infinite(X: FloatArray, names: list[str] | None = None, *, start: int = 0) -> None:
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

    Weights from 1 to a million are taken as they are, since they count repeated
    rows.  Where the largest is none of these only ratios can matter, and it is
    brought into [½, 1): sums then stay in range.  The factor is a power of two,
    which costs no digit.
    """
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
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
    weights = np.ldexp(weights, weight_exponent(largest))
    return None if (weights == weights[0]).all() and weights[0] <= 1.0 else weights


def check_labels(
    labels: ArrayLike | None, n_rows: int, n_components: int | None = None
) -> IntArray | None:
    """Return the known component of each row, shape (N,), with -1 for unknown, or None."""
    if labels is None:
        return None
    array = np.asarray(labels)
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


def check_fixed(fixed: Any, structure: Structure, shape: tuple[int, int]) -> Fixed | None:
    """Check the parameters that are to stay; NaN stands for what is estimated."""
    if fixed is None:
        return None
    known = ("weights", "means", "covariances")
    if not isinstance(fixed, Mapping) or not fixed or not set(fixed) <= set(known):
        raise ValueError(
            f"fixed must be a dictionary with some of {list(known)}, got "
            + (f"the keys {list(fixed)}" if isinstance(fixed, Mapping) else repr(fixed))
        )
    weights = _partly("weights", fixed, shape[:1])
    free, sum_of_given = np.isnan(weights), float(np.nansum(weights))
    if (
        (weights[~free] < 0).any()
        or sum_of_given > 1 + 1e-6
        or (not free.any() and sum_of_given < 1 - 1e-6)
    ):
        raise ValueError(
            "fixed['weights'] must be at least 0 and sum to 1, or to less where some are NaN, "
            f"got sum {sum_of_given}"
        )
    means = _partly("means", fixed, shape)
    given = _partly("covariances", fixed, structure.shape(*shape), whole=structure.is_shared)
    covariances = structure.expand(given, *shape)
    held = covariances[~np.isnan(covariances[:, 0, 0])]
    if len(held):
        _check_definite("fixed['covariances']", held)
    return Fixed(weights, means, covariances)


def _partly(
    name: str, fixed: Mapping[str, Any], shape: tuple[int, ...], *, whole: bool = False
) -> Array:
    """Return an array of which whole components may be NaN, and are if it is left out."""
    array = np.array(fixed.get(name, np.full(shape, np.nan)), dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"fixed[{name!r}] must have shape {shape}, got {array.shape}")
    missing = np.isnan(array.reshape(1 if whole else shape[0], -1))
    if np.isinf(array).any() or (missing.any(axis=1) & ~missing.all(axis=1)).any():
        raise ValueError(
            f"fixed[{name!r}] must hold finite numbers, or NaN for all of a component that is to "
            "be estimated"
        )
    return array


def weight_exponent(largest: float) -> int:
    """Return the power of two that weights are multiplied by, given the largest."""
    return 0 if 1.0 <= largest <= _MOST_COPIES else -int(np.frexp(largest)[1])


def check_number(
    name: str, value: Any, *, low: float, integer: bool = False, above: bool = False
) -> None:
    """Refuse a parameter that is not finite, or below (`above`: not above) `low`."""
    kinds = (int, np.integer) if integer else (int, float, np.integer, np.floating)
    ok = isinstance(value, kinds) and not isinstance(value, bool | np.bool_)
    if not ok or not math.isfinite(value) or not (value > low if above else value >= low):
        kind = "an integer" if integer else "a finite number"
        bound = f"above {low}" if above else f"at least {low}"
        raise ValueError(f"{name} must be {kind} {bound}, got {value!r}")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Refuse a parameter that is not one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}")


def check_given(
    weights: ArrayLike | None,
    means: ArrayLike | None,
    precisions: ArrayLike | None,
    structure: Structure,
    shape: tuple[int, int],
) -> tuple[Array | None, Array | None, Array | None]:
    """Check given starting parameters; return weights, means and covariances.

    Precisions come in scikit-learn's shape for the structure and leave
    as covariances of shape (K, D, D).
    """
    given_weights = _shaped("weights_init", weights, (shape[0],))
    if given_weights is not None and (
        (given_weights < 0).any() or abs(given_weights.sum() - 1) > 1e-6
    ):
        raise ValueError(
            f"weights_init must be at least 0 and sum to 1, got sum {given_weights.sum()}"
        )
    given_means = _shaped("means_init", means, shape)
    if precisions is None:
        return given_weights, given_means, None
    matrices = check_structure("precisions_init", precisions, structure, shape)
    _check_definite("precisions_init", matrices)
    return given_weights, given_means, symmetrise(np.asarray(np.linalg.inv(matrices)))


def _check_definite(name: str, matrices: Array) -> None:
    """Refuse matrices, (K, D, D), of which one is not symmetric and positive definite."""
    lowest = np.linalg.eigvalsh(matrices)[:, 0]
    skew = np.abs(matrices - np.swapaxes(matrices, 1, 2)).max()
    if (lowest <= 0).any() or skew > 1e-6 * np.abs(matrices).max():
        raise ValueError(
            f"{name} must be symmetric and positive definite, "
            f"got a smallest eigenvalue of {lowest.min():.3g}"
        )


def check_structure(
    name: str, values: ArrayLike, structure: Structure, shape: tuple[int, int]
) -> Array:
    """Check covariances or precisions in scikit-learn's shape; return shape (K, D, D)."""
    array = _shaped(name, values, structure.shape(*shape))
    assert array is not None
    return structure.expand(array, *shape)


def _shaped(name: str, value: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    if value is None:
        return None
    array = np.array(value, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return array
