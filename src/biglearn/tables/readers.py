"""Read a table of numbers from CSV, Parquet, npy or npz, one reader per format.

Every reader has the same shape: it learns the names and the number of the file's columns, asks
`pick` which of them are wanted and in which order, and yields only those, converted, in blocks
of at most so many rows.
"""

import csv
import gzip
import io
import math
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from biglearn.tables.files import Archive, npy_blocks, reading

Names = tuple[str, ...] | None
Pick = Callable[[Names, int], list[int]]
Floats = NDArray[np.float64]
Reader = Callable[[Path, Pick, str | None, int], Iterator[Floats]]

#: Rows of a Parquet file that are decoded at a time.
_BATCH = 1 << 16

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})


def _kind(cell: str) -> str:
    if cell.strip().lower() in _MISSING:
        return "missing"
    try:
        float(cell)
    except ValueError:
        return "text"
    return "number"


def _label(names: Names, column: int) -> str:
    return repr(names[column]) if names else str(column)


def _leave_out(names: Names, column: int) -> str:
    name = names[column] if names else str(column)
    return f"leave the column out (exclude, on the command line --exclude {name})"


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    with reading(path) as raw:
        packed = path.name.lower().endswith(".gz")
        stream = gzip.GzipFile(fileobj=raw) if packed else raw
        yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _delimiter(text: TextIO) -> str:
    first = next((line for line in iter(text.readline, "") if line.strip()), "")
    text.seek(0)
    return max(",;\t", key=first.count)


def _header(first: list[str], second: list[str]) -> Names:
    """Take the first line for names if it has text and no number, or text above a number."""
    kinds = [_kind(cell) for cell in first]
    below = [_kind(cell) for cell in second]
    above_number = ("text", "number") in zip(kinds, below, strict=False)
    if "text" in kinds and ("number" not in kinds or above_number):
        return tuple(cell.strip() for cell in first)
    return None


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        if _kind(cell) == "missing":
            return math.nan
        raise


def _parse(
    rows: Iterator[tuple[int, list[str]]], names: Names, width: int, chosen: list[int], n_rows: int
) -> Floats:
    """Convert the next lines, at most so many."""
    values = array("d")
    for line, row in islice(rows, n_rows):
        if len(row) != width:
            raise ValueError(f"line {line} is broken: {len(row)} values, expected {width}")
        try:
            values.extend([_number(row[column]) for column in chosen])
        except ValueError:
            column = next(j for j in chosen if _kind(row[j]) == "text")
            raise ValueError(
                f"line {line}, column {_label(names, column)}: {row[column]!r} is not a number; "
                f"correct it, or {_leave_out(names, column)}"
            ) from None
    return np.frombuffer(values, dtype=np.float64).reshape(-1, len(chosen))


def _rows(text: TextIO) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text, delimiter=_delimiter(text), strict=True)
    try:
        for row in reader:
            if len(row) > 1 or "".join(row).strip():
                yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is broken: {error}") from error


def read_csv(path: Path, pick: Pick, key: str | None, n_rows: int) -> Iterator[Floats]:
    """Read comma, semicolon or tab separated numbers, with or without a line of names."""
    try:
        with _text(path) as text:
            rows = _rows(text)
            head = list(islice(rows, 2))
            if not head:
                raise ValueError("it has no rows")
            first = head[0][1]
            names = _header(first, head[-1][1] if len(head) > 1 else [])
            chosen = pick(names, len(first))
            body = chain(head[1:] if names else head, rows)
            while len(block := _parse(body, names, len(first), chosen, n_rows)):
                yield block
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8; save it in that encoding") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError("its compressed data are damaged") from error


def read_parquet(path: Path, pick: Pick, key: str | None, n_rows: int) -> Iterator[Floats]:
    """Read columns of numbers from a Parquet file with pyarrow (extra `tables`)."""
    pyarrow, parquet = import_parquet()
    with reading(path) as raw:
        try:
            file = parquet.ParquetFile(raw)
            schema = file.schema_arrow
            # pandas keeps its row labels in columns of this name; they are no data.
            names = tuple(name for name in schema.names if not name.startswith("__index_level_"))
            chosen = pick(names, len(names))
            for column in chosen:
                kind = schema.field(names[column]).type
                if not is_numeric(pyarrow, kind):
                    leave_out = _leave_out(names, column)
                    raise ValueError(f"column {names[column]!r} holds {kind}; {leave_out}")
            wanted = [names[column] for column in chosen]
            for batch in file.iter_batches(min(n_rows, _BATCH), columns=wanted):
                columns = [
                    batch.column(name).cast(pyarrow.float64(), safe=False).to_numpy(False)
                    for name in wanted
                ]
                yield np.column_stack(columns)
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"it is not a Parquet file, or damaged: {error}") from error


def import_parquet() -> tuple[Any, Any]:
    """Import pyarrow, or say which extra brings it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "Parquet files need pyarrow: pip install 'biglearn-em[tables]', or use CSV"
        ) from error
    return pyarrow, pyarrow.parquet


def is_numeric(pyarrow: Any, kind: Any) -> bool:
    """Say whether a pyarrow type converts to a number without loss of meaning."""
    types = pyarrow.types
    checks = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(check(kind) for check in checks)


def _matrices(blocks: Iterator[NDArray[Any]], pick: Pick) -> Iterator[Floats]:
    """Turn the blocks of an array, which follow a stand-in for all, into columns of numbers."""
    head = next(blocks)
    if head.dtype.kind not in "biuf":
        raise ValueError(f"it holds {head.dtype}, not real numbers")
    if head.ndim not in (1, 2):
        raise ValueError(f"it has shape {head.shape}; rows and columns were expected")
    width = head.shape[1] if head.ndim == 2 else 1
    chosen = pick(None, width)
    for block in blocks:
        matrix = block.reshape(len(block), width)
        if chosen != list(range(width)):
            matrix = matrix[:, chosen]
        yield matrix.astype(np.float64, copy=False)


def read_array(path: Path, pick: Pick, key: str | None, n_rows: int) -> Iterator[Floats]:
    """Read one array in npy format; one dimension is one column."""
    with reading(path) as stream:
        yield from _matrices(npy_blocks(stream, path.stat().st_size, n_rows), pick)


def read_archive(path: Path, pick: Pick, key: str | None, n_rows: int) -> Iterator[Floats]:
    """Read the array called `key`, or the only one, of an npz archive."""
    with reading(path) as stream:
        archive = Archive(stream)
        if key is None and len(archive.names) == 1:
            key = archive.names[0]
        if key is None or key not in archive.names:
            problem = "it holds several arrays" if key is None else f"it has no array {key!r}"
            found = ", ".join(archive.names) or "none"
            raise ValueError(f"{problem} ({found}); name one with key (on the command line --key)")
        yield from _matrices(archive.blocks(key, n_rows), pick)


READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".tsv": read_csv,
    ".tsv.gz": read_csv,
    ".parquet": read_parquet,
    ".npy": read_array,
    ".npz": read_archive,
}
