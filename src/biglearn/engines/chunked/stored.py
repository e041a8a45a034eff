"""Stores of rows out of memory: arrays that are sliced, files, iterables."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from biglearn.engines.chunked.blocks import as_block
from biglearn.tables.containers import as_array, is_container, is_sparse
from biglearn.tables.tables import TableRows, open_table

#: All else, text above all, is read so much slower that it is kept as numbers.
_FAST = (".npy", ".parquet")


class Stored(Protocol):
    """Rows that can be read again for every pass."""

    @property
    def label(self) -> str:
        """Name for messages."""
        ...

    @property
    def header(self) -> Any:
        """The user's object with the columns' names; None where the first block has them."""
        ...

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the columns, where the first block does not tell them."""
        ...

    @property
    def is_fixed(self) -> bool:
        """Whether every pass has to bring the same bits, and not only as many rows."""
        ...

    def blocks(self, n_rows: int) -> Iterator[Any]:
        """Yield rows, or pairs of rows and weights, preferably so many at a time."""
        ...


def stored(X: Any, features: tuple[str, ...] | None = None) -> Stored:
    """Find out how to read X block by block.

    Raises
    ------
    ValueError
        If X can be read only once, or not at all.
    """
    if isinstance(X, TableRows):
        return Files(X)
    if isinstance(X, str | os.PathLike):
        return Files(open_table(X, features=features))
    if isinstance(X, list | tuple) and X and isinstance(X[0], str | os.PathLike):
        return Files(TableRows([Path(path) for path in X], features=features))
    if is_sparse(X):
        return Sparse(X.tocsr())
    if hasattr(X, "shape") and hasattr(X, "__getitem__"):
        return Sliced(X)
    if isinstance(X, Iterator):
        raise ValueError(
            f"X is a {type(X).__name__}, which can be read only once, and a fit reads the rows "
            "many times; pass a list of blocks or an object whose __iter__ begins anew, or feed "
            "the blocks to partial_fit"
        )
    several = isinstance(X, list | tuple) and (not X or np.ndim(as_block(X[0])[0]) == 2)
    if is_container(X) and not several:
        return Sliced(as_array(X))
    if isinstance(X, Iterable):
        return Blocks(X)
    raise ValueError(
        f"X is a {type(X).__name__}; engine='chunked' takes a file, a folder of files, an array "
        "or an iterable of blocks"
    )


class Sliced:
    """Anything with two dimensions of which rows can be sliced: arrays, memory maps, frames."""

    names = None
    is_fixed = True

    def __init__(self, X: Any) -> None:
        if len(X.shape) != 2:
            raise ValueError(f"Expected 2D array, got {len(X.shape)}D array of shape {X.shape}")
        self._X, self.header = X, X
        self.label = type(X).__name__

    def blocks(self, n_rows: int) -> Iterator[Any]:
        """Yield slices."""
        for start in range(0, self._X.shape[0], n_rows):
            yield self._X[start : start + n_rows]


class Sparse(Sliced):
    """Sparse rows, which are made dense block by block."""

    def blocks(self, n_rows: int) -> Iterator[Any]:
        """Yield dense slices."""
        for rows in super().blocks(n_rows):
            yield rows.toarray(order="C")


class Blocks:
    """Any iterable of blocks that begins anew each time."""

    header = None
    names = None
    is_fixed = False  # blocks that are computed anew may differ in their last bits

    def __init__(self, X: Iterable[Any]) -> None:
        self._X = X
        self.label = type(X).__name__

    def blocks(self, n_rows: int) -> Iterator[Any]:
        """Yield copies of the iterable's blocks: it may use its memory again."""
        for given in self._X:
            rows, weights = as_block(given)
            yield _copied(rows), None if weights is None else np.array(weights)


def _copied(rows: Any) -> Any:
    if isinstance(rows, np.ndarray):
        return rows.copy()  # masks and all
    if hasattr(rows, "columns"):  # frames without a method to copy cannot be changed in place
        return rows.copy() if hasattr(rows, "copy") else rows
    return np.array(as_array(rows, "a block"))


class Files:
    """Files of a table; text is parsed twice and then read from a temporary file of numbers."""

    header = None
    is_fixed = True

    def __init__(self, table: TableRows) -> None:
        self._table = table
        first = table.paths[0].name
        self.label = first if len(table.paths) == 1 else f"{len(table.paths)} files"
        self._slow = not all(path.name.lower().endswith(_FAST) for path in table.paths)
        self._passes = 0
        self._copy: IO[bytes] | None = None

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the columns."""
        return self._table.names

    def blocks(self, n_rows: int) -> Iterator[Any]:
        """Yield pairs of rows and weights (or None)."""
        for matrix in self._matrices(n_rows):
            yield (matrix[:, :-1], matrix[:, -1]) if self._table.weighted else (matrix, None)

    def _matrices(self, n_rows: int) -> Iterator[np.ndarray]:
        if self._copy is not None:
            yield from self._read_copy(self._copy, n_rows)
        elif self._slow and self._passes:
            yield from self._make_copy(n_rows)
        else:
            yield from self._table.matrices(n_rows)
        self._passes += 1

    def _make_copy(self, n_rows: int) -> Iterator[np.ndarray]:
        copy = tempfile.TemporaryFile(prefix="biglearn-")  # noqa: SIM115  closed below
        try:
            for matrix in self._table.matrices(n_rows):
                copy.write(np.ascontiguousarray(matrix).data)
                yield matrix
        except BaseException:
            copy.close()
            raise
        weakref.finalize(self, copy.close)
        self._copy = copy

    def _read_copy(self, copy: IO[bytes], n_rows: int) -> Iterator[np.ndarray]:
        width = len(self._table.labels) + self._table.weighted
        copy.seek(0)
        while data := copy.read(n_rows * width * 8):
            yield np.frombuffer(data).reshape(-1, width)
