"""Markdown pages as the tests see them: their code, their links and their headings."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from biglearn.cli.app import main

ROOT = Path(__file__).parents[1]

_FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def all_pages() -> list[Path]:
    """Return every page of the project, relative to its root."""
    folders = ["docs", "benchmarks", "examples"]
    nested = [page for folder in folders for page in (ROOT / folder).rglob("*.md")]
    return [page.relative_to(ROOT) for page in sorted([*ROOT.glob("*.md"), *nested])]


def read(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str, *languages: str) -> list[tuple[str, str]]:
    """Return (language, code) of the fenced blocks in some languages, in their order."""
    return [(name, code) for name, code in _FENCED.findall(text) if name in languages]


def run_python(code: str, names: dict[str, object], page: Path) -> None:
    """Run a block in the namespace of its page."""
    names.setdefault("__name__", "page")
    exec(compile(code, str(page), "exec", dont_inherit=True), names)


def run_console(code: str) -> None:
    """Run the lines of a block that begin with a prompt; the others show what they print."""
    for line in re.sub(r"\\\n\s*", " ", code).splitlines():
        if line.startswith("$ "):
            program, *arguments = shlex.split(line[2:])
            assert program == "biglearn", line
            assert main(arguments) == 0, line


def broken_links(page: Path) -> list[str]:
    """Return the links of a page to files or headings of the project that do not exist."""
    text = _FENCED.sub("", read(page))
    links = [first or second for first, second in _LINK.findall(text)]
    return [link for link in links if not _leads_somewhere(page, link)]


def _leads_somewhere(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True  # leaves the project
    path, _, anchor = link.partition("#")
    target = ROOT / page.parent / path if path else ROOT / page
    if not target.exists() or not target.resolve().is_relative_to(ROOT):
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """Return the names that code hosts give to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings}
