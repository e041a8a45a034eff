"""The site: what its hooks make of pages, and the built pages in a browser."""

import re

import pytest
from typer.main import get_command

from biglearn.cli.app import app
from browser import Browser, needs_browser
from command_line import sections
from examples import ROOT, run_console, run_page, run_python
from interface import homes

SITE = ROOT / "site"

#: A home, pictures, a tutorial with tables, the largest page of the reference, a long text.
OPENED = [
    "index.html",
    "gallery.html",
    "tutorials/first-mixture.html",
    "reference/estimator.html",
    "how-to/questions.html",
]


#: How far a page is wider than its window.
OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

# Examples


def test_a_block_shows_what_it_prints_and_its_last_value():
    names = {}
    shown = run_python("a = 2\nprint('a')\na + 1", names, "page")
    assert (shown.text, shown.value, names["a"]) == ("a\n", 3, 2)
    assert run_python("b = a", names, "page").value is None


def test_a_block_shows_warnings_of_doubtful_fits_and_raises_all_others():
    text = "```python\nimport warnings\nfrom biglearn import DoubtfulFitWarning\n```\n"
    doubtful = text + "```python\nwarnings.warn('few rows', DoubtfulFitWarning)\n```\n"
    *_, (_, _, shown) = run_page(doubtful, "page")
    assert shown.text == "DoubtfulFitWarning: few rows\n"
    with pytest.raises(UserWarning, match="another"):
        list(run_page(text + "```python\nwarnings.warn('another')\n```\n", "page"))


def test_a_block_shows_its_own_figures_alone():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    names = {}
    (figure,) = run_python("from matplotlib import pyplot\npyplot.plot([1])", names, "page").figures
    (other,) = run_python("pyplot.gca()", names, "page").figures
    assert other is not figure
    alone = "from matplotlib.figure import Figure\nfigure = Figure()\nfigure.subplots()"
    assert run_python(alone, names, "page").figures == [names["figure"]]


def test_a_console_shows_prompts_and_answers():
    shown = run_console("$ biglearn --version\nold answer\n")
    assert re.fullmatch(r"\$ biglearn --version\nbiglearn [\d.]+\n", shown)
    with pytest.raises(AssertionError, match="no-such-file"):
        run_console("$ biglearn info no-such-file.npz\n")


# Reference and links


def test_the_page_of_the_command_line_has_every_command_and_option():
    """typer says what they are by its own way of reading the signatures."""
    page = sections()
    told = dict(re.findall(r"^## `biglearn (\w+).*?`$(.*?)(?=^## |\Z)", page, re.M | re.S))
    commands = get_command(app).commands
    assert set(told) == set(commands)
    for name, command in commands.items():
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                if option != "--help":
                    assert re.search(rf"`{option}[ `/]", told[name]), (name, option)


def test_names_in_texts_lead_to_the_reference():
    names = pytest.importorskip("names", reason="needs biglearn-em[docs]")
    known = homes()
    assert names.place_of("View", known) == "biglearn.View"
    assert names.place_of("biglearn.io.read_table", known) == "biglearn.io.read_table"
    assert names.place_of("GaussianMixture.fit", known) == "biglearn.GaussianMixture.fit"
    assert names.place_of("decay", known) is None  # a word
    assert names.place_of("numpy.load", known) is None


def test_a_public_name_that_no_page_explains_is_warned_of(monkeypatch, caplog):
    names = pytest.importorskip("names", reason="needs biglearn-em[docs]")
    monkeypatch.setattr(names, "_homes", {"Here": ["lib.Here", "lib.a.Here"], "Lost": ["lib.Lost"]})

    class Autorefs:
        def get_item_url(self, name):
            return {"lib.a.Here": "page.html"}[name]

    names.on_env(None, type("Config", (), {"plugins": {"autorefs": Autorefs()}}))
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "the reference lacks Lost; put ::: lib.Lost into a page"
    ]


def test_links_to_other_parts_of_the_repository_lead_to_their_place_on_the_site():
    outside = pytest.importorskip("outside", reason="needs biglearn-em[docs]")

    def moved(markdown, source):
        file = type("File", (), {"src_uri": source})
        return outside.on_page_markdown(markdown, type("Page", (), {"file": file}))

    link = "[a](../../benchmarks/README.md#legs)"
    assert moved(link, "how-to/gpu.md") == "[a](../benchmarks/README.md#legs)"
    assert moved("[a](docs/how-to/gpu.md)", "CONTRIBUTING.md") == "[a](how-to/gpu.md)"
    for same in (
        "[a](units.md)",
        "[a](#here)",
        "[a](https://b.org/c.md)",
        "```\n[a](../../b)\n```",
    ):
        assert moved(same, "explanation/search.md") == same


# The built site


@pytest.fixture(scope="module")
def browser():
    if not (SITE / "index.html").exists():
        pytest.skip("needs the site: make site")
    browser = Browser()
    yield browser
    browser.close()


@needs_browser
@pytest.mark.parametrize("width", [1300, 400], ids=["desk", "phone"])
@pytest.mark.parametrize("page", OPENED)
def test_a_page_opens_without_errors_and_without_a_network(browser, page, width):
    browser.open(SITE / page, width=width)
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
    assert browser.evaluate(broken) == []
    assert browser.errors == []
    assert [url for url in browser.loaded if not url.startswith(("file:", "data:"))] == []
    assert browser.evaluate(OVERHANG) <= 0


@needs_browser
def test_every_entry_of_the_gallery_has_its_picture(browser):
    browser.open(SITE / "gallery.html")
    headings = browser.evaluate("document.querySelectorAll('article h2').length")
    assert headings == browser.evaluate("document.querySelectorAll('.thumbnails img').length")
    assert browser.evaluate("document.querySelectorAll('article p > img').length") == headings
    links = "[...document.querySelectorAll('.thumbnails a')]"
    assert browser.evaluate(f"{links}.every(a => document.querySelector(a.hash))")


@needs_browser
def test_examples_show_what_they_print(browser):
    browser.open(SITE / "tutorials" / "first-mixture.html")
    printed = browser.evaluate("document.querySelector('.output').innerText")
    assert "alcohol" in printed
    assert "mean" in printed


@needs_browser
def test_search_finds_the_reference_without_a_server(browser):
    browser.open(SITE / "index.html")
    browser.evaluate(
        "document.querySelector('[data-md-toggle=search]').click();"
        "let query = document.querySelector('[data-md-component=search-query]');"
        "query.focus(); query.value = 'CovariancePrior';"
        "query.dispatchEvent(new Event('input', {bubbles: true}));"
        "query.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}));"
    )
    found = "[...document.querySelectorAll('.md-search-result__link')].map(a => a.href)"
    assert any("reference/" in link for link in browser.wait_for(f"({found}).length && {found}"))


@needs_browser
def test_errors_and_lost_pictures_are_seen(tmp_path, browser):
    page = tmp_path / "page.html"
    page.write_text(
        "<img src='http://127.0.0.1:9/lost.png'><script>nowhere()</script>"
        "<div style='width: 2000px'>wide</div>"
    )
    browser.open(page)
    assert any("nowhere" in error for error in browser.errors)
    assert "http://127.0.0.1:9/lost.png" in browser.loaded
    assert browser.evaluate("document.images[0].naturalWidth") == 0
    assert browser.evaluate(OVERHANG) > 500
