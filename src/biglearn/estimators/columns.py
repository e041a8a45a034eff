"""Which rows an estimator takes: their columns, and sparse ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from biglearn._types import Array
from biglearn.engines.base import Header
from biglearn.model.structures import structure_of
from biglearn.tables.containers import is_sparse, numbers_of


def check_columns(estimator: Any, header: Header, *, reset: bool) -> None:
    """Learn the columns of a header, or check that they are those learnt before.

    Columns of containers that scikit-learn understands are left to it.

    Raises
    ------
    ValueError
        If the number of columns or their names differ.
    """
    if header.given is not None:
        validate_data(estimator, header.given, reset=reset, skip_check_array=True)
        return
    if reset:
        estimator.n_features_in_ = header.n_features
        vars(estimator).pop("feature_names_in_", None)
        if header.names is not None:
            estimator.feature_names_in_ = np.array(header.names, dtype=object)
        return
    if header.n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {header.n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None and header.names is not None and list(known) != list(header.names):
        raise ValueError(
            f"the columns of X are {list(header.names)}, but {type(estimator).__name__} was fitted "
            f"on {known.tolist()}; bring them into that order"
        )


def is_sparse_friendly(estimator: Any) -> bool:
    """Whether the covariances of an estimator leave wide rows cheap, as diagonal ones do."""
    kind = getattr(estimator, "covariance_type", "full")
    return structure_of(kind, 1).block_size(2) == 1


def check_dense(estimator: Any, X: Any) -> None:
    """Refuse sparse rows where covariances between all columns would be kept.

    Raises
    ------
    TypeError
        If X is sparse and the covariance type is not diagonal.
    """
    if is_sparse(X) and not is_sparse_friendly(estimator):
        kind = getattr(estimator, "covariance_type", "full")
        raise TypeError(
            f"Sparse data was passed for X, which covariance_type {kind!r} does not support: it "
            "relates every column to every other; use 'diag' or 'spherical', or X.toarray()"
        )


def check_features(
    estimator: Any, X: Any, *, reset: bool, gaps: bool = True, least: int = 1
) -> Array:
    """Return the rows of a container as float64, and learn or check its columns.

    Parameters
    ----------
    estimator : estimator
    X : array-like of shape (N, D)
    reset : bool
        Whether to learn the columns, or check that they are those learnt before.
    gaps : bool, default=True
        Whether values may be missing.
    least : int, default=1
        Fewest rows.
    """
    check_dense(estimator, X)
    numbers, names = numbers_of(X)
    rows: Array = check_array(
        numbers,
        dtype=np.float64,
        ensure_all_finite="allow-nan" if gaps else True,
        ensure_min_samples=least,
        estimator=estimator,
        input_name="X",
    )
    header = Header(rows.shape[1], names, given=numbers if names is None else X)
    check_columns(estimator, header, reset=reset)
    return rows
