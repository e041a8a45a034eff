"""The commands that fit: fit and select."""

import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from biglearn.engines import choose
from biglearn.io import load_model, read_table, write_table
from commands import FIT, assert_one_error, spawn, wait_for_passes


def test_fit_saves_a_model_that_finds_the_clusters(folder, run, mixture):
    code, out, err = run(*FIT, "--method", "em", "--n-init", 5, "--prior", "none")
    assert (code, out) == (0, "")
    assert "300 rows, 3 columns: a, b, c" in err
    model = load_model("fit.npz")
    assert model.mixture.feature_names == ("a", "b", "c")
    found = model.mixture.means[model.mixture.weights.argsort()]
    np.testing.assert_allclose(found, mixture.means[mixture.weights.argsort()], atol=0.6)
    info = model.info
    assert (info["method"], info["n_init"], info["n_rows"], info["seed"]) == ("em", 5, 300, 0)
    assert {move["move"] for move in info["history"]} >= {"em"}
    mean = model.mixture.log_density(read_table("data.csv", exclude=["kind"]).values).mean()
    assert info["log_likelihood"] == pytest.approx(mean, abs=1e-9)


def test_select_prints_every_k_and_saves_the_best(folder, run):
    arguments = ("--components", "1-3,5", "--covariance-type", "full,diag", "--exclude", "kind")
    code, out, err = run("select", "data.csv", *arguments, "-o", "chosen.npz")
    assert code == 0
    head, *lines = [line.split(",") for line in out.splitlines()]
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    assert [(row["covariance_type"], row["n_components"]) for row in rows] == [
        (kind, k) for kind in ("full", "diag") for k in ("1", "2", "3", "5")
    ]
    best = min(rows, key=lambda row: float(row["bic"]))
    said = re.search(r"bic chooses (\d+) components, (\w+), in ([0-9.]+) s", err)
    assert said is not None
    assert (said[1], said[2]) == (best["n_components"], best["covariance_type"])
    assert float(said[3]) > 0
    assert load_model("chosen.npz").info["seconds"] == pytest.approx(float(said[3]), abs=0.06)
    chosen = load_model("chosen.npz")
    assert chosen.mixture.n_components == int(best["n_components"])
    assert chosen.mixture.feature_names == ("a", "b", "c")
    assert_one_error(run("select", "data.csv", "-k", "1-x"), 2, "like 1-12 or 2,4,8, got '1-x'")


def test_fit_is_repeatable_and_quiet(folder, run):
    assert run(*FIT, "--quiet", "--seed", 4) == (0, "", "")
    first = load_model("fit.npz").mixture
    assert run(*FIT, "--quiet", "--seed", 4) == (0, "", "")
    np.testing.assert_array_equal(load_model("fit.npz").mixture.means, first.means)


def test_the_options_of_the_published_method_arrive(folder, run):
    options = ("--steps", 3, "--lift", "regression", "--pseudo-count", "0.25", "--no-polish")
    assert run(*FIT, "--method", "paper", *options)[0] == 0
    info = load_model("fit.npz").info
    assert info["paper"] == {
        "steps": 3,
        "lift": "regression",
        "pseudo_count": 0.25,
        "polish": False,
    }
    steps = {move["move"]: move["steps"] for move in info["history"]}
    assert sum(steps.get(move, 0) for move in ("joint", "marginal", "transformed")) == 3
    assert_one_error(run(*FIT, "--steps", 3), 2, "need --method paper")
    assert_one_error(run(*FIT, "--method", "paper", "--pseudo-count", "x"), 2, "got 'x'")
    assert_one_error(run(*FIT, "--method", "paper", "--pseudo-count", "1/x"), 2, "'1/x'")


def test_weights_repeat_rows(folder, run):
    table = read_table("data.csv", exclude=["kind"])
    counts = np.arange(300) % 3
    names = dict(zip("abc", table.values.T, strict=True))
    write_table("weighted.csv", names | {"count": counts})
    np.save("repeated.npy", np.repeat(table.values, counts, axis=0))
    common = ("-k", 1, "--method", "em", "-q")
    assert run("fit", "weighted.csv", "--weights", "count", "-o", "w.npz", *common)[0] == 0
    assert run("fit", "repeated.npy", "-o", "r.npz", *common)[0] == 0
    weighted, repeated = load_model("w.npz").mixture, load_model("r.npz").mixture
    np.testing.assert_allclose(weighted.means, repeated.means, atol=1e-9)
    np.testing.assert_allclose(weighted.covariances, repeated.covariances, atol=1e-9)
    scores = [
        run("score", "w.npz", "weighted.csv", "--weights", "count")[1],
        run("score", "w.npz", "repeated.npy")[1],
    ]
    assert float(scores[0]) == pytest.approx(float(scores[1]), abs=1e-8)


