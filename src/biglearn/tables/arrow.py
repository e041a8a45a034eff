"""Text and Parquet through pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biglearn.tables.formats import Cells, Floats, TextFormat

#: Bytes of text that are converted at a time.
_BLOCK = 1 << 22

#: Rows that are written at a time.
_ROWS = 1 << 16


class UnusualTextError(ValueError):
    """Text that only the parser of `biglearn.tables.text` can judge."""


def import_arrow(what: str) -> Any:
    """Import pyarrow, or say which extra brings it."""
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(f"{what} need pyarrow: pip install pyarrow, or use plain CSV") from error
    return pyarrow


def arrow_csv() -> Any:
    """Return pyarrow's module for CSV, or None where it is not installed."""
    try:
        import pyarrow.csv
    except ImportError:
        return None
    return pyarrow.csv


def parse(
    stream: Any,
    *,
    delimiter: str,
    text: TextFormat,
    skip: int,
    width: int,
    chosen: Sequence[int],
) -> Iterator[Floats]:
    """Convert the lines of a text file after the first `skip`, block by block.

    Raises
    ------
    UnusualTextError
        If a line is not as usual. What was yielded before is right all the same.
    """
    import pyarrow
    import pyarrow.compute

    csv = arrow_csv()
    names = [str(column) for column in range(width)]
    wanted = {str(column) for column in chosen}
    # Cells that are not wanted are looked at too: a quote without its end swallows lines.
    types = {name: pyarrow.float64() if name in wanted else pyarrow.binary() for name in names}
    options = {
        "read_options": csv.ReadOptions(
            block_size=_BLOCK, skip_rows=skip, column_names=names, encoding=text.encoding or "utf8"
        ),
        "parse_options": csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        "convert_options": csv.ConvertOptions(
            column_types=types,
            include_columns=names,
            null_values=Cells(text).spellings,
            decimal_point=text.decimal,
        ),
    }
    try:
        with csv.open_csv(stream, **options) as reader:
            for batch in reader:
                for name, column in zip(names, batch.columns, strict=True):
                    if name not in wanted and _has_line_breaks(pyarrow.compute, column):
                        raise UnusualTextError("a cell holds a line break")
                yield matrix_of([batch.column(column) for column in chosen])
    except pyarrow.ArrowInvalid as error:
        raise UnusualTextError(str(error)) from error


def _has_line_breaks(compute: Any, column: Any) -> bool:
    return any(compute.any(compute.match_substring(column, mark)).as_py() for mark in "\n\r")


def matrix_of(columns: Sequence[Any]) -> Floats:
    """Return arrays of float64 as the columns of a matrix, with NaN for null."""
    matrix = np.empty((len(columns[0]), len(columns)))
    for place, column in enumerate(columns):
        matrix[:, place] = column.to_numpy(zero_copy_only=False)
    return matrix


def is_numeric(pyarrow: Any, kind: Any) -> bool:
    """Say whether a pyarrow type converts to a number without loss of meaning."""
    types = pyarrow.types
    checks = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(check(kind) for check in checks)


def _array(values: NDArray[Any]) -> Any:
    """Hand numbers to pyarrow by their memory: any other way it would load pandas."""
    import pyarrow

    kind = pyarrow.from_numpy_dtype(values.dtype)
    memory = pyarrow.py_buffer(np.ascontiguousarray(values))
    return pyarrow.Array.from_buffers(kind, len(values), [None, memory])


def write_text(stream: Any, columns: Mapping[str, NDArray[Any]], delimiter: str) -> None:
    """Write named columns of numbers as text, without the line of names."""
    import pyarrow

    csv = arrow_csv()
    options = csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
    names = [str(place) for place in range(len(columns))]
    table = pyarrow.Table.from_arrays([_array(each) for each in columns.values()], names=names)
    for start in range(0, len(table), _ROWS):
        # Not straight into the stream: an interrupt in a call from pyarrow would get lost.
        piece = pyarrow.BufferOutputStream()
        csv.write_csv(table.slice(start, _ROWS), piece, write_options=options)
        stream.write(memoryview(piece.getvalue()))
