"""Put the tables of the committed results between the marks of documents."""

import sys
from pathlib import Path

import out_of_core

from biglearn.studies import equal_time, tables
from biglearn.studies.store import load

RESULTS = Path(__file__).parent / "results"


def main(arguments):
    for argument in arguments or ["README.md"]:
        named = Path(argument)
        for path in sorted(named.rglob("*.md")) if named.is_dir() else [named]:
            text = old = path.read_text()
            for source in sorted(RESULTS.glob("*.json")):
                if f"<!-- results:{source.stem} -->" in text:
                    if source.stem == "out-of-core":  # not of a study
                        text = tables.fill(text, source.stem, out_of_core.table(source))
                        continue
                    elsewhere = path.resolve().parent != RESULTS.resolve().parent
                    front = source.stem == equal_time.NAME and elsewhere
                    table = tables.equal_time(load(source)) if front else tables.report(source)
                    text = tables.fill(text, source.stem, table)
            if text != old:
                path.write_text(text)
                print(f"{path} rewritten")


if __name__ == "__main__":
    main(sys.argv[1:])
