"""The report: what it says against what is so, and the page in a real browser."""

import base64
import io
import re

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib import image

from biglearn import DoubtfulFitWarning, GaussianMixture, Mixture
from biglearn.engines import Chunked, RowOptions, open_source
from biglearn.report import words
from biglearn.report.page import report_of
from biglearn.report.seen import UNUSUAL, seen
from biglearn.report.summary import Summary
from browser import Browser, needs_browser
from helpers import clusters


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(8)
    rows = clusters(rng, [[0, 0, 5], [6, 1, 0], [0, 7, 1]], n=150)
    rows[7] = [3.0, -20.0, 2.0]
    rows[20:40, 1] = np.nan
    return rows


@pytest.fixture(scope="module")
def model(X):
    return GaussianMixture(3, random_state=0).fit(X)


@pytest.fixture(scope="module")
def page(model, X):
    return model.report(X, heldout=X[::3], title="Shells").html


def source_over(X):
    return open_source(X, RowOptions())


def text_of(page):
    """Return the words of a page."""
    body = re.sub(r"<(style|script)>.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", body)


# What it says


def test_a_report_names_what_it_has_to(page):
    text = text_of(page)
    for part in ("Shells", "In short", "450 rows and 3 columns", "3 components",
                 "Where the model is unsure", "How far to trust it", "leaving out each row",
                 "150 rows that the model has not seen", "Unusual rows", "20 values are missing",
                 "biglearn predict", "load_model", "BIC", "What the words mean"):  # fmt: skip
        assert part in text, part


def test_an_outlier_is_the_first_of_the_unusual_rows_and_says_why(page):
    (table,) = re.findall(r"<caption>The most unusual rows.*?</table>", page, flags=re.DOTALL)
    first = re.findall(r"<tr>(.*?)</tr>", table)[1]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", first)
    assert cells[:2] == ["7", "yes"]
    assert cells[-1].startswith("x1 is -20, where component")


def test_rows_are_seen_as_the_mixture_sees_them(model, X):
    X = X.copy()
    X[21, 0] = 500.0  # far away, but with a gap, so that it has no rank
    told = seen(source_over(X), model.mixture_)
    shares = model.predict_proba(X)
    np.testing.assert_array_equal(told.labels, model.predict(X))
    np.testing.assert_allclose(told.certainty, shares.max(axis=1))
    np.testing.assert_allclose(told.scores, model.score_samples(X))
    np.testing.assert_allclose(told.overlap, shares.T @ shares / len(X))
    np.testing.assert_allclose(told.mean, np.nanmean(X, axis=0))
    np.testing.assert_allclose(told.deviation, np.nanstd(X, axis=0))
    assert told.missing.tolist() == [0, 20, 0]
    whole = ~np.isnan(X).any(axis=1)
    ranked = np.flatnonzero(whole)[np.argsort(told.scores[whole], kind="stable")]
    np.testing.assert_array_equal(told.lowest.places, ranked[:20])
    np.testing.assert_array_equal(told.lowest.rows, X[ranked[:20]])


def test_rows_in_blocks_give_the_same_page_of_numbers(model, X):
    chunked = Chunked(block_bytes=2000).open_source(X, RowOptions())
    ours, theirs = (seen(source, model.mixture_) for source in (source_over(X), chunked))
    np.testing.assert_array_equal(ours.lowest.places, theirs.lowest.places)
    np.testing.assert_allclose(ours.overlap, theirs.overlap)
    np.testing.assert_allclose(ours.mean, theirs.mean)


def test_as_many_rows_are_unusual_as_the_model_expects(rng, mixture):
    X, _ = mixture.sample(40_000, rng)
    told = seen(source_over(X), mixture)
    n, error = told.is_unusual.sum(), np.sqrt(40_000 * UNUSUAL)
    assert abs(n - 40_000 * UNUSUAL) < 5 * error * np.sqrt(3)  # of rows, and of 20,000 drawn
    sentences = " ".join(words.shortly(mixture, told))
    assert "as many as the model expects" in sentences
    X[:1000] += 100
    sentences = " ".join(words.shortly(mixture, seen(source_over(X), mixture)))
    assert "more than the 200 or so that the model expects" in sentences


