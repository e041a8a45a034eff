"""Data frames in, the same kind of data frame out."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np


def like(X: Any, values: Any) -> Any:
    """Return values, shape (N, D), as a data frame of the kind of X with its columns and index.

    What is no data frame in memory, such as an array or a file, gets the array.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from biglearn.estimators.frames import like
    >>> like(pd.DataFrame({"a": [1, 2]}, index=["x", "y"]), np.array([[3.0], [4.0]]))
         a
    x  3.0
    y  4.0
    """
    if not isinstance(values, np.ndarray):
        return values
    if nw.dependencies.is_pandas_like_dataframe(X):  # their columns need not be strings
        return type(X)(values, index=X.index, columns=X.columns)
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return values
    return nw.from_numpy(values, schema=frame.columns, backend=frame.implementation).to_native()
