"""Put the tables of the committed results between the marks of documents.

python -m benchmarks.fill README.md docs   # files, or folders of them
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import forms, legs, out_of_core
from benchmarks.studies import tables

RESULTS = Path(__file__).parent / "results"

#: The tables of results that are not of a study.
OTHERS: dict[str, Callable[[Path], str]] = {
    **dict.fromkeys(["out-of-core", "dask-workers"], out_of_core.table),
    "forms": forms.table,
    "legs": legs.table,
}


def filled(text: str, path: Path) -> str:
    """Fill the marks in the text of a document.

    Parameters
    ----------
    text : str
    path : pathlib.Path
        Where the document lies: beside the results tables are complete, elsewhere short.

    Returns
    -------
    str
    """
    beside = path.resolve().parent == RESULTS.resolve().parent
    for source in sorted(RESULTS.glob("*.json")):
        if f"<!-- results:{source.stem} -->" in text:
            table = OTHERS.get(source.stem, tables.report if beside else tables.front)
            text = tables.fill(text, source.stem, table(source))
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
