"""Choose columns of a table by name or number."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from biglearn.tables.formats import Columns, Names


class TableError(ValueError):
    """A table cannot be read, or the columns asked for are not in it."""


@dataclass(frozen=True)
class Selection:
    """Choose columns; called as soon as a reader knows them.

    Parameters
    ----------
    columns, exclude, weights, features
        As in `read_table`.
    """

    columns: Sequence[str | int] | None = None
    exclude: Sequence[str | int] = ()
    weights: str | int | None = None
    features: Sequence[str] | None = None

    def __call__(self, found: Columns, say: Callable[[str], None]) -> list[int]:
        """Return the numbers of the chosen columns, that of the weights last.

        Where nobody asked for columns by name or number, those of row labels are left out,
        which is said.
        """
        names, width = found.names, found.width
        _reject_twins(found)
        weights = [] if self.weights is None else [_locate(self.weights, names, width)]
        left_out = set(_several(self.exclude, names, width)) | set(weights)
        if self.columns is not None:
            wanted = _several(self.columns, names, width)
        elif self.features is not None and names is not None:
            wanted = _by_feature(self.features, names)
        else:
            wanted = list(range(width))
            for column in sorted(set(found.labels) - left_out):
                say(
                    f"column {found.label(column)} {found.labels[column]}: it is left out "
                    f"(columns, on the command line --columns, reads it as number {column})"
                )
            left_out |= set(found.labels)
        chosen = [column for column in wanted if column not in left_out]
        if not chosen:
            raise TableError(f"no column is left of {width}")
        return chosen + weights


def _reject_twins(found: Columns) -> None:
    names = Counter(name for j, name in enumerate(found.names or ()) if j not in found.labels)
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise TableError(f"its header names {twice[0]!r} more than once")


def _locate(reference: str | int, names: Names, width: int) -> int:
    """Find one column by its name, or else by its number from 0."""
    if names and reference in names:
        return names.index(str(reference))
    if str(reference).isdecimal() and int(reference) < width:
        return int(reference)
    if not names or str(reference).isdecimal():
        raise TableError(f"there is no column {reference!r}; they are numbered 0 to {width - 1}")
    close = difflib.get_close_matches(str(reference), names, n=3, cutoff=0.5)
    near, some = (close, "near it are") if close else (names[:8], "there are")
    listed = ", ".join(repr(name) for name in near) + (", ..." if len(near) < len(names) else "")
    raise TableError(f"there is no column {reference!r}; {some} {listed}")


def _several(references: Sequence[str | int], names: Names, width: int) -> list[int]:
    found = [_locate(reference, names, width) for reference in references]
    for position, column in enumerate(found):
        if column in found[:position]:
            raise TableError(f"column {references[position]!r} was asked for twice")
    return found


def _by_feature(features: Sequence[str], names: Sequence[str]) -> list[int]:
    missing = [repr(name) for name in features if name not in names]
    if missing:
        there = ", ".join(repr(name) for name in names)
        raise TableError(f"it lacks {', '.join(missing)}, which the model needs; it has {there}")
    return [names.index(name) for name in features]
