"""How commands read DATA: formats of text, pipes, and columns that are kept."""

import io
import os
import sys
import threading

import numpy as np
import pandas as pd
import pytest

from biglearn.io import load_model, read_table, save_model, write_table
from biglearn.model.mixture import Mixture
from commands import assert_one_error

ONE = ("-k", 1, "--method", "em", "--prior", "none", "-q", "-o", "m.npz")


@pytest.mark.parametrize("command", [("fit", *ONE), ("select", "-k", 1, "-o", "m.npz", "-q")])
def test_a_european_file_is_read_as_the_options_say(folder, run, command):
    X = read_table("data.csv", exclude=["kind"]).values
    rows = [";".join(f"{value:.17g}".replace(".", ",") for value in row) for row in X[1:]]
    text = "\n".join(["größe;b;c", "-99;k.A.;1.234,5", *rows])
    (folder / "wild.csv").write_bytes(text.encode("cp1252"))
    options = ("--decimal", ",", "--thousands", ".", "--missing", "-99,k.A.")
    name, *more = command
    assert_one_error(run(name, "wild.csv", *more), 1, "--encoding")
    code, _, err = run(name, "wild.csv", *more, *options, "--encoding", "cp1252")
    assert code == 0, err
    np.save("tame.npy", np.vstack([[np.nan, np.nan, 1234.5], X[1:]]))
    mixture = load_model("m.npz").mixture
    assert run(name, "tame.npy", *more)[0] == 0
    assert mixture.feature_names == ("größe", "b", "c")
    np.testing.assert_array_equal(mixture.means, load_model("m.npz").mixture.means)


def test_a_first_line_of_numbers_is_what_the_options_say(folder, run):
    (folder / "years.csv").write_text("2019,2020\n1,5\n3,9\n2,2\n")
    for options, rows in (((), 3), (("--header",), 3), (("--no-header",), 4)):
        code, _, err = run("fit", "years.csv", *ONE, *options)
        assert code == 0
        assert ("is read as names" in err) is (options == ())
        assert load_model("m.npz").info["n_rows"] == rows


def test_row_labels_are_left_out_and_said(folder, run):
    pd.read_csv("data.csv").drop(columns="kind").to_csv("labelled.csv")
    code, _, err = run("fit", "labelled.csv", *ONE)
    assert code == 0
    assert err.startswith("biglearn: warning: 'labelled.csv': column '' has no name and holds row")
    assert load_model("m.npz").mixture.feature_names == ("a", "b", "c")


def test_options_that_make_no_format_are_refused(folder, run):
    for options, part in [
        (("--decimal", "ab"), "--decimal must be one character"),
        (("--delimiter", ",", "--decimal", ","), "--decimal must differ"),
        (("--encoding", "utf-99"), "no encoding 'utf-99'"),
    ]:
        assert_one_error(run("score", "model.npz", "data.csv", *options), 2, part)


def test_a_delimiter_can_be_called_tab(folder, run):
    X = read_table("data.csv", exclude=["kind"]).values
    write_table("data.tsv", dict(zip("abc", X.T, strict=True)))
    (folder / "data.tsv").rename("tabbed.csv")
    expected = run("score", "model.npz", "data.csv")
    assert run("score", "model.npz", "tabbed.csv", "--delimiter", "tab") == expected


class Piped(io.StringIO):
    def __init__(self, path):
        super().__init__()
        self.buffer = path.open("rb")


@pytest.mark.parametrize("end", [".csv", ".csv.gz", ".parquet", ".npy"])
def test_standard_input_is_read_whatever_its_format(folder, run, monkeypatch, end):
    X = read_table("data.csv", exclude=["kind"]).values
    write_table(f"piped{end}", dict(zip("abc", X.T, strict=True)))
    expected = run("predict", "model.npz", f"piped{end}")[1]
    given = Piped(folder / f"piped{end}")
    with given.buffer:
        monkeypatch.setattr(sys, "stdin", given)
        assert run("predict", "model.npz", "-", "-o", "-") == (0, expected, "")
    assert not (folder / "-").exists()


def test_a_named_pipe_is_read(folder, run):
    expected = run("score", "model.npz", "data.csv")
    os.mkfifo("pipe")
    content = (folder / "data.csv").read_text()
    writer = threading.Thread(target=lambda: (folder / "pipe").write_text(content))
    writer.start()
    assert run("score", "model.npz", "pipe") == expected
    writer.join()


def test_a_fault_of_standard_input_names_it(folder, run, monkeypatch):
    (folder / "bad.csv").write_text("a,b,c\n1,2,3\n1,2,x\n")
    given = Piped(folder / "bad.csv")
    with given.buffer:
        monkeypatch.setattr(sys, "stdin", given)
        assert_one_error(run("score", "model.npz", "-"), 1, "stdin.csv", "line 3, column 'c'")


def test_columns_are_kept_as_they_are(folder, run):
    frame = pd.read_csv("data.csv")
    frame.insert(0, "id", [f"{i:05}" for i in range(len(frame))])
    frame.to_csv("people.csv", index=False)
    frame.to_parquet("people.parquet")
    plain = run("predict", "model.npz", "data.csv")[1].splitlines()
    for name in ("people.csv", "people.parquet"):
        code, out, err = run("predict", "model.npz", name, "--keep", "id,kind")
        assert (code, err) == (0, "")
        assert [line.split(",", 2)[2] for line in out.splitlines()] == plain
        kept = pd.read_csv(io.StringIO(out), dtype=str)[["id", "kind"]]
        pd.testing.assert_frame_equal(kept, frame[["id", "kind"]].astype(kept.dtypes))


def test_imputation_keeps_columns_for_every_draw(folder, run):
    frame = pd.read_csv("data.csv").head(4)
    frame.loc[1, "b"] = np.nan
    frame.to_csv("holes.csv", index=False)
    draws = ("--how", "sample", "--draws", 2)
    code, out, _ = run("impute", "model.npz", "holes.csv", "--keep", "kind", *draws)
    assert code == 0
    filled = pd.read_csv(io.StringIO(out))
    assert list(filled) == ["kind", "draw", "a", "b", "c"]
    assert filled["kind"].tolist() == frame["kind"].tolist() * 2
    assert_one_error(
        run("impute", "model.npz", "holes.csv", "-q", "--keep", "a"), 1, "--keep a has"
    )
    assert_one_error(run("predict", "model.npz", "holes.csv", "--keep", "z"), 1, "no column 'z'")


def test_what_is_kept_is_no_feature_of_a_model_without_names(folder, run, mixture):
    save_model("plain.npz", Mixture(mixture.weights, mixture.means, mixture.covariances))
    expected = run("predict", "plain.npz", "data.csv", "--exclude", "kind")[1].splitlines()
    code, out, _ = run("predict", "plain.npz", "data.csv", "--keep", "kind")
    assert code == 0
    assert [line.split(",", 1)[1] for line in out.splitlines()] == expected
