"""Tables in Markdown from the committed results, and the marked sections that hold them."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.markdown import circumstances
from benchmarks.studies import (
    ablation,
    best_known,
    classes,
    clustering,
    equal_time_tables,
    fashion,
    gaussians25,
    generalise_tables,
    many,
    mclust_sets,
    merging,
    missing,
    regression,
    selection,
    speed,
    targets,
)
from benchmarks.studies.store import load

#: Studies by name, and those under whose tables it is said where they were run.
_ALONE = (gaussians25, clustering, ablation, fashion, targets, best_known, equal_time_tables)
_WITH_CIRCUMSTANCES = (
    speed,
    generalise_tables,
    classes,
    merging,
    missing,
    regression,
    selection,
    mclust_sets,
    many,
)
TABLES = {study.NAME: study.table for study in (*_ALONE, *_WITH_CIRCUMSTANCES)}


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
    table = TABLES[path.stem](cells)
    told = path.stem in {study.NAME for study in _WITH_CIRCUMSTANCES}
    return f"{table.rstrip()}\n\n{circumstances(cells)}\n" if told else table


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
    if path.stem == generalise_tables.NAME:
        return "\n\n".join([generalise_tables.summary(cells), circumstances(cells)]) + "\n"
    if path.stem == merging.NAME:
        return "\n\n".join([merging.summary(cells), circumstances(cells)]) + "\n"
    if path.stem == speed.NAME:
        return "\n\n".join([speed.summary(cells), circumstances(cells)]) + "\n"
    if path.stem == equal_time_tables.NAME:
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
    if path.stem == generalise_tables.NAME:
        return generalise_tables.front(cells)
    if path.stem == equal_time_tables.NAME:
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
