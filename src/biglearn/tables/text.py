"""Read numbers from text: comma, semicolon or tab separated, with or without names."""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from biglearn.tables import arrow
from biglearn.tables.files import reading
from biglearn.tables.formats import Cells, Columns, Floats, Request, TextFormat
from biglearn.tables.layout import Layout, delimiter_of, layout_of
from biglearn.tables.packed import unpacked

#: Rows, and about how many cells, that are looked at to find out what a file is like.
_HEAD_ROWS, _HEAD_CELLS = 1000, 100_000

#: Smaller files are read in less time than it takes to load pyarrow.
ARROW_BYTES = 1 << 20

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


#: The number of the line where a row ends, and its cells.
_Row = tuple[int, list[str]]


class _Beginning(NamedTuple):
    """The first lines of a file, understood.

    Attributes
    ----------
    layout : Layout
    delimiter : str
    end : int
        Number of the line where the names end.
    """

    layout: Layout
    delimiter: str
    end: int


def read_csv(path: Path, request: Request) -> Iterator[NDArray[Any]]:
    """Read the wanted columns of a text file, as numbers or as they are.

    Large files are read by pyarrow, if it is installed.  What it refuses is read from there on
    line by line, which gives the same numbers and errors that name line and column.
    """
    with _opened(path, request.text) as text:
        beginning = _begin(text, path, request.text)
    chosen = request.pick(beginning.layout.columns)
    done = 0
    if _is_for_arrow(path, request):
        try:
            for block in _fast(path, request, beginning, chosen):
                yield block
                done += len(block)
        except arrow.UnusualTextError:
            pass
        else:
            return
    yield from _line_by_line(path, request, beginning, chosen, done)


def _is_for_arrow(path: Path, request: Request) -> bool:
    usual = request.text.thousands is None and not request.raw
    return usual and path.stat().st_size >= ARROW_BYTES and arrow.arrow_csv() is not None


def _encoding(start: bytes, text: TextFormat) -> str:
    if text.encoding is not None:
        return text.encoding
    return "utf-16" if start.startswith(_WIDE_MARKS) else "utf-8-sig"


@contextmanager
def _opened(path: Path, text: TextFormat) -> Iterator[TextIO]:
    """Open a text file; wrong bytes in it are an error that names the remedy."""
    with reading(path) as raw, unpacked(raw, path.name) as stream:
        buffered = io.BufferedReader(stream)
        encoding = _encoding(buffered.peek(2)[:2], text)
        try:
            yield io.TextIOWrapper(buffered, encoding=encoding, newline="")
        except UnicodeError as error:
            name = "UTF-8" if encoding == "utf-8-sig" else encoding
            raise ValueError(
                f"it is not text in {name}; save it in UTF-8, or name its encoding (encoding, on "
                "the command line --encoding cp1252, for one)"
            ) from error


def _rows(text: Iterator[str], delimiter: str) -> Iterator[_Row]:
    """Yield the rows of a text; lines without anything but space are none."""
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            # A quoted cell without text is a row of one missing value, as pandas writes it.
            if len(cells) > 1 or (cells and (not cells[0] or cells[0].strip())):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is broken: {error}") from error


def _begin(text: TextIO, path: Path, form: TextFormat) -> _Beginning:
    """Look at the first lines."""
    lines = list(_to_first(text))
    delimiter = delimiter_of(lines[-1] if lines else "", form, tabs=".tsv" in path.name.lower())
    rows = _rows(chain(lines, text), delimiter)
    head = list(islice(rows, 1))
    if not head:
        raise ValueError("it has no rows")
    head += islice(rows, min(_HEAD_ROWS, max(2, _HEAD_CELLS // max(1, len(head[0][1])))))
    layout = layout_of([cells for _, cells in head], form)
    return _Beginning(layout, delimiter, head[0][0] if layout.n_header else 0)


def _to_first(text: TextIO) -> Iterator[str]:
    """Yield lines up to the first one that is not blank."""
    for line in iter(text.readline, ""):
        yield line
        if line.strip():
            return


def _fast(
    path: Path, request: Request, beginning: _Beginning, chosen: Sequence[int]
) -> Iterator[Floats]:
    """Read blocks by pyarrow."""
    columns = beginning.layout.columns
    with reading(path) as raw, unpacked(raw, path.name) as stream:
        blocks = arrow.parse(
            stream,
            delimiter=beginning.delimiter,
            text=request.text,
            skip=beginning.end,
            width=columns.width,
            chosen=chosen,
        )
        for block in blocks:
            for start in range(0, len(block), request.n_rows):
                yield block[start : start + request.n_rows]


def _line_by_line(
    path: Path, request: Request, beginning: _Beginning, chosen: Sequence[int], done: int
) -> Iterator[NDArray[Any]]:
    """Read blocks by Python's own parser, from row `done` on."""
    layout = beginning.layout
    convert = _cells if request.raw else _numbers
    with _opened(path, request.text) as text:
        rows = islice(_rows(text, beginning.delimiter), layout.n_header + done, None)
        while len(block := convert(islice(rows, request.n_rows), layout.columns, chosen, request)):
            yield block


def _check_width(row: _Row, columns: Columns) -> None:
    line, cells = row
    if len(cells) != columns.width:
        raise ValueError(f"line {line} is broken: {len(cells)} values, expected {columns.width}")


def _cells(
    rows: Iterator[_Row], columns: Columns, chosen: Sequence[int], request: Request
) -> NDArray[Any]:
    table = []
    for row in rows:
        _check_width(row, columns)
        table.append([row[1][column] for column in chosen])
    return np.array(table, dtype=object).reshape(-1, len(chosen))


def _numbers(
    rows: Iterator[_Row], columns: Columns, chosen: Sequence[int], request: Request
) -> Floats:
    meaning, values = Cells(request.text), array("d")
    for row in rows:
        _check_width(row, columns)
        line, cells = row
        wanted = [cells[column] for column in chosen]
        try:
            values.extend(meaning.numbers(wanted))
        except ValueError:
            column = next(j for j in chosen if meaning.kind(cells[j]) == "text")
            raise ValueError(
                f"line {line}, column {columns.label(column)}: {cells[column]!r} is not a number; "
                f"correct it{meaning.hint(cells[column])}, or {columns.leave_out(column)}"
            ) from None
    return np.frombuffer(values, dtype=np.float64).reshape(-1, len(chosen))
