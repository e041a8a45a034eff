"""Which engine: the one place that picks it from the rows' type and size, and opens it."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from biglearn.engines.base import RowOptions, Source
from biglearn.engines.memory import source as arrays
from biglearn.tables.containers import is_container, is_sparse
from biglearn.tables.tables import TableRows

#: The engines by name: a module with ``open_source(X, options)``, imported when it is used.
MODULES = {
    "memory": "biglearn.engines.memory.source",
    "chunked": "biglearn.engines.chunked.engine",
    "torch": "biglearn.engines.torch.engine",
    "dask": "biglearn.engines.dask.engine",
}

#: The packages whose objects name their engine.
_AT_HOME = {"torch": "torch", "dask": "dask", "distributed": "dask"}

#: Files, and arrays in files, up to this size are read into memory.
IN_MEMORY_BYTES = 1 << 28


def open_source(X: Any, options: RowOptions) -> Source:
    """Pick the engine for rows, and open it.

    Parameters
    ----------
    X : object
        Rows: an array or data frame, a torch tensor, a dask collection, the path of a
        file or folder, or an iterable of blocks.
    options : RowOptions

    Returns
    -------
    Source
        The rows, as the estimator sees them.

    Raises
    ------
    ValueError
        If the engine is unknown, or refuses the rows.
    ImportError
        If the engine needs a package that is not installed; the message names the extra.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.engines import RowOptions, open_source
    >>> source = open_source(np.zeros((5, 2)), RowOptions())
    >>> type(source).__name__
    'ArraySource'
    """
    engine = options.engine
    if callable(engine):
        label = getattr(engine, "__name__", type(engine).__name__)
        return arrays.open_source(X, options, factory=engine, label=label)
    opener = engine if hasattr(engine, "open_source") else _module(choose(X, engine))
    source: Source = opener.open_source(X, options)
    for name, wanted in (("labels", options.labels is not None), ("noise", options.noise)):
        if wanted and name not in getattr(source, "supports", ()):
            raise ValueError(
                f"{name} need rows in memory, and these are opened by {source.label}; give an "
                f"array, or leave {name} out"
            )
    return source


def choose(X: Any, engine: Any = "auto") -> str:
    """Return the name of the engine that rows get.

    Examples
    --------
    >>> from biglearn.engines.choose import choose
    >>> choose([[0.0], [1.0]]), choose(iter([])), choose("rows.npy", "chunked")
    ('memory', 'chunked', 'chunked')
    """
    if not isinstance(engine, str):
        engine = _AT_HOME.get(_package(engine), engine)
    if isinstance(engine, str) and engine in MODULES:
        return engine
    if engine != "auto":
        raise ValueError(
            f"engine must be one of {['auto', *MODULES]} or an engine's factory, got {engine!r}"
        )
    if _package(X) in _AT_HOME:
        return _AT_HOME[_package(X)]
    if isinstance(X, TableRows):
        return "chunked"
    if isinstance(X, str | os.PathLike):
        return "chunked" if _size(Path(X)) > IN_MEMORY_BYTES or Path(X).is_dir() else "memory"
    if is_sparse(X):  # blocks of rows are made dense one after the other
        return "chunked" if 8 * X.shape[0] * X.shape[1] > IN_MEMORY_BYTES else "memory"
    if isinstance(X, np.memmap):
        return "chunked" if X.nbytes > IN_MEMORY_BYTES else "memory"
    if isinstance(X, list | tuple) and X and isinstance(X[0], str | os.PathLike):
        return "chunked"
    return "memory" if is_container(X) or not hasattr(X, "__iter__") else "chunked"


def _package(thing: Any) -> str:
    return type(thing).__module__.partition(".")[0]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _module(name: str) -> Any:
    try:
        return import_module(MODULES[name])
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing == MODULES[name]:
            raise ValueError(f"this version of biglearn has no engine {name!r} yet") from error
        if missing.startswith("biglearn"):
            raise
        raise ImportError(
            f"engine={name!r} needs {missing}: pip install 'biglearn-em[{name}]'"
        ) from error
