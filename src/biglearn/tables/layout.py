"""Find out from the first lines of a text file which columns it has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from biglearn.tables.formats import Cells, Columns, Names, TextFormat

Row = Sequence[str]

#: Names that row labels have: none, or what pandas makes of none.
_UNNAMED = ("", "Unnamed: 0")

#: Share of lines that may look like a header by chance.
_CHANCE = 1 / 20

_WHOLE = re.compile(r"\s*[0-9]+\s*")


@dataclass(frozen=True)
class Layout:
    """The columns of a text file, and the number of its rows that hold names."""

    columns: Columns
    n_header: int


def delimiter_of(line: str, text: TextFormat, *, tabs: bool) -> str:
    """Return the delimiter of a file, given its first line.

    Examples
    --------
    >>> from biglearn.tables.formats import TextFormat
    >>> delimiter_of("length;width", TextFormat(), tabs=False)
    ';'
    """
    if text.delimiter is not None:
        return text.delimiter
    choices = [mark for mark in ",;\t|" if mark != text.decimal]
    return "\t" if tabs and "\t" in line else max(choices, key=line.count)


def layout_of(head: Sequence[Row], text: TextFormat) -> Layout:
    """Return the layout of a file, given its first rows.

    Examples
    --------
    >>> from biglearn.tables.formats import TextFormat
    >>> layout_of([["", "a"], ["0", "1.5"], ["1", "2.5"]], TextFormat()).columns.names
    ('', 'a')
    """
    cells = Cells(text)
    first = [cell.strip() for cell in head[0]]
    body = head[1:]
    names: Names = None
    remark = ""
    if text.header or (text.header is None and _has_text(first, body, cells)):
        names = tuple(first)
    elif text.header is None and body:
        names, remark = _counted(first, body, cells)
    if names and body and all(len(row) == len(names) + 1 for row in body):
        names = ("", *names)  # R gives the column of row names no cell in the header
    labels = _labels(names, body, cells) if names else {}
    columns = Columns(names, len(names or first), labels, remark)
    return Layout(columns, n_header=0 if names is None else 1)


def _has_text(first: Row, body: Sequence[Row], cells: Cells) -> bool:
    """Say whether the first row has text and no number, or text above a number."""
    kinds = [cells.kind(cell) for cell in first]
    if "text" not in kinds:
        return False
    above = next((row for row in body if len(row) == len(first)), [])
    below = [cells.kind(cell) for cell in above]
    return "number" not in kinds or ("text", "number") in zip(kinds, below, strict=False)


def _counted(first: Row, body: Sequence[Row], cells: Cells) -> tuple[Names, str]:
    """Take numbers for names if they count up and those of other rows do not.

    Were the first row one like the others, it would be the only one of n that counts with
    probability 1/n.  Its first cell may be empty, for a column of row labels.
    """
    kinds = [cells.kind(cell) for cell in first]
    places = [j for j, kind in enumerate(kinds) if kind == "number"]
    unnamed = kinds[:1] == ["missing"]
    if "missing" in kinds[1:] or not _counts([first[j] for j in places], least=2 - unnamed):
        return None, ""
    alike = sum(_looks_the_same(row, len(first), places, cells, unnamed) for row in body)
    shown = ", ".join(first[:4]) + (", ..." if len(first) > 4 else "")
    if alike <= _CHANCE * len(body):
        return tuple(first), (
            f"its first line ({shown}) counts up and the others do not, so that it is read as "
            "names; header=False, on the command line --no-header, reads it as a row"
        )
    if alike <= len(body) / 2:
        return None, (
            f"its first line ({shown}) counts up, as some others do, and is read as a row; "
            "header=True, on the command line --header, reads it as names"
        )
    return None, ""


def _looks_the_same(
    row: Row, width: int, places: Sequence[int], cells: Cells, unnamed: bool
) -> bool:
    if len(row) != width or (unnamed and not cells.is_missing(row[0])):
        return False
    return _counts([row[j] for j in places], least=len(places))


def _counts(row: Row, *, least: int) -> bool:
    """Say whether cells are whole numbers in steps of one, or from three on in equal steps."""
    if len(row) < least or not all(_WHOLE.fullmatch(cell) for cell in row):
        return False
    numbers = [int(cell) for cell in row]
    steps = {after - before for before, after in pairwise(numbers)}
    return steps <= {1} or (len(row) > 2 and len(steps) == 1 and min(steps) > 0)


def _labels(names: tuple[str, ...], body: Sequence[Row], cells: Cells) -> dict[int, str]:
    """Find the columns in front that have no name and label the rows."""
    found: dict[int, str] = {}
    for place, name in enumerate(names[:-1]):
        column = [row[place] for row in body if len(row) == len(names)]
        if name not in _UNNAMED or not column or not _are_labels(column, cells, named=bool(name)):
            break
        found[place] = "has no name and holds row labels, as pandas and R write them"
    return found


def _are_labels(column: Row, cells: Cells, *, named: bool) -> bool:
    if all(_WHOLE.fullmatch(cell) for cell in column):
        return not named or _counts(column, least=1)
    return not named and all(cells.kind(cell) == "text" for cell in column)
