"""Write named columns as CSV, Parquet or npy, one writer per format."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from biglearn.tables.arrow import arrow_csv, import_arrow, write_text
from biglearn.tables.packed import PACKINGS

Columns = Mapping[str, NDArray[Any]]

#: Fewer cells are written in less time than it takes to load pyarrow.
ARROW_CELLS = 200_000


def write_rows(stream: TextIO, columns: Columns, delimiter: str) -> None:
    """Write named columns as delimited text, floats with all their digits."""
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    if _are_for_arrow(columns) and hasattr(stream, "buffer"):
        stream.flush()
        write_text(stream.buffer, columns, delimiter)
        return
    writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))


def _are_for_arrow(columns: Columns) -> bool:
    many = sum(values.size for values in columns.values()) >= ARROW_CELLS
    kinds = [values.dtype for values in columns.values()]
    plain = all(kind.kind in "iuf" and kind.isnative and kind.itemsize in (4, 8) for kind in kinds)
    return many and plain and arrow_csv() is not None


def _write_text(stream: BinaryIO, columns: Columns, *, delimiter: str, packing: str) -> None:
    content = PACKINGS[packing](stream, "wb") if packing else stream
    text = io.TextIOWrapper(content, encoding="utf-8", newline="")
    write_rows(text, columns, delimiter)
    text.flush()
    text.detach()
    if packing:
        content.close()


def _write_parquet(stream: BinaryIO, columns: Columns) -> None:
    pyarrow = import_arrow("Parquet files")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table(dict(columns)), stream)


def _write_npy(stream: BinaryIO, columns: Columns) -> None:
    np.save(stream, np.column_stack(list(columns.values())), allow_pickle=False)


WRITERS: dict[str, Callable[[BinaryIO, Columns], None]] = {
    **{
        kind + packing: partial(_write_text, delimiter=delimiter, packing=packing)
        for kind, delimiter in ((".csv", ","), (".tsv", "\t"))
        for packing in ("", *PACKINGS)
    },
    ".parquet": _write_parquet,
    ".npy": _write_npy,
}