def test_components_are_described_by_what_tells_them_apart():
    means = [[0.0, 0.0, 1.0], [10.0, 0.0, 1.0], [0.0, -3.0, 1.0]]
    mixture = Mixture([0.5, 0.25, 0.25], means, np.tile(np.eye(3), (3, 1, 1)),
                      feature_names=["size", "age", "hue"])  # fmt: skip
    said = words.described(mixture, 1)
    assert said.startswith("Much higher size (10, others 0)")
    assert "hue" not in said
    assert words.described(mixture, 2).startswith("Much lower age (-3, others 0)")
    same = Mixture([0.5, 0.5], np.zeros((2, 3)), [np.eye(3), 9 * np.eye(3)])
    assert "it differs in its spread" in words.described(same, 0)
    assert "nothing to compare" in words.described(Mixture([1.0], [[0.0]], [[[1.0]]]), 0)


@pytest.mark.parametrize(
    ("info", "heldout", "parts"),
    [
        ({"log_likelihood": -1.0, "loo": -1.02}, None, ["2.0 % less", "That is little"]),
        ({"log_likelihood": -1.0, "loo": -1.3}, None, ["26 % less", "That is some"]),
        ({"log_likelihood": -1.0, "loo": -3.0}, None, ["86 % less", "follows single rows"]),
        ({}, None, ["It is not known"]),
        ({}, np.full(4, -2.0), ["4 rows that the model has not seen", "is -2"]),
        ({"log_likelihood": -2.0}, np.full(9, -2.0), ["as well as the fitted ones"]),
        ({"log_likelihood": -1.0}, np.full(9, -2.0), ["63 % less density"]),
    ],
)
def test_trust_is_told_by_rows_that_were_not_seen(info, heldout, parts):
    said = " ".join(words.trusted(info, heldout))
    assert [part for part in parts if part not in said] == []


def test_alarms_are_told_and_drawn(rng):
    X = np.concatenate([rng.normal(size=(300, 2)), 9 + rng.normal(size=(40, 2)) * [1, 0]])
    with pytest.warns(DoubtfulFitWarning):
        model = GaussianMixture(2, random_state=0).fit(X)
    page = model.report(X).html
    assert 'class="card warn"><b>1</b><span>components in alarm' in page
    assert "stand on the floor" in text_of(page)
    assert "Components in alarm are filled" in page


@pytest.mark.parametrize("size", [1, 50])
def test_one_feature_and_fifty(size, rng):
    X = rng.normal(size=(200, size))
    X[:100, -1] += 9
    page = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X).report(X).html
    assert f"200 rows and {size} column" in text_of(page)
    alone = GaussianMixture(1, covariance_type="diag", random_state=0).fit(X).report(X).html
    assert "There is one component: every row belongs to it" in alone


def test_noise_is_counted(littered):
    X, _ = littered
    model = GaussianMixture(3, noise=True, random_state=0).fit(X)
    lost = int((model.predict(X) == -1).sum())
    assert f"{lost} rows belong to no component: they are called noise" in model.report(X).html


@pytest.mark.parametrize(
    "info",
    [
        {"rows": "many", "alarms": 3, "gaps": [None] * 3, "history": 5, "curve": [1], "loo": "x"},
        {"alarms": [[], ["<b>"], []], "rows": [1, 2, 3], "gaps": [0.1, float("nan"), 2]},
        {"curve": {"seconds": [1], "passes": ["a"], "best": [0], "move": ["em"]}, "loo": [1]},
        {"candidates": [{"n_components": 1}], "criterion": "bic", "doubts": [3]},
        {"candidates": [1], "criterion": ["bic"], "log_likelihood": float("nan"), "loo": 1.0},
    ],
)
def test_whatever_a_file_says_there_is_a_report(mixture, rng, info):
    X, _ = mixture.sample(50, rng)
    page = report_of(Summary(mixture, info), source_over(X)).html
    assert "It is not known how well" in page
    assert "<b>," not in page


def test_a_bare_mixture_has_a_report(mixture, rng):
    X, _ = mixture.sample(100, rng)
    page = report_of(Summary(mixture), source_over(X)).html
    assert "The model file does not say whether there were any" in page
    assert "It is not known how well" in page


# The page


