"""The pages run, their links lead somewhere, and everything public is documented."""

import importlib
import pydoc
import re
from pathlib import Path

import pytest

from build_images import drawn
from docstrings import lacks
from examples import ROOT, blocks, in_own_folder, lacking, run_page
from interface import public_names
from pages import all_pages, anchors, broken_links, read

PAGES = all_pages()
WITH_CODE = [page for page in PAGES if page.parts[0] == "docs" and blocks(read(page), "python")]


@pytest.mark.parametrize("page", WITH_CODE, ids=str)
def test_the_code_of_a_page_runs_from_top_to_bottom(page):
    pytest.importorskip("matplotlib", reason="pages draw pictures")
    text = read(page)
    if lacking(text):
        pytest.skip(f"this page needs biglearn-em[{','.join(lacking(text))}]")
    with in_own_folder():
        assert len(list(run_page(text, str(page)))) == len(blocks(text, "python", "console"))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_and_pictures_inside_the_project_exist(page):
    assert broken_links(page) == []


def test_every_page_is_named_in_the_index():
    index = read(Path("docs/README.md"))
    pages = {page.relative_to("docs") for page in PAGES if page.parts[0] == "docs"}
    assert [str(p) for p in pages - {Path("README.md")} if f"({p.as_posix()})" not in index] == []


def test_every_picture_is_shown_somewhere():
    everything = "".join(read(page) for page in PAGES)
    pictures = (ROOT / "docs" / "images").glob("*")
    assert [p.name for p in pictures if f"images/{p.name}" not in everything] == []


def test_the_checks_see_what_is_broken(tmp_path):
    assert anchors("# What to *expect*: a list\n```\n# no\n```\n") == {"what-to-expect-a-list"}

    def undocumented(X, *, tol):
        """Return nothing of use.

        Parameters
        ----------
        X : array
        """
        return X

    assert lacks(undocumented) == ["the parameter tol", "Examples"]


def test_every_picture_but_the_map_is_drawn_by_the_code_of_a_page():
    pictures = {path.name for path in (ROOT / "docs" / "images").glob("*")}
    assert pictures - {"map.png"} == set(drawn())


def test_the_reference_explains_every_public_name():
    """The built site is asked too: it fails where this is so and a docstring is empty."""
    pages = [read(page) for page in PAGES if page.parts[:2] == ("docs", "reference")]
    explained = re.findall(r"^::: (\S+)$", "\n".join(pages), flags=re.MULTILINE)
    things = [pydoc.locate(name) for name in explained]
    assert None not in things
    lacking = [
        name
        for module, name in public_names()
        if callable(thing := getattr(importlib.import_module(module), name))
        and not {module, getattr(thing, "__module__", None)} & set(explained)
        and thing not in things
    ]
    assert lacking == []


@pytest.mark.parametrize(("module", "name"), public_names(), ids=lambda value: value)
def test_public_names_are_documented(module, name):
    assert lacks(getattr(importlib.import_module(module), name)) == []
