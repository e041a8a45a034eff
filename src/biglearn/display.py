"""Tables and facts as text for a terminal, and as HTML for a notebook or a page."""

from __future__ import annotations

import html
import math
import numbers
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Looks of a table where no page has a style sheet, as in a notebook.
_STYLE = (
    "<style>.biglearn{border-collapse:collapse;margin:.5em 0}"
    ".biglearn caption{text-align:left;font-weight:600;white-space:nowrap}"
    ".biglearn th,.biglearn td{text-align:right;padding:.15em .6em}"
    ".biglearn .text{text-align:left}</style>"
)


def printable(text: str) -> str:
    """Fold text into one line that cannot steer a terminal, whatever file it came from."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def escaped(value: Any) -> str:
    """Return a value as HTML that shows it, and does nothing else."""
    return html.escape(shown(value), quote=True)


def shown(value: Any, digits: int = 6) -> str:
    """Return a value as people read it, in one line.

    Examples
    --------
    >>> from biglearn.display import shown
    >>> shown(0.1234567), shown(None), shown(True), shown(["a", "b"]), shown(float("nan"))
    ('0.123457', '–', 'yes', 'a, b', '–')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or (isinstance(value, numbers.Real) and math.isnan(value)):
        return "–"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return f"{float(value):.{digits}g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(str(key))} {shown(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(shown(entry) for entry in value)
    return printable(str(value))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, numbers.Real) and not isinstance(value, bool))


def figures(value: float, digits: int) -> str:
    """Return a number with so many figures, without an exponent where it can be read so.

    Examples
    --------
    >>> from biglearn.display import figures
    >>> figures(164.2, 2), figures(0.01234, 2)
    ('160', '0.012')
    """
    return f"{float(f'{value:.{digits}g}'):g}"


@dataclass(frozen=True, eq=False)
class Grid:
    """A small table under a title.

    Parameters
    ----------
    columns : mapping of str to sequence
        Cells by the head of their column, all of one length.
    title, note : str
        Above and below; nothing where empty.
    has_head : bool, default=True
        Whether the heads are shown.
    right : collection of str
        Columns of text that stand to the right, as those of numbers do.

    Examples
    --------
    >>> from biglearn.display import Grid
    >>> print(Grid({"name": ["a", "b"], "weight": [0.25, 0.75]}, "Parts").text)
    Parts
    name  weight
    a       0.25
    b       0.75
    """

    columns: Mapping[str, Sequence[Any]]
    title: str = ""
    note: str = ""
    has_head: bool = True
    right: Collection[str] = ()

    def __len__(self) -> int:
        return max((len(cells) for cells in self.columns.values()), default=0)

    def _is_right(self, head: str) -> bool:
        return head in self.right or all(_is_number(cell) for cell in self.columns[head])

    @property
    def text(self) -> str:
        """Lines for a terminal, without a line break at the end."""
        parts = [printable(self.title)] if self.title else []
        laid = []
        for head, cells in self.columns.items():
            lines = [printable(head)] * self.has_head + [shown(cell) for cell in cells]
            width = max((len(line) for line in lines), default=0)
            right = self._is_right(head)
            laid.append([line.rjust(width) if right else line.ljust(width) for line in lines])
        parts += ["  ".join(line).rstrip() for line in zip(*laid, strict=True)]
        return "\n".join([*parts, printable(self.note)] if self.note else parts)

    def html(self, kind: str = "biglearn") -> str:
        """Return a table of HTML of a class, with every cell's number for whatever sorts it."""
        marks = ["" if self._is_right(head) else ' class="text"' for head in self.columns]
        parts = [f'<table class="{kind}">']
        if self.title:
            parts.append(f"<caption>{escaped(self.title)}</caption>")
        if self.has_head:
            heads = zip(self.columns, marks, strict=True)
            inside = "".join(f'<th scope="col"{mark}>{escaped(head)}</th>' for head, mark in heads)
            parts.append(f"<thead><tr>{inside}</tr></thead>")
        parts.append("<tbody>")
        for row in zip(*self.columns.values(), strict=True):
            cells = (f"<td{mark}{_key(cell)}>{escaped(cell)}</td>"
                     for cell, mark in zip(row, marks, strict=True))  # fmt: skip
            parts.append(f"<tr>{''.join(cells)}</tr>")
        parts.append("</tbody></table>")
        if self.note:
            parts.append(f'<p class="note">{escaped(self.note)}</p>')
        return "".join(parts)


def _key(cell: Any) -> str:
    is_known = isinstance(cell, numbers.Real) and math.isfinite(cell)
    return f' data-value="{float(cell)!r}"' if is_known else ""


def notebook(grids: Sequence[Grid], warnings: Sequence[str] = ()) -> str:
    """Return several tables, and warnings as a list, as a notebook shows them."""
    parts = [_STYLE, *(grid.html() for grid in grids if len(grid))]
    if warnings:
        items = "".join(f"<li>{escaped(line)}</li>" for line in warnings)
        parts.append(f"<p><b>Warnings</b></p><ul>{items}</ul>")
    return "".join(parts)
