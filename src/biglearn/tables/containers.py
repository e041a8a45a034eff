"""Arrays, frames and other containers of numbers, read so that nothing is lost unsaid.

A mask, `None` and `pandas.NA` are missing values, and become NaN.  Containers in which it is not
clear what is a row and what a column are refused with what to pass instead.
"""

from __future__ import annotations

import sys
from array import array as Buffer  # noqa: N812  not to be taken for an array of NumPy
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biglearn.tables.arrow import import_arrow
from biglearn.tables.formats import Names

#: What tells that an object is one table, and no iterable of several.
_PROTOCOLS = (
    "__array__",
    "__array_interface__",
    "__array_struct__",
    "__dlpack__",
    "__arrow_c_stream__",
    "shape",
)
_PLAIN = (list, tuple, range, Buffer, memoryview, bytes, bytearray, Mapping, AbstractSet)

_REMEDY = "drop or encode"


def is_container(X: Any) -> bool:
    """Say whether X is one table, or meant as one, and no iterable of blocks.

    Examples
    --------
    >>> is_container([[1.0, 2.0]]), is_container({"a": [1.0]}), is_container(iter([]))
    (True, True, False)
    """
    return isinstance(X, _PLAIN) or any(hasattr(X, name) for name in _PROTOCOLS)


def as_array(X: Any, name: str = "X") -> Any:
    """Return X as an array of numbers, NaN where a value is missing.

    What is no container known here comes back as it is.

    Raises
    ------
    ValueError, TypeError
        As of `numbers_of`.

    Examples
    --------
    >>> import numpy as np
    >>> as_array(np.ma.masked_equal([[1.0, -9.0]], -9.0))
    array([[ 1., nan]])
    """
    return numbers_of(X, name)[0]


def numbers_of(X: Any, name: str = "X") -> tuple[Any, Names]:
    """Return X as an array of numbers, NaN where a value is missing, and the columns' names.

    Parameters
    ----------
    X : object
        What is no container known here comes back as it is, without names.
    name : str, default="X"
        What messages call it.

    Raises
    ------
    ValueError
        If X holds text, dates or anything else that is no number, or if its rows and columns
        are not clear.
    TypeError
        If an entry is no number, such as a dict.
    """
    if isinstance(X, np.ndarray):
        return _of_array(X, name), None
    if isinstance(X, Mapping | AbstractSet | bytes | bytearray) and not hasattr(X, "shape"):
        raise ValueError(_unclear(X, name))
    if is_sparse(X):
        return _of_array(X.toarray(order="C"), name), None
    if _package(X) == "torch":
        return _of_array(_of_tensor(X), name), None
    found = _of_frame(X, name)
    if found is not None:
        return found
    if isinstance(X, list | tuple | range | Buffer | memoryview):
        return _of_sequence(X, name), None
    if any(hasattr(X, protocol) for protocol in _PROTOCOLS[:3]):
        return _of_array(np.asarray(X), name), None
    if hasattr(X, "__dlpack__"):
        return _of_array(_from_dlpack(X, name), name), None
    if hasattr(X, "__arrow_c_stream__"):
        return as_array(import_arrow(f"{name}, a {type(X).__name__},").table(X), name), None
    return X, None


def is_sparse(X: Any) -> bool:
    """Whether X is one of SciPy's sparse arrays or matrices."""
    return _package(X) == "scipy" and hasattr(X, "toarray")


def _package(thing: Any) -> str:
    return type(thing).__module__.partition(".")[0]


def _unclear(X: Any, name: str) -> str:
    kind = type(X).__name__
    if isinstance(X, Mapping):
        return (
            f"{name} is a {kind}, in which the columns may have any order and shape; pass "
            f"pandas.DataFrame({name}), or numpy.column_stack(list({name}.values()))"
        )
    return f"{name} is a {kind}, which has no rows and columns; pass an array or a data frame"


def _of_array(X: NDArray[Any], name: str) -> NDArray[Any]:
    """Check the kind of an array, and put NaN where it is masked."""
    if X.dtype.names is not None:
        raise ValueError(
            f"{name} is a structured array with the fields {list(X.dtype.names)}; choose those "
            f"that are features, and pass numpy.lib.recfunctions.structured_to_unstructured({name}"
            "[fields])"
        )
    if X.dtype.kind in "mM":
        raise ValueError(
            f"{name} holds dates or durations ({X.dtype}), not numbers; {_REMEDY} such columns, "
            "for one as seconds since a day of your choice"
        )
    if isinstance(X, np.ma.MaskedArray):
        X = _unmasked(X)
    if X.dtype.kind == "O" or (X.dtype.kind in "USV" and X.size):
        return _of_objects(X, name)
    return X


