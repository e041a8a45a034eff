"""Commands that use a model: predict, score, sample, impute, info."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from biglearn.cli.app import main
from biglearn.io import load_model, read_table, write_table
from commands import assert_one_error
from helpers import blobs, with_gaps


def test_the_command_line_fits_and_imputes_files_with_empty_cells(tmp_path, rng, capsys):
    X = with_gaps(rng, blobs(rng, 60, 2, 1), 0.2)
    data, model, output = (tmp_path / name for name in ("x.csv", "m.npz", "filled.csv"))
    pd.DataFrame(X, columns=["a", "b"]).to_csv(data, index=False)
    assert main(["fit", str(data), "-k", "1", "-o", str(model)]) == 0
    gaps = np.isnan(X)
    said = f"{gaps.sum()} missing values in {gaps.any(axis=1).sum()} rows"
    assert said in capsys.readouterr().err
    assert main(["impute", str(model), str(data), "-o", str(output)]) == 0
    np.testing.assert_allclose(pd.read_csv(output), load_model(model).mixture.impute(X))
    several = ["--how", "sample", "--draws", "3", "-o", str(output)]
    assert main(["impute", str(model), str(data), *several]) == 0
    assert pd.read_csv(output).shape == (180, 3)


def test_predict_writes_what_the_model_says(folder, run, mixture):
    code, out, err = run("predict", "model.npz", "data.csv", "--proba")
    assert (code, err) == (0, "")
    Path("out.csv").write_text(out)
    table = read_table("out.csv")
    X = read_table("data.csv", exclude=["kind"]).values
    responsibilities = mixture.responsibilities(X)
    assert table.names[:3] == ("label", "responsibility", "log_density")
    np.testing.assert_array_equal(table.values[:, 0], responsibilities.argmax(axis=1))
    np.testing.assert_allclose(table.values[:, 1], responsibilities.max(axis=1), rtol=1e-12)
    np.testing.assert_allclose(table.values[:, 2], mixture.log_density(X), rtol=1e-12)
    np.testing.assert_allclose(table.values[:, 3:], responsibilities, atol=1e-12)


def test_predict_finds_its_columns_by_name_in_any_order(folder, run):
    X = read_table("data.csv", exclude=["kind"]).values
    write_table("moved.csv", {"c": X[:, 2], "extra": X[:, 0], "a": X[:, 0], "b": X[:, 1]})
    np.save("plain.npy", X)
    expected = run("predict", "model.npz", "data.csv")[1]
    assert run("predict", "model.npz", "moved.csv")[1] == expected
    assert run("predict", "model.npz", "plain.npy")[1] == expected
    assert run("predict", "model.npz", "moved.csv", "--columns", "a, b,0")[1] == expected
    write_table("short.csv", {"c": X[:, 2], "a": X[:, 0]})
    assert_one_error(run("predict", "model.npz", "short.csv"), 1, "lacks 'b'", "'c', 'a'")
    np.save("narrow.npy", X[:, :2])
    assert_one_error(
        run("predict", "model.npz", "narrow.npy"), 1, "gives 2 columns", "3 features", "--columns"
    )


@pytest.mark.parametrize("end", [".csv", ".parquet"])
def test_predictions_go_to_a_file(folder, run, end):
    code, out, err = run("predict", "model.npz", "data.csv", "-o", f"labels{end}")
    assert (code, out) == (0, "")
    assert "300 rows" in err
    assert read_table(f"labels{end}").values.shape == (300, 3)


def test_score_is_the_mean_log_density(folder, run, mixture):
    X = read_table("data.csv", exclude=["kind"]).values
    expected = mixture.log_density(X).mean()
    code, out, err = run("score", "model.npz", "data.csv")
    assert (code, err) == (0, "")
    assert float(out) == pytest.approx(expected, rel=1e-9)
    answer = json.loads(run("score", "model.npz", "data.csv", "--json")[1])
    assert answer == {"log_likelihood": pytest.approx(expected, rel=1e-12), "n_rows": 300}


def test_sample_draws_from_the_model_and_can_be_fitted_again(folder, run, mixture):
    code, out, _ = run("sample", "model.npz", "-n", 4, "--seed", 5, "--labels")
    assert code == 0
    assert out.splitlines()[0] == "a,b,c,label"
    assert out == run("sample", "model.npz", "-n", 4, "--seed", 5, "--labels")[1]
    assert run("sample", "model.npz", "-n", 20_000, "-o", "many.npy")[0] == 0
    many = np.load("many.npy")
    error = np.sqrt(np.diag(mixture.covariance) / len(many))
    assert (np.abs(many.mean(axis=0) - mixture.mean) < 5 * error).all()