def test_nothing_comes_from_outside_and_text_of_the_data_is_harmless(rng):
    names = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "$f(x)$ & co"]
    mixture = Mixture([0.4, 0.6], [[0, 0, 0], [5, 5, 5]], np.tile(np.eye(3), (2, 1, 1)),
                      feature_names=names)  # fmt: skip
    X, _ = mixture.sample(100, rng)
    info = {"data": "<b>x</b>", "doubts": ["<i>doubt</i>"], "note": "</script><script>"}
    report = report_of(
        Summary(mixture, info), source_over(X), title="<u>t</u>", files=("a b'<m>.npz", "$(rm).csv")
    )
    page = report.html
    assert page.count("<script>") == page.count("</script>") == 1
    for hostile in ("<u>", "<b>x", "<i>", "<m>", "<img src=x"):
        assert hostile not in page
    assert not re.search(r"""(src|href)=["'](?!data:image/png;base64,|#)|url\(|@import""", page)
    assert "biglearn predict 'a b'\"'\"'<m>.npz'" in text_of(page).replace("&#x27;", "'").replace(
        "&quot;", '"'
    ).replace("&lt;", "<").replace("&gt;", ">")


def test_every_picture_is_a_png_with_words_for_those_who_do_not_see_it(page):
    found = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)">', page)
    assert len(found) == page.count("<img") == 6 + ("Components in alarm are filled" in page)
    for told, data in found:
        assert len(told) > 30
        assert base64.b64decode(data)[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_report_is_saved_whole_and_shown_in_a_notebook(model, X, tmp_path):
    report = model.report(X)
    report.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == report.html
    assert report._repr_html_().startswith("<iframe")
    assert report._repr_html_().count("<") == 1  # all else is quoted
    assert repr(report).startswith("Report(")


SORT = """(function () {
var table = document.querySelector("#columns table"), heads = table.querySelectorAll("th button");
function column(i) {
  return Array.from(table.tBodies[0].rows).map(function (row) { return row.cells[i].textContent; });
}
var seen = {heads: heads.length};
heads[3].click(); seen.up = column(3); seen.marked = table.querySelectorAll("[aria-sort]").length;
heads[3].click(); seen.down = column(3);
heads[0].click(); seen.names = column(0);
return seen;
})()"""

#: Words and width of each picture; a broken one has none.
PICTURES = "Array.from(document.images).map(i => [i.alt, i.complete ? i.naturalWidth : 0])"

#: How far the page is wider than the window.
OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser():
    opened = Browser()
    yield opened
    opened.close()


@needs_browser
def test_in_a_browser_no_script_fails_every_picture_is_there_and_tables_sort(
    browser, page, tmp_path
):
    browser.open(written(page, tmp_path))
    seen, pictures = browser.evaluate(SORT), browser.evaluate(PICTURES)
    assert browser.errors == []
    assert len(pictures) == page.count("<img")
    assert all(width > 300 for _, width in pictures)
    assert not any(name.startswith("http") for name in browser.loaded)
    up = [float(value) for value in seen["up"]]
    assert up == sorted(up)
    assert len(set(up)) == 3
    assert seen["down"] == seen["up"][::-1]
    assert seen["names"] == ["x0", "x1", "x2"]
    assert (seen["heads"], seen["marked"]) == (7, 1)


@needs_browser
def test_on_a_phone_the_page_is_no_wider_than_the_screen(browser, page, tmp_path):
    browser.open(written(page, tmp_path), width=400)
    assert browser.evaluate(OVERHANG) <= 0


@needs_browser
def test_the_browser_sees_what_is_broken(browser, page, tmp_path):
    broken = page.replace("var down", "nothing.at.all; var down").replace(
        "</main>", '<img alt="gone" src="data:image/png;base64,AAAA"></main>'
    )
    browser.open(written(broken, tmp_path))
    browser.evaluate('document.querySelector("th button").click()')
    pictures = browser.evaluate(PICTURES)
    assert any("nothing is not defined" in error for error in browser.errors)
    assert ["gone", 0] in pictures
    wide = page.replace("<main>", '<main><div style="width:900px">wide</div>')
    browser.open(written(wide, tmp_path), width=400)
    assert browser.evaluate(OVERHANG) > 300


def written(page, folder):
    """Write a page into a folder, and return its file."""
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    return file


def test_pictures_are_drawn_sharp_enough(page):
    data = re.findall(r"base64,([^\"]+)", page)[1]
    pixels = image.imread(io.BytesIO(base64.b64decode(data)))
    assert min(pixels.shape[:2]) >= 600
