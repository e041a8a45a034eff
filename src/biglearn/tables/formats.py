"""How text is written in a file, what a reader finds in one, and what is asked of it."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

Names = tuple[str, ...] | None
Floats = NDArray[np.float64]

#: Cells that stand for no value, in small letters.
_MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?"})


@dataclass(frozen=True)
class TextFormat:
    r"""How the text of a CSV file is written, where the usual way does not hold.

    Parameters
    ----------
    delimiter : str, default=None
        The character between cells. None takes the most frequent of comma, semicolon, tab
        and ``|`` in the first line.
    decimal : str, default="."
        The decimal point.
    thousands : str, default=None
        The character between groups of three digits.
    missing : sequence of str, default=()
        More cells that stand for no value. Numbers among them are missing in files of
        every format.
    encoding : str, default=None
        Name of the encoding, such as ``"cp1252"``. None is UTF-8, or UTF-16 with its mark.
    header : bool, default=None
        Whether the first line has the names of the columns. None finds out.

    Raises
    ------
    ValueError
        If a mark is no single character, one has two meanings, or the encoding is unknown.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from biglearn.io import TextFormat, read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "flowers.csv"
    ...     _ = path.write_text("length;width\n5,1;3,5\n4,9;k.A.\n")
    ...     read_table(path, text=TextFormat(decimal=",", missing=["k.A."])).values
    array([[5.1, 3.5],
           [4.9, nan]])
    """

    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    missing: Sequence[str] = ()
    encoding: str | None = None
    header: bool | None = None

    def __post_init__(self) -> None:
        given = {"delimiter": self.delimiter, "decimal": self.decimal, "thousands": self.thousands}
        marks = {name: mark for name, mark in given.items() if mark is not None}
        for name, mark in marks.items():
            if len(mark) != 1 or mark.isalnum() or mark in '"\r\n+-':
                raise ValueError(f"{name} must be one character, no letter or digit, got {mark!r}")
        if self.decimal in (self.delimiter, self.thousands):
            raise ValueError(
                f"decimal must differ from delimiter and thousands, got {self.decimal!r} for both"
            )
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise ValueError(f"there is no encoding {self.encoding!r}") from None


@dataclass(frozen=True)
class Cells:
    """What cells of text mean.

    Parameters
    ----------
    text : TextFormat

    Examples
    --------
    >>> cells = Cells(TextFormat(decimal=","))
    >>> cells.number("1,5"), cells.kind("NA"), cells.kind("1_000")
    (1.5, 'missing', 'text')
    """

    text: TextFormat

    def is_missing(self, cell: str) -> bool:
        """Say whether a cell stands for no value."""
        return cell.strip().lower() in _MISSING or cell.strip() in self.text.missing

    def number(self, cell: str) -> float:
        """Return the number in a cell, NaN where it stands for no value.

        Raises
        ------
        ValueError
            If the cell holds anything else, 1_000 and digits of other scripts included.
        """
        plain = cell
        if self.text.thousands is not None and self._grouped.fullmatch(cell):
            plain = cell.replace(self.text.thousands, "")
        if self.text.decimal != ".":
            plain = plain.replace(".", "_").replace(self.text.decimal, ".")
        try:
            if "_" not in plain and plain.isascii():
                return float(plain)
        except ValueError:
            pass
        if self.is_missing(cell):
            return math.nan
        raise ValueError(f"{cell!r} is not a number")

    def numbers(self, cells: Sequence[str]) -> list[float]:
        """Return the `number` of each cell, at once where all are usual."""
        together = "".join(cells)
        if self.text.decimal == "." and "_" not in together and together.isascii():
            try:
                return list(map(float, cells))
            except ValueError:
                pass
        return list(map(self.number, cells))

    def kind(self, cell: str) -> str:
        """Return "missing", "number" or "text"."""
        if self.is_missing(cell):
            return "missing"
        try:
            self.number(cell)
        except ValueError:
            return "text"
        return "number"

    def hint(self, cell: str) -> str:
        """Say which option would make a number of a cell, if one would."""
        trials = {"decimal": TextFormat(decimal=","), "thousands": TextFormat(thousands=",")}
        for name, text in trials.items():
            if Cells(text).kind(cell) == "number":
                return f", read it with {name}=',' (on the command line --{name} ,)"
        return ""

    @cached_property
    def numeric_codes(self) -> list[float]:
        """Numbers that stand for no value."""
        plain = Cells(replace(self.text, missing=()))
        return [plain.number(code) for code in self.text.missing if plain.kind(code) == "number"]

    @property
    def spellings(self) -> list[str]:
        """All cells that stand for no value, as they may be written."""
        cases = (product(*zip(word, word.upper(), strict=True)) for word in _MISSING)
        words = {"".join(letters) for each in cases for letters in each}
        return sorted(words | {*self.text.missing})

    @cached_property
    def _grouped(self) -> re.Pattern[str]:
        mark, point = re.escape(self.text.thousands or ""), re.escape(self.text.decimal)
        number = rf"\s*[+-]?[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+(?:{point}[0-9]*)?(?:[eE][+-]?[0-9]+)?"
        return re.compile(number + r"\s*")


@dataclass(frozen=True)
class Columns:
    """The columns of a file, as a reader found them.

    Attributes
    ----------
    names : tuple of str or None
    width : int
        How many there are.
    labels : mapping of int to str
        Columns that label rows and hold no data, each with the reason.
    remark : str
        What the reader decided and a user may see otherwise; empty for nothing.
    """

    names: Names
    width: int
    labels: Mapping[int, str] = field(default_factory=dict)
    remark: str = ""

    def label(self, column: int) -> str:
        """Return the name of a column, or else its number, for a message."""
        return repr(self.names[column]) if self.names else str(column)

    def leave_out(self, column: int) -> str:
        """Say how to read the file without a column."""
        name = self.names[column] if self.names else str(column)
        return f"leave the column out (exclude, on the command line --exclude {name})"


Pick = Callable[[Columns], list[int]]


@dataclass(frozen=True)
class Request:
    """What is asked of a reader.

    Attributes
    ----------
    pick : callable
        Given the columns, returns which of them are wanted and in which order.
    n_rows : int
        Most rows of a block.
    key : str or None
        Which array of an archive.
    text : TextFormat
    raw : bool
        Whether cells are wanted as they are, as objects, and not as numbers.
    """

    pick: Pick
    n_rows: int
    key: str | None = None
    text: TextFormat = field(default_factory=TextFormat)
    raw: bool = False
