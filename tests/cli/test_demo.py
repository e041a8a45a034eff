"""The demo: table, pictures, models and figures."""

import json
from functools import partial

import pytest

from biglearn.cli import demo
from biglearn.io import load_model


def test_the_demo_writes_table_pictures_models_and_figures(tmp_path, run, monkeypatch):
    pytest.importorskip("matplotlib")
    small = partial(demo.contest, max_time=0.2)
    monkeypatch.setattr(demo, "contest", small)
    code, out, err = run("demo", "--output-dir", tmp_path / "new" / "folder", "--seed", 1)
    assert code == 0
    assert "25 Gaussians" in out
    assert "Handwritten digits" in out
    assert "grid25: search" in err
    written = {path.name: path for path in (tmp_path / "new" / "folder").iterdir()}
    for name in ("grid25", "digits"):
        assert written[f"{name}-ellipses.png"].read_bytes().startswith(b"\x89PNG")
        assert written[f"{name}-likelihood.png"].read_bytes().startswith(b"\x89PNG")
        assert load_model(written[f"{name}-search.npz"]).mixture.feature_names
    outcomes = json.loads(written["results.json"].read_text())["outcomes"]
    truth, *fits = [each for each in outcomes if each["problem"] == "grid25"]
    assert {each["method"] for each in fits} >= {"paper", "search"}
    level = next(each for each in fits if each["method"].startswith("scikit-learn"))
    assert level["level_seconds"] == level["seconds"]
    for each in fits:
        if each["level_seconds"] is not None and each is not level:
            assert each["train_log_likelihood"] >= level["train_log_likelihood"] - 2e-3
            assert each["level_seconds"] <= each["seconds"] + 0.1
    # No fit can beat the truth on 5000 new rows by more than chance.
    assert all(each["test_log_likelihood"] < truth["test_log_likelihood"] for each in fits)
