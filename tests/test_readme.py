"""Everything that the README shows has to work as it stands."""

import re
from pathlib import Path

import numpy as np

from examples import ROOT, blocks, run_console, run_python
from pages import read

README = read(Path("README.md"))


def test_the_readme_has_examples_of_both_kinds():
    assert blocks(README, "python")
    assert blocks(README, "console")


def example(number):
    """Run one of the README's Python examples and return its names."""
    _, code = blocks(README, "python")[number]
    assert len(code.strip().splitlines()) <= 16
    names: dict[str, object] = {}
    run_python(code, names, "README.md")
    return names


def test_every_python_example_is_tested_below():
    assert len(blocks(README, "python")) == 2


def test_the_first_example_finds_the_corners():
    names = example(0)
    assert names["given"].n_features == 1
    assert names["model"].predict([[0, 0]]) != names["model"].predict([[4, 4]])


def test_the_second_example_fills_gaps_predicts_and_chooses_two_components():
    names = example(1)
    hidden = np.isnan(names["gaps"])
    assert np.isfinite(names["filled"]).all()
    np.testing.assert_array_equal(names["filled"][~hidden], names["X"][~hidden])
    assert 0.5 < names["deviation"] < 2
    assert abs(names["value"]) < 1
    assert len(names["chosen"].weights_) == 2


def test_console_examples_run_one_after_the_other(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    species = np.repeat(["setosa", "virginica", "versicolor"], 30)
    X = rng.normal(np.repeat([0.0, 5.0, 10.0], 30)[:, None], 1.0, size=(90, 2))
    rows = [f"{a},{b},{name}" for (a, b), name in zip(X, species, strict=True)]
    Path("flowers.csv").write_text("\n".join(["length,width,species", *rows]) + "\n")
    for _, code in blocks(README, "console"):
        run_console(code)
    labels = np.genfromtxt("labels.csv", delimiter=",", names=True)
    assert len(labels) == 90


def test_make_targets_named_in_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake (\w+)  ", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
