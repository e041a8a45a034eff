"""Write named columns as CSV, Parquet or npy, one writer per format."""

import csv
import gzip
import io
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from biglearn.tables.readers import import_parquet


def write_rows(stream: TextIO, columns: Mapping[str, NDArray[Any]], delimiter: str) -> None:
    """Write named columns as delimited text, floats with all their digits."""
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))


def _write_text(stream: BinaryIO, columns: Mapping[str, NDArray[Any]], delimiter: str) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    write_rows(text, columns, delimiter)
    text.detach()


def _write_packed(stream: BinaryIO, columns: Mapping[str, NDArray[Any]], delimiter: str) -> None:
    with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed:
        _write_text(packed, columns, delimiter)  # type: ignore[arg-type]


def _write_parquet(stream: BinaryIO, columns: Mapping[str, NDArray[Any]]) -> None:
    pyarrow, parquet = import_parquet()
    parquet.write_table(pyarrow.table(dict(columns)), stream)


def _write_npy(stream: BinaryIO, columns: Mapping[str, NDArray[Any]]) -> None:
    np.save(stream, np.column_stack(list(columns.values())), allow_pickle=False)


WRITERS: dict[str, Callable[[BinaryIO, Mapping[str, NDArray[Any]]], None]] = {
    ".csv": lambda stream, columns: _write_text(stream, columns, ","),
    ".csv.gz": lambda stream, columns: _write_packed(stream, columns, ","),
    ".tsv": lambda stream, columns: _write_text(stream, columns, "\t"),
    ".parquet": _write_parquet,
    ".npy": _write_npy,
}
