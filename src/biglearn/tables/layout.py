"""Find out from the first lines of a text file which columns it has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from biglearn.tables.formats import Columns, Names, TextFormat

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
    first = [cell.strip() for cell in head[0]]
    body = head[1:]
    names: Names = None
    remark = ""
    if text.header or (text.header is None and _has_text(first, body, text)):
        names = tuple(first)
    elif text.header is None and body:
        names, remark = _counted(first, body, text)
    if names and body and all(len(row) == len(names) + 1 for row in body):
        names = ("", *names)  # R gives the column of row names no cell in the header
    labels = _labels(names, body, text) if names else {}
    columns = Columns(names, len(names or first), labels, remark)
    return Layout(columns, n_header=0 if names is None else 1)


def _has_text(first: Row, body: Sequence[Row], text: TextFormat) -> bool:
    """Say whether the first row has text and no number, or text above a number."""
    kinds = [text.kind(cell) for cell in first]
    if "text" not in kinds:
        return False
    above = next((row for row in body if len(row) == len(first)), [])
    below = [text.kind(cell) for cell in above]
    return "number" not in kinds or ("text", "number") in zip(kinds, below, strict=False)


def _counted(first: Row, body: Sequence[Row], text: TextFormat) -> tuple[Names, str]:
    """Take numbers for names if they count up and those of other rows do not.

    Were the first row one like the others, it would be the only one of n that counts with
    probability 1/n.  Its first cell may be empty, for a column of row labels.
    """
    kinds = [text.kind(cell) for cell in first]
    places = [j for j, kind in enumerate(kinds) if kind == "number"]
    unnamed = kinds[:1] == ["missing"]
    if "missing" in kinds[1:] or not _counts([first[j] for j in places], least=2 - unnamed):
        return None, ""
    alike = sum(_looks_the_same(row, len(first), places, text, unnamed) for row in body)
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
    row: Row, width: int, places: Sequence[int], text: TextFormat, unnamed: bool
) -> bool:
    if len(row) != width or (unnamed and not text.is_missing(row[0])):
        return False
    return _counts([row[j] for j in places], least=len(places))


def _counts(cells: Row, *, least: int) -> bool:
    """Say whether cells are whole numbers in steps of one, or from three on in equal steps."""
    if len(cells) < least or not all(_WHOLE.fullmatch(cell) and cell.isascii() for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    steps = {after - before for before, after in pairwise(numbers)}
    return steps <= {1} or (len(cells) > 2 and len(steps) == 1 and min(steps) > 0)


def _labels(names: tuple[str, ...], body: Sequence[Row], text: TextFormat) -> dict[int, str]:
    """Find the columns in front that have no name and label the rows."""
    found: dict[int, str] = {}
    for column, name in enumerate(names[:-1]):
        cells = [row[column] for row in body if len(row) == len(names)]
        if name not in _UNNAMED or not cells or not _are_labels(cells, text, named=bool(name)):
            break
        found[column] = "has no name and holds row labels, as pandas and R write them"
    return found


def _are_labels(cells: Row, text: TextFormat, *, named: bool) -> bool:
    if all(_WHOLE.fullmatch(cell) for cell in cells):
        return not named or _counts(cells, least=1)
    return not named and all(text.kind(cell) == "text" for cell in cells)
