"""Read a table of numbers from text, Parquet, npy or npz, one reader per format.

Every reader has the same shape: it learns the columns of the file, asks `request.pick` which of
them are wanted and in which order, and yields only those, converted, in blocks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biglearn.tables.arrow import import_arrow, is_numeric, matrix_of
from biglearn.tables.files import Archive, npy_blocks, reading
from biglearn.tables.formats import Columns, Pick, Request
from biglearn.tables.packed import PACKINGS
from biglearn.tables.text import read_csv

Reader = Callable[[Path, Request], Iterator[NDArray[Any]]]

#: Rows of a Parquet file that are decoded at a time.
_BATCH = 1 << 16


def read_parquet(path: Path, request: Request) -> Iterator[NDArray[Any]]:
    """Read columns from a Parquet file with pyarrow."""
    pyarrow = import_arrow("Parquet files")
    import pyarrow.parquet as parquet

    with reading(path) as raw:
        try:
            file = parquet.ParquetFile(raw)
            schema = file.schema_arrow
            columns = Columns(tuple(schema.names), len(schema.names), _index_of(schema))
            chosen = request.pick(columns)
            for column in () if request.raw else chosen:
                kind = schema.field(column).type
                if not is_numeric(pyarrow, kind):
                    raise ValueError(
                        f"column {columns.label(column)} holds {kind}; {columns.leave_out(column)}"
                    )
            wanted = [schema.names[column] for column in chosen]
            for batch in file.iter_batches(min(request.n_rows, _BATCH), columns=wanted):
                cells = [batch.column(name) for name in wanted]
                if request.raw:
                    objects = [np.array(each.to_pylist(), dtype=object) for each in cells]
                    yield np.column_stack(objects)
                else:
                    yield matrix_of([each.cast(pyarrow.float64(), safe=False) for each in cells])
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"it is not a Parquet file, or damaged: {error}") from error


def _index_of(schema: Any) -> dict[int, str]:
    """Find the columns in which pandas keeps the index of a frame."""
    try:
        known = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))["index_columns"]
    except (ValueError, KeyError, TypeError):
        known = []
    return {
        column: "holds the index of a pandas frame"
        for column, name in enumerate(schema.names)
        if name in known or name.startswith("__index_level_")
    }


def _matrices(blocks: Iterator[NDArray[Any]], pick: Pick) -> Iterator[NDArray[Any]]:
    """Turn the blocks of an array, which follow a stand-in for all, into columns of numbers."""
    head = next(blocks)
    if head.dtype.kind not in "biuf":
        raise ValueError(f"it holds {head.dtype}, not real numbers")
    if head.ndim not in (1, 2):
        raise ValueError(f"it has shape {head.shape}; rows and columns were expected")
    width = head.shape[1] if head.ndim == 2 else 1
    chosen = pick(Columns(None, width))
    for block in blocks:
        matrix = block.reshape(len(block), width)
        if chosen != list(range(width)):
            matrix = matrix[:, chosen]
        yield matrix.astype(np.float64, copy=False)


def read_array(path: Path, request: Request) -> Iterator[NDArray[Any]]:
    """Read one array in npy format; one dimension is one column."""
    with reading(path) as stream:
        blocks = npy_blocks(stream, path.stat().st_size, request.n_rows)
        yield from _matrices(blocks, request.pick)


def read_archive(path: Path, request: Request) -> Iterator[NDArray[Any]]:
    """Read the array called `key`, or the only one, of an npz archive."""
    key = request.key
    with reading(path) as stream:
        archive = Archive(stream)
        if key is None and len(archive.names) == 1:
            key = archive.names[0]
        if key is None or key not in archive.names:
            problem = "it holds several arrays" if key is None else f"it has no array {key!r}"
            found = ", ".join(archive.names) or "none"
            raise ValueError(f"{problem} ({found}); name one with key (on the command line --key)")
        yield from _matrices(archive.blocks(key, request.n_rows), request.pick)


READERS: dict[str, Reader] = {
    **{kind + pack: read_csv for kind in (".csv", ".tsv") for pack in ("", *PACKINGS)},
    ".parquet": read_parquet,
    ".npy": read_array,
    ".npz": read_archive,
}
