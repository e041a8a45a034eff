"""Tables in Markdown from the committed results, and the marked sections that hold them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.markdown import circumstances
from benchmarks.studies import (
    ablation,
    best_known,
    classes,
    clustering,
    equal_time,
    equal_time_tables,
    fashion,
    gaussians25,
    generalise,
    generalise_tables,
    merging,
    speed,
    targets,
)
from benchmarks.studies.store import Cell, load


def report(path: Path) -> str:
    """Return all tables of a study's file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    str
        Markdown.
    """
    cells = load(path)
    own: dict[str, Callable[[list[Cell]], str]] = {
        gaussians25.NAME: gaussians25.table,
        clustering.NAME: clustering.table,
        ablation.NAME: ablation.table,
        fashion.NAME: fashion.table,
        speed.NAME: lambda cells: f"{speed.table(cells)}\n{circumstances(cells)}\n",
        targets.NAME: targets.table,
        best_known.NAME: best_known.table,
        equal_time.NAME: equal_time_tables.table,
        generalise.NAME: lambda cells: (
            f"{generalise_tables.table(cells)}\n{circumstances(cells)}\n"
        ),
        classes.NAME: lambda cells: f"{classes.table(cells)}\n\n{circumstances(cells)}\n",
        merging.NAME: lambda cells: f"{merging.table(cells)}\n{circumstances(cells)}\n",
    }
    return own[path.stem](cells)


def short(path: Path) -> str:
    """Return the short tables of a study's file; all of it where there are none.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    str
        Markdown.
    """
    cells = load(path)
    if path.stem == generalise.NAME:
        return "\n\n".join([generalise_tables.summary(cells), circumstances(cells)]) + "\n"
    if path.stem == merging.NAME:
        return "\n\n".join([merging.summary(cells), circumstances(cells)]) + "\n"
    if path.stem == speed.NAME:
        return "\n\n".join([speed.summary(cells), circumstances(cells)]) + "\n"
    if path.stem == equal_time.NAME:
        return equal_time_tables.summary(cells)
    return report(path)


def front(path: Path) -> str:
    """Return the table of a study's file for the first page; the short ones where it has none.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    str
        Markdown.
    """
    cells = load(path)
    if path.stem == generalise.NAME:
        return generalise_tables.front(cells)
    if path.stem == equal_time.NAME:
        return equal_time_tables.front(cells)
    return short(path)


def fill(document: str, name: str, table: str) -> str:
    r"""Replace what stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``.

    Parameters
    ----------
    document, name, table : str

    Returns
    -------
    str

    Raises
    ------
    ValueError
        Where the marks are missing.

    Examples
    --------
    >>> fill("<!-- results:a -->old<!-- /results:a -->", "a", "new")
    '<!-- results:a -->\nnew\n<!-- /results:a -->'
    """
    opening, closing = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
    pattern = re.compile(re.escape(opening) + ".*?" + re.escape(closing), re.DOTALL)
    if not pattern.search(document):
        raise ValueError(f"the document has no marks {opening} … {closing}; put them in first")
    return pattern.sub(lambda _: f"{opening}\n{table.strip()}\n{closing}", document)
