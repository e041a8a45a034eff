"""Blocks of rows that arrive one after the other: checked, cut to size, read ahead."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from biglearn._types import Array, FloatArray
from biglearn.engines.rows.checks import reject_infinite
from biglearn.tables.containers import as_array, numbers_of

T = TypeVar("T")


class Block(NamedTuple):
    """Rows, shape (b, D), and their weights, shape (b,), or None where there are none."""

    rows: FloatArray
    weights: Array | None = None


class Content(NamedTuple):
    """Checksums of all rows so far and of their weights, however they are cut into blocks."""

    rows: int = 0
    weights: int = 0

    def followed_by(self, block: Block) -> Content:
        """Return the checksums with a block more."""
        rows = zlib.crc32(np.ascontiguousarray(block.rows).data, self.rows)
        if block.weights is None:
            return Content(rows, self.weights)
        return Content(rows, zlib.crc32(np.ascontiguousarray(block.weights).data, self.weights))


class Shape(NamedTuple):
    """Columns and type that all blocks share, and whether rows have weights."""

    n_features: int
    names: tuple[str, ...] | None
    dtype: np.dtype[Any]
    weighted: bool


def as_block(given: Any) -> tuple[Any, Any]:
    """Split a block of an iterable into rows and weights."""
    if isinstance(given, tuple) and len(given) == 2:
        return given
    return given, None


def shape_of(given: Any, number: int = 0) -> Shape:
    """Learn the columns and the precision of one block.

    Raises
    ------
    ValueError
        If it is no table of real numbers.
    """
    return _read(given, number)[0]


def _read(given: Any, number: int) -> tuple[Shape, NDArray[Any], Any]:
    """Return the shape of a block, its rows as an array, and its weights."""
    rows, weights = as_block(given)
    numbers, names = numbers_of(rows, f"block {number}")
    array = np.asarray(numbers)
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(
            f"block {number} has shape {array.shape}; every block must be rows and columns, (b, D)"
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"block {number} holds {array.dtype}, not real numbers; drop or encode such columns"
        )
    dtype = np.dtype(np.float32 if array.dtype == np.float32 else np.float64)
    return Shape(array.shape[1], names, dtype, weights is not None), array, weights


def check_block(
    given: Any, number: int, start: int, shape: Shape, names: list[str] | None = None
) -> Block:
    """Return the block as numbers like those of the first one.

    Parameters
    ----------
    given : array-like or data frame of shape (b, D), or pair of it and weights (b,)
    number, start : int
        Of the block, and of its first row among all.
    shape : Shape
        Of the first block.
    names : list of str, optional
        Of the columns.

    Raises
    ------
    ValueError
        If it differs from the first block or holds infinity; the message names
        the block, the row among all rows, and the column.
    """
    ours, array, weights = _read(given, number)
    if ours != shape:
        what = next(
            field for field in Shape._fields if getattr(ours, field) != getattr(shape, field)
        )
        raise ValueError(
            f"block {number}, which begins at row {start}, has {what}={getattr(ours, what)}, the "
            f"first block {what}={getattr(shape, what)}; all blocks must be alike"
        )
    values = np.asarray(array, dtype=shape.dtype)
    reject_infinite(values, names, start=start)
    return Block(values, None if weights is None else _check_weights(weights, len(values), start))


def _check_weights(weights: Any, n_rows: int, start: int) -> Array:
    values = np.asarray(as_array(weights, "weights"), dtype=np.float64)
    if values.shape != (n_rows,):
        raise ValueError(
            f"the weights from row {start} have shape {values.shape}, expected ({n_rows},)"
        )
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"weights must be finite and at least 0, got {values[row]} in row {start + row}"
        )
    return values


def cut(blocks: Iterable[Block], size: int) -> Iterator[Block]:
    """Cut and join blocks so that all but the last have exactly `size` rows.

    Sums over them then depend on the rows alone, not on how they arrived.
    """
    held: list[Block] = []
    n_held = 0
    for block in blocks:
        start = 0
        while start < len(block.rows):
            part = _slice(block, start, start + size - n_held)
            held.append(part)
            n_held += len(part.rows)
            start += len(part.rows)
            if n_held == size:
                yield join(held)
                held, n_held = [], 0
    if held:
        yield join(held)


def _slice(block: Block, start: int, stop: int) -> Block:
    weights = None if block.weights is None else block.weights[start:stop]
    return Block(block.rows[start:stop], weights)


def join(parts: list[Block]) -> Block:
    """Put blocks one under the other."""
    if len(parts) == 1:
        return parts[0]
    weights = [part.weights for part in parts if part.weights is not None]
    rows = np.concatenate([part.rows for part in parts])
    return Block(rows, np.concatenate(weights) if weights else None)


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """Fetch the next item in a thread while the last one is worked on."""
    iterator = iter(items)
    end = object()

    def fetch() -> Any:
        return next(iterator, end)

    with ThreadPoolExecutor(1, thread_name_prefix="biglearn-read") as pool:
        following = pool.submit(fetch)
        while (item := following.result()) is not end:
            following = pool.submit(fetch)
            yield item
