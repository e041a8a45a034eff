"""Put the tables of the committed results between the marks of documents."""

import sys
from pathlib import Path

import forms
import out_of_core
import uses

from benchmarks.studies import tables

RESULTS = Path(__file__).parent / "results"

#: The tables of results that are not of a study.
OTHERS = {
    **dict.fromkeys(["out-of-core", "dask-workers"], out_of_core.table),
    "forms": forms.table,
    **dict.fromkeys(uses.PARTS, uses.table),
}


def main(arguments):
    for argument in arguments or ["README.md"]:
        named = Path(argument)
        for path in sorted(named.rglob("*.md")) if named.is_dir() else [named]:
            text = old = path.read_text()
            for source in sorted(RESULTS.glob("*.json")):
                if f"<!-- results:{source.stem} -->" in text:
                    if source.stem in OTHERS:
                        text = tables.fill(text, source.stem, OTHERS[source.stem](source))
                        continue
                    elsewhere = path.resolve().parent != RESULTS.resolve().parent
                    table = tables.front(source) if elsewhere else tables.report(source)
                    text = tables.fill(text, source.stem, table)
            if text != old:
                path.write_text(text)
                print(f"{path} rewritten")


if __name__ == "__main__":
    main(sys.argv[1:])
