"""Show beneath every example of the site what it prints and draws.

The examples run while the site is built.  A picture in `docs/images` that a page's code saves is
drawn anew, and so is the map; the copies in the repository are for its readers (`make docs`).
"""

from __future__ import annotations

import html
import io
import logging
import os
import re
import sys
import time
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

from examples import FENCED, Shown, blocks, in_own_folder, lacking, run_page

sys.path.insert(0, str(Path(__file__).parents[1]))
import build_map

log = logging.getLogger("mkdocs.hooks.pictures")

DENSITY = 2  # pixels for one of the page's: sharp on good screens

_LINES = 60  # more than this nobody reads
_IMAGE = re.compile(r"!\[[^\]]*\]\(([^)]*images/[\w-]+\.png)\)")
_HEADING = re.compile(r"^#+ (.*)$", flags=re.MULTILINE)
_THUMBNAILS = "<!-- thumbnails -->"

#: By page, for each of its blocks what stands beneath it, or in place of it.
_beneath: dict[str, list[str]] = {}


def on_files(files: Files, config: Any) -> Files:
    """Run the examples of all pages, and draw the map."""
    from matplotlib import rc_context

    _beneath.clear()
    pages = [file for file in files.documentation_pages() if not file.generated_by]
    with rc_context({"savefig.dpi": 96 * DENSITY}):
        _put(files, config, "images/map.png", _png(build_map.picture()))
        for file in pages:
            text = file.content_string
            if not blocks(text, "python"):
                continue
            if lacking(text):
                log.info("%s has no output: %s is missing", file.src_uri, lacking(text))
                continue
            start = time.perf_counter()
            with in_own_folder() as folder:
                _beneath[file.src_uri] = _outputs(file, files, config)
                for path in folder.glob("*.png"):
                    if files.get_file_from_path(f"images/{path.name}"):
                        _put(files, config, f"images/{path.name}", path.read_bytes())
            log.info("%s ran in %.1f s", file.src_uri, time.perf_counter() - start)
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Put beneath each block of a page what it shows."""
    source = page.file.src_uri
    outputs = iter(_beneath.get(source, ()))

    def shown(block: re.Match[str]) -> str:
        if block[1] == "console":
            return next(outputs, block[0])
        return block[0] + (next(outputs, "") if block[1] == "python" else "")

    text = FENCED.sub(shown, markdown)
    if _THUMBNAILS in text:
        text = text.replace(_THUMBNAILS, _thumbnails(text))

    def sized(image: re.Match[str]) -> str:
        place = os.path.normpath(PurePosixPath(source).parent / image[1])
        file = files.get_file_from_path(place)
        return image[0] + (_size(file.content_bytes) if file else "")

    return _IMAGE.sub(sized, text)


def _outputs(file: File, files: Files, config: Any) -> list[str]:
    """Return what stands beneath each block of a page, as Markdown."""
    text, found = file.content_string, []
    places = [block for block in FENCED.finditer(text) if block[1] in ("python", "console")]
    for place, (language, code, shown) in zip(places, run_page(text, file.src_uri), strict=True):
        if language == "console":
            found.append(_fenced(shown.text, "console", "answers"))
            continue
        if "savefig(" in code:  # the page shows it where it wants
            shown.figures = []
        parts = [_fenced(shown.text, "text", "output")] if shown.text.strip() else []
        parts += [_value(shown)] if shown.value is not None and not shown.figures else []
        heading = _HEADING.findall(text[: place.start()])[-1]
        for figure in shown.figures:
            name = f"images/{Path(file.src_uri).stem}-{len(found)}.png"
            _put(files, config, name, _png(figure))
            link = os.path.relpath(name, PurePosixPath(file.src_uri).parent)
            parts.append(f"![Drawn by the code above: {heading}]({link})")
        found.append("".join(f"\n\n{part}" for part in parts if part))
    return found


def _value(shown: Shown) -> str:
    """Return the last value of a block: its table where it has one, else its text."""
    if hasattr(shown.value, "get_params"):
        return ""  # an estimator, whose text repeats the code
    make = getattr(shown.value, "_repr_html_", None)
    if make is None:
        return _fenced(repr(shown.value), "text", "output")
    lines = [line.strip() for line in str(make()).splitlines() if line.strip()]
    return '<div class="output">' + "\n".join(lines) + "</div>"


def _fenced(text: str, *classes: str) -> str:
    lines = text.rstrip().splitlines()
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"... {len(lines) - _LINES + 1} more lines"]
    told = "\n".join(line.rstrip() for line in lines)
    return f"```` {{ {' '.join('.' + name for name in classes)} }}\n{told}\n````"


def _thumbnails(text: str) -> str:
    """Return a small picture of each section of a page, which leads to it."""
    found = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, picture = section.partition("\n")[0], _IMAGE.search(section)
        if picture:
            anchor = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
            name = html.escape(title)
            # Links in HTML are the site's own: pages lie beside their pictures' folder.
            found.append(f'<a href="#{anchor}"><img src="{picture[1]}" alt=""><b>{name}</b></a>')
    return '<div class="thumbnails">\n' + "\n".join(found) + "\n</div>"


def _png(figure: Any) -> bytes:
    written = io.BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()


def _size(png: bytes) -> str:
    """Return the width of a picture on the page: its header says how many pixels it has."""
    return f'{{ width="{int.from_bytes(png[16:20]) // DENSITY}" }}'


def _put(files: Files, config: Any, name: str, content: bytes) -> None:
    """Put a picture into the site, in place of one of its name."""
    old = files.get_file_from_path(name)
    if old is not None:
        files.remove(old)
    files.append(File.generated(config, name, content=content))
