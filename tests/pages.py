"""Markdown pages as the tests see them: their links and their headings."""

from __future__ import annotations

import re
from pathlib import Path

from examples import FENCED, ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def all_pages() -> list[Path]:
    """Return every page of the project, relative to its root."""
    folders = ["docs", "benchmarks", "examples"]
    nested = [page for folder in folders for page in (ROOT / folder).rglob("*.md")]
    return [page.relative_to(ROOT) for page in sorted([*ROOT.glob("*.md"), *nested])]


def read(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def broken_links(page: Path) -> list[str]:
    """Return the links of a page to files or headings of the project that do not exist."""
    text = FENCED.sub("", read(page))
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
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings}
