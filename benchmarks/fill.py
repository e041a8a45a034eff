"""Put the tables of the committed results between the marks of documents.

python -m benchmarks.fill README.md docs   # files, or folders of them
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import coverage, evidence, forms, legs, many_rows, out_of_core
from benchmarks.studies import tables

RESULTS = Path(__file__).parent / "results"

#: The tables of results that are not of a study.
OTHERS: dict[str, Callable[[Path], str]] = {
    **dict.fromkeys(["out-of-core", "dask-workers"], out_of_core.table),
    "coverage": coverage.table,
    "forms": forms.table,
    "legs": legs.table,
    "many-rows": many_rows.table,
}


def filled(text: str, path: Path) -> str:
    """Fill the marks in the text of a document.

    Parameters
    ----------
    text : str
    path : pathlib.Path
        Where the document lies: beside the results tables are complete, in the root of the project
        for a glance, elsewhere short.

    Returns
    -------
    str
    """
    folder, studies = path.resolve().parent, RESULTS.resolve().parent
    of = {studies: tables.report, studies.parent: tables.front}.get(folder, tables.short)
    for source in sorted(RESULTS.glob("*.json")):
        if f"<!-- results:{source.stem} -->" in text:
            table = OTHERS.get(source.stem, of)
            text = tables.fill(text, source.stem, table(source))
    if "<!-- results:evidence -->" in text:
        text = tables.fill(text, "evidence", evidence.table())
    return text


def main(arguments: Sequence[str]) -> None:
    """Rewrite the documents named; without any, the README.

    Parameters
    ----------
    arguments : sequence of str
        Files, or folders of Markdown files.
    """
    for argument in arguments or ["README.md"]:
        named = Path(argument)
        for path in sorted(named.rglob("*.md")) if named.is_dir() else [named]:
            old = path.read_text()
            text = filled(old, path)
            if text != old:
                path.write_text(text)
                print(f"{path} rewritten")


if __name__ == "__main__":
    main(sys.argv[1:])
