"""Take pages and pictures into the site that lie in the repository outside `docs`.

Links in pages are those of the repository, so that they work on a code host too.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

from examples import FENCED, ROOT

OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "benchmarks/results/*.png")

_LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)\s#]+)(?=[)\s#])")


def on_files(files: Files, config: Any) -> Files:
    """Add what lies outside `docs`."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links between places of the repository into links between places of the site."""
    source = page.file.src_uri
    outside = any(PurePosixPath(source).match(pattern) for pattern in OUTSIDE)
    here = PurePosixPath(source if outside else f"docs/{source}").parent

    def moved(match: re.Match[str]) -> str:
        target = os.path.normpath(here / match[1])
        place = target.removeprefix("docs/")
        return os.path.relpath(place, PurePosixPath(source).parent)

    pieces = []
    end = 0
    for block in FENCED.finditer(markdown):  # code is no text
        pieces += [_LINK.sub(moved, markdown[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*pieces, _LINK.sub(moved, markdown[end:])])
