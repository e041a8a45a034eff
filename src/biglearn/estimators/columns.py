"""Whether rows have the columns that an estimator was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from biglearn._types import Array
from biglearn.engines.base import Header
from biglearn.tables.containers import numbers_of


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
