"""Whether rows have the columns that an estimator was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from biglearn.engines.base import Header


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
