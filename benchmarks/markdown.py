"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a row may end early.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequences of str

    Returns
    -------
    str

    Examples
    --------
    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    return "\n".join(_row(cells) for cells in [head, ["---"] * len(head), *rows])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
