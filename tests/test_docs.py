"""The pages run, their links lead somewhere, and everything public is documented."""

import importlib
import warnings
from pathlib import Path

import pytest

from biglearn import DoubtfulFitWarning
from docstrings import lacks, public_names
from pages import ROOT, all_pages, anchors, blocks, broken_links, read, run_console, run_python

PAGES = all_pages()
WITH_CODE = [page for page in PAGES if page.parts[0] == "docs" and blocks(read(page), "python")]


@pytest.mark.parametrize("page", WITH_CODE, ids=str)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib", reason="pages draw pictures")
    matplotlib.use("Agg")
    for package in ("torch", "dask"):
        if f"import {package}" in read(page):
            pytest.importorskip(package, reason=f"this page needs biglearn-em[{package}]")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DoubtfulFitWarning)  # some pages fit few rows on purpose
        for language, code in blocks(read(page), "python", "console"):
            if language == "python":
                run_python(code, names, page)
            else:
                run_console(code)
    importlib.import_module("matplotlib.pyplot").close("all")


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


def test_the_reference_is_what_the_docstrings_say(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    reference = importlib.import_module("build_reference")
    for path, text in reference.pages().items():
        assert path.read_text(encoding="utf-8") == text, "run python docs/build_reference.py"


@pytest.mark.parametrize(("module", "name"), public_names(), ids=lambda value: value)
def test_public_names_are_documented(module, name):
    assert lacks(getattr(importlib.import_module(module), name)) == []