def test_warnings_are_one_line_and_do_not_fail(folder, run):
    np.save("same.npy", np.repeat([[0.0, 1.0], [1.0, 0.0]], 10, axis=0))
    code, out, err = run("fit", "same.npy", "-k", 5, "-o", "m.npz", "-q", "--method", "em")
    assert (code, out) == (0, "")
    assert all(line.startswith("biglearn: warning: ") for line in err.splitlines())


def test_select_says_that_its_range_was_too_short(folder, run):
    code, _, err = run("select", "data.csv", "-k", "1-2", "--exclude", "kind")
    assert code == 0
    assert "the best number of components, 2, is the largest that was tried" in err


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_a_fit_and_saves_the_best_so_far(folder, number, code, word):
    options = ("--method", "paper", "--steps", "1000000", "--checkpoint", "fit.checkpoint")
    process = spawn("fit", "data.csv", "-k", "3", "-o", "m.npz", "--exclude", "kind", *options)
    assert process.stderr is not None
    assert "300 rows" in process.stderr.readline()
    wait_for_passes(process, Path("fit.checkpoint"))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert err.startswith("m.npz: 3 components")
    assert err.endswith(f"\nbiglearn: {word}\n")
    assert load_model("m.npz").info["interrupted"] is True


def test_a_terminated_write_leaves_no_part(folder):
    process = spawn("sample", "model.npz", "-n", "1000000", "-o", "many.csv.gz")
    for _ in range(2400):
        parts = list(folder.glob(".many.csv.gz.*.part"))
        if any(part.exists() and part.stat().st_size for part in parts):
            break
        assert process.poll() is None, "the write ended early"
        time.sleep(0.05)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "biglearn: terminated\n")
    assert not [path.name for path in folder.iterdir() if "many" in path.name]


def test_a_file_read_in_blocks_gives_the_same_model(folder, run):
    same = ("--method", "em", "--exclude", "kind", "--weights", "c", "-q")
    weights = np.arange(300) % 3 + 0.5
    table = read_table("data.csv", exclude=["kind"])
    columns = dict(zip("ab", table.values.T[:2], strict=True)) | {"c": weights}
    write_table("weighted.csv", columns | {"kind": np.zeros(300)})
    for engine in ("memory", "chunked"):
        arguments = ("fit", "weighted.csv", "-k", 3, "-o", f"{engine}.npz", "--engine", engine)
        assert run(*arguments, *same) == (0, "", "")
    models = [load_model(f"{engine}.npz") for engine in ("memory", "chunked")]
    np.testing.assert_allclose(models[1].mixture.means, models[0].mixture.means, rtol=1e-8)
    assert [m.info["n_rows"] for m in models] == [300, 300]
    assert models[1].mixture.feature_names == ("a", "b")


def test_large_files_and_folders_are_read_in_blocks(folder, run, monkeypatch):
    monkeypatch.setattr(choose, "IN_MEMORY_BYTES", 100)
    code, out, err = run(*FIT, "--method", "em")
    assert (code, out) == (0, "")
    assert "data.csv: read in blocks, 3 columns: a, b, c" in err
    whole = [run(command, "fit.npz", "data.csv") for command in ("predict", "score")]
    Path("parts").mkdir()
    table = read_table("data.csv", exclude=["kind"])
    for number, part in enumerate(np.array_split(table.values, 3)):
        write_table(f"parts/{number}.parquet", dict(zip("abc", part.T, strict=True)))
    assert [run(command, "fit.npz", "parts") for command in ("predict", "score")] == whole


def test_a_killed_fit_goes_on_from_its_checkpoint(folder, run):
    options = ("--method", "paper", "--steps", 30, "-q")
    assert run(*FIT, *options)[0] == 0
    whole = load_model("fit.npz").mixture
    long = ("--method", "paper", "--steps", "3000000", "-q", "--checkpoint", "fit.checkpoint")
    process = spawn(*map(str, FIT), *long)
    wait_for_passes(process, Path("fit.checkpoint"))
    process.kill()
    process.communicate(timeout=60)
    size = Path("fit.checkpoint").stat().st_size
    code, _, err = run(*FIT, *options, "--checkpoint", "fit.checkpoint")
    assert (code, "another fit: method was" in err) == (1, True)
    assert Path("fit.checkpoint").stat().st_size == size
    Path("fit.checkpoint").unlink()
    assert run(*FIT, *options, "--checkpoint", "fit.checkpoint") == (0, "", "")
    np.testing.assert_array_equal(load_model("fit.npz").mixture.means, whole.means)
    assert not Path("fit.checkpoint").exists()