def _unmasked(X: Any) -> NDArray[Any]:
    if X.dtype.kind not in "fcO":
        X = X.astype(np.float64 if X.dtype.kind in "biu" else object)
    values = np.array(X.data)
    values[np.ma.getmaskarray(X)] = None if X.dtype.kind == "O" else np.nan
    return values


def _of_sequence(X: Any, name: str) -> NDArray[Any]:
    """Read nested lists; those of frames and masked rows are read row by row."""
    if isinstance(X, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in X):
        X = [as_array(row, name) for row in X]
    if isinstance(X, list | tuple) and X and isinstance(X[0], Mapping):
        raise ValueError(
            f"{name} is a {type(X).__name__} of {type(X[0]).__name__}, in which the columns may "
            f"have any order; pass pandas.DataFrame({name})"
        )
    values = np.asarray(X)
    # NumPy makes text of numbers beside text: the entries themselves tell which is which.
    return _of_array(np.asarray(X, dtype=object) if values.dtype.kind in "US" else values, name)


def _of_objects(X: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Convert entry by entry."""
    values = np.empty(X.size)
    for place, value in enumerate(X.ravel().tolist()):
        try:
            values[place] = _number(value)
        except (TypeError, ValueError) as error:
            if "complex" in str(error) or "argument must be a string" in str(error):
                raise TypeError(f"{name}: {error}") from None
            raise ValueError(
                f"{name} holds text or other values that are no numbers ({error}); {_REMEDY} "
                "them before fitting"
            ) from None
    return values.reshape(X.shape)


def _number(value: Any) -> float:
    if value is None or type(value).__name__ == "NAType" or value is np.ma.masked:
        return np.nan
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode("latin-1")
        if "_" in text or not text.isascii():
            raise ValueError(f"could not convert string to float: {text!r}")
    elif isinstance(value, np.datetime64 | np.timedelta64) or hasattr(value, "isoformat"):
        raise ValueError(f"{value!r} is a date or a time")
    return float(value)


def _from_dlpack(X: Any, name: str) -> NDArray[Any]:
    try:
        return np.from_dlpack(X)
    except (BufferError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{name} is a {type(X).__name__} that NumPy cannot read ({error}); copy it to the "
            "memory of the CPU first"
        ) from error


def _of_tensor(X: Any) -> NDArray[Any]:
    """Read a tensor of torch; gradients do not pass through a fit, and are left behind."""
    values = X.detach().cpu()
    try:
        return np.asarray(values)
    except TypeError:  # NumPy has no bfloat16
        return np.asarray(values.float())


def _of_frame(X: Any, name: str) -> tuple[NDArray[Any], Names] | None:
    """Read a data frame or a series of any library through narwhals, None if X is neither."""
    if _package(X) in ("builtins", "numpy") or sys.modules.keys().isdisjoint(_FRAMES):
        return None
    import narwhals

    try:
        frame = narwhals.from_native(X, pass_through=True, allow_series=True)
        if isinstance(frame, narwhals.LazyFrame):
            raise ValueError(f"{name} is a lazy frame ({type(X).__name__}); pass {name}.collect()")
        if isinstance(frame, narwhals.Series):
            return _column(frame, name), None
        if not isinstance(frame, narwhals.DataFrame):
            return None
    except narwhals.exceptions.DuplicateError as error:
        told = " ".join(str(error).split())
        raise ValueError(f"the columns of {name} must have different names ({told})") from error
    names = tuple(map(str, frame.columns))
    values = np.asarray(frame.to_numpy())
    if values.dtype.kind not in "biuf":  # the columns are not all alike
        values = _by_column(frame, names, name)
    dtype = np.float32 if values.dtype == np.float32 else np.float64
    return values.astype(dtype, copy=False), names


def _by_column(frame: Any, names: Sequence[str], name: str) -> NDArray[Any]:
    """Read a frame column by column, and name those that hold no numbers."""
    cells, bad = [], []
    for column, label in zip(frame.iter_columns(), names, strict=True):
        try:
            cells.append(_column(column, name))
        except ValueError:
            bad.append(label)
    if bad:
        raise ValueError(f"columns {bad} do not hold numbers; {_REMEDY} them before fitting")
    return np.column_stack(cells) if cells else np.empty((len(frame), 0))


#: Packages of frames: as long as none of them is loaded, nothing is a frame.
_FRAMES = {"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals", "duckdb", "ibis", "daft"}


def _column(column: Any, name: str) -> NDArray[Any]:
    """Return a series of narwhals as numbers."""
    import narwhals

    kind = column.dtype
    if kind.is_temporal():
        raise ValueError(f"{name} holds {kind}, not numbers")
    if kind == narwhals.Float32:
        return np.asarray(column.to_numpy())
    if kind.is_numeric() or kind == narwhals.Boolean:
        return np.asarray(column.cast(narwhals.Float64).to_numpy())
    values = _of_array(np.asarray(column.to_numpy()), name)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {values.dtype}, not real numbers")
    return values.astype(np.float64)
