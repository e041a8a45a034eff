"""The commands that show a model."""

import re

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib import image

from biglearn.cli.seeing import KINDS
from biglearn.io import load_model, save_model
from commands import FIT, assert_one_error


@pytest.fixture
def chosen(folder, run):
    """A folder with the chosen model of a selection, which keeps all that can be drawn."""
    arguments = ("-k", "1-4", "--exclude", "kind", "--covariance-type", "full,diag", "--quiet")
    assert run("select", "data.csv", *arguments, "-o", "chosen.npz")[0] == 0
    return folder


def test_every_kind_is_a_picture_of_some_colours(chosen, run):
    for kind in KINDS:
        code, out, err = run("plot", kind, "chosen.npz", "data.csv", "-o", f"{kind}.png")
        assert (code, out, err) == (0, "", f"wrote {kind}.png\n"), kind
        pixels = image.imread(f"{kind}.png")[..., :3]
        assert min(pixels.shape[:2]) > 300
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20, kind


def test_kinds_that_show_the_fit_alone_need_no_data(chosen, run):
    for kind in ("history", "criterion", "alarms", "profiles", "pairs"):
        assert run("plot", kind, "chosen.npz", "-o", "one.svg", "-q") == (0, "", "")
    refused = run("plot", "anomalies", "chosen.npz", "-o", "one.svg")
    assert_one_error(refused, 1, "plot anomalies needs DATA")


def test_features_come_by_name_and_number(folder, run):
    for features in ("c,a", "2,0"):
        command = ("plot", "density", "model.npz", "data.csv", "--features", features)
        assert run(*command, "-o", "two.svg", "-q")[0] == 0
        text = (folder / "two.svg").read_text()
        assert text.index("<!-- c -->") < text.index("<!-- a -->")  # across, then up
    refused = run("plot", "density", "model.npz", "--features", "z", "-o", "two.svg")
    assert_one_error(refused, 1, "unknown feature 'z'", "['a', 'b', 'c']")


def test_what_a_file_does_not_keep_is_said(folder, run):
    refused = run("plot", "criterion", "model.npz", "-o", "one.png")
    assert_one_error(refused, 1, "keeps no candidates", "biglearn select")
    assert_one_error(run("plot", "history", "model.npz", "-o", "one.png"), 1, "keeps no curve")
    refused = run("plot", "pairs", "model.npz", "-o", "one.jpg")
    assert_one_error(refused, 1, "must end in .png or .svg or .pdf")


def test_a_fit_keeps_a_short_curve(folder, run):
    assert run(*FIT, "-q")[0] == 0
    curve = load_model("fit.npz").info["curve"]
    assert 0 < len(curve["best"]) <= 200
    assert {len(column) for column in curve.values()} == {len(curve["best"])}
    save_model("old.npz", load_model("fit.npz").mixture, info={"history": []})
    assert run("info", "old.npz")[0] == 0


def test_three_commands_from_a_table_to_a_report(folder, run):
    assert run("select", "data.csv", "-k", "1-4", "--exclude", "kind", "-o", "m.npz", "-q")[0] == 0
    assert run("info", "m.npz")[0] == 0
    code, out, err = run("report", "m.npz", "data.csv", "-o", "r.html", "--heldout", "data.csv")
    assert (code, out, err) == (0, "", "wrote r.html\n")
    page = (folder / "r.html").read_text(encoding="utf-8")
    for part in ("Report on data.csv", "biglearn predict m.npz new.csv", "300 rows", "others ",
                 "The criterion by which", "300 rows that the model has not seen"):  # fmt: skip
        assert part in page, part
    refused = run("report", "m.npz", "data.csv", "-o", "r.txt")
    assert_one_error(refused, 1, "must end in .html")


def test_a_report_of_rows_in_blocks_says_the_same(folder, run, monkeypatch):
    assert run(*FIT, "-q")[0] == 0
    assert run("report", "fit.npz", "data.csv", "-o", "whole.html", "-q")[0] == 0
    monkeypatch.setattr("biglearn.cli.inputs.choose", lambda path, engine: "chunked")
    assert run("report", "fit.npz", "data.csv", "-o", "blocks.html", "-q")[0] == 0

    def words(name):
        return re.sub(r"<figure>.*?</figure>", "", (folder / name).read_text(encoding="utf-8"))

    assert words("whole.html") == words("blocks.html")


def test_an_old_file_with_little_in_it_has_a_report(folder, run):
    save_model("old.npz", load_model("model.npz").mixture, info={"method": "em", "history": []})
    assert run("report", "old.npz", "data.csv", "-o", "r.html", "--title", "Old")[0] == 0
    assert "<h1>Old</h1>" in (folder / "r.html").read_text(encoding="utf-8")
