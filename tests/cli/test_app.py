"""The command line: exit codes, one-line errors, results on stdout and nothing else there."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from biglearn.cli import app, demo
from biglearn.cli.app import main
from biglearn.cli.progress import FitProgress
from biglearn.engines import choose
from biglearn.io import load_model, read_table, save_model, write_table
from biglearn.model.mixture import Mixture
from biglearn.search.records import Record


@pytest.fixture
def folder(tmp_path, monkeypatch, mixture, rng):
    """A folder with 300 rows of three clusters as data.csv, and the truth as model.npz."""
    monkeypatch.chdir(tmp_path)
    X, labels = mixture.sample(300, rng)
    kinds = np.array(["x", "y", "z"])[labels]
    write_table("data.csv", {"a": X[:, 0], "kind": kinds, "b": X[:, 1], "c": X[:, 2]})
    save_model("model.npz", mixture)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run one command; returns its exit code, stdout and stderr."""

    def command(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def assert_one_error(result: tuple[int, str, str], code: int, *parts: str) -> None:
    assert result[0] == code
    assert result[1] == ""
    assert result[2].startswith("biglearn: error: ")
    assert result[2].count("\n") == 1
    for part in parts:
        assert part in result[2]


BAD_TIME = ("fit", "data.csv", "-k", 3, "-o", "m.npz", "-q", "--columns", "a", "--max-time", -1)
FIT = ("fit", "data.csv", "-k", 3, "--exclude", "kind", "-o", "fit.npz")


def test_fit_saves_a_model_that_finds_the_clusters(folder, run, mixture):
    code, out, err = run(*FIT, "--method", "em", "--n-init", 5)
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
    assert f"bic chooses {best['n_components']} components, {best['covariance_type']}" in err
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


def test_info_for_people_and_programs(folder, run, mixture):
    assert run(*FIT, "-q")[0] == 0
    code, out, err = run("info", "fit.npz")
    assert (code, err) == (0, "")
    for part in ("data.csv", "search", "mean a", "What the fit did"):
        assert part in out
    answer = json.loads(run("info", "model.npz", "--json")[1])
    np.testing.assert_allclose(answer["covariances"], mixture.covariances)
    assert answer["feature_names"] == ["a", "b", "c"]


def test_text_from_a_model_cannot_steer_the_terminal(folder, run, mixture):
    hostile = Mixture(mixture.weights, mixture.means, mixture.covariances, feature_names=[
        "\x1b[31mred", "[bold]b[/bold]", "line\nbreak",
    ])  # fmt: skip
    save_model("hostile.npz", hostile, info={"data": "\x1b]0;title\x07", "history": [1, {}]})
    code, out, _ = run("info", "hostile.npz")
    assert code == 0
    assert "\x1b" not in out
    assert "[bold]b[/bold]" in out


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["frob"], 2, "frob"),
        (["fit"], 2, "DATA"),
        (["fit", "data.csv", "-k", 3], 2, "--output"),
        (["fit", "data.csv", "-k", 0, "-o", "m.npz"], 2, "--components"),
        (["fit", "data.csv", "-k", 3, "-o", "m.npz", "--method", "magic"], 2, "magic"),
        (["fit", "data.csv", "-k", 3, "-o", "m.npz"], 1, "--exclude kind"),
        (["fit", "data.csv", "-k", 3, "-o", "m.npz", "--columns", "a,kin"], 1, "near it are"),
        (["fit", "data.csv", "-k", 301, "-o", "m.npz", "-q", "--columns", "a"], 1, "301"),
        (["fit", "data.csv", "-k", 3, "-o", "no/m.npz"], 1, "there is no folder 'no'"),
        (["fit", "data.csv", "-k", 3, "-o", "data.csv"], 1, "would replace the input"),
        (BAD_TIME, 1, "max_time"),
        (["fit", "none.csv", "-k", 3, "-o", "m.npz"], 1, "no such file"),
        (["fit", ".", "-k", 3, "-o", "m.npz"], 1, "--exclude kind"),
        (["predict", "data.csv", "data.csv"], 1, "not a usable model file"),
        (["predict", "model.npz", "data.csv", "-o", "x.xlsx"], 1, "'x.xlsx' ends in none of"),
        (["predict", "model.npz", "data.csv", "-o", "model.npz"], 1, "ends in none of"),
        (["score", "model.npz", "data.csv", "--weights", "d"], 1, "no column 'd'"),
        (["sample", "model.npz", "-n", 0], 2, "--rows"),
        (["info", "none.npz"], 1, "no such file"),
    ],
)  # fmt: skip
def test_errors_are_one_line(folder, run, arguments, code, part):
    before = sorted(folder.iterdir())
    assert_one_error(run(*arguments), code, part)
    assert sorted(folder.iterdir()) == before


def test_what_nobody_foresaw_is_one_line_too(folder, run, monkeypatch):
    def fail(path):
        raise ZeroDivisionError("by\nchance")

    monkeypatch.setattr(app, "load_model", fail)
    result = run("info", "model.npz")
    assert_one_error(result, 1, "unexpected ZeroDivisionError: by chance", "--debug")
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "info", "model.npz"])


def test_warnings_are_one_line_and_do_not_fail(folder, run):
    np.save("same.npy", np.repeat([[0.0, 1.0], [1.0, 0.0]], 10, axis=0))
    code, out, err = run("fit", "same.npy", "-k", 5, "-o", "m.npz", "-q", "--method", "em")
    assert (code, out) == (0, "")
    assert all(line.startswith("biglearn: warning: ") for line in err.splitlines())


def test_version_and_help(run):
    assert run("--version") == (0, "biglearn 0.1.0\n", "")
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert run() == (2, out, "")


def spawn(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "biglearn", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_an_interrupt_ends_with_130_and_saves_the_best_so_far(folder):
    options = ("--method", "paper", "--steps", "1000000", "--exclude", "kind")
    process = spawn("fit", "data.csv", "-k", "3", "-o", "m.npz", *options)
    assert process.stderr is not None
    first = process.stderr.readline()  # the data are read, the fit has begun
    assert "300 rows" in first
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.startswith("m.npz: 3 components")
    assert err.endswith("\nbiglearn: error: interrupted\n")
    assert load_model("m.npz").info["interrupted"] is True


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
    for _ in range(600):
        time.sleep(0.05)
        if Path("fit.checkpoint").exists() and Path("fit.checkpoint").stat().st_size > 10_000:
            break
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


def test_a_closed_pipe_is_no_traceback(folder):
    process = spawn("sample", "model.npz", "-n", "100000")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "a,b,c\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 1


def test_the_command_line_needs_no_optional_package(folder):
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in {'pandas', 'pyarrow', 'matplotlib', 'torch', 'dask', 'polars'}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from biglearn.cli.app import main\n"
        "assert main(['score', 'model.npz', 'data.csv']) == 0\n"
        "assert main(['predict', 'model.npz', 'data.csv', '-o', 'x.parquet']) == 1\n"
        "assert main(['demo']) == 1\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    errors = done.stderr.splitlines()
    assert "biglearn-em[tables]" in errors[0]
    assert "biglearn-em[plots]" in errors[1]
    assert len(errors) == 2


def record(move: str, seconds: float) -> Record:
    return Record(
        step=0,
        move=move,
        log_likelihood=-2.0,
        best=-1.5,
        accepted=True,
        passes=1,
        raised=0,
        reseeded=0,
        seconds=seconds,
    )


def test_the_bar_knows_what_is_left():
    console = Console(file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    with console.file, FitProgress(console, max_time=10.0, planned=4, clock=lambda: 0.0) as bar:
        assert bar.share(record("em", 2.0)) == pytest.approx(0.2)
        for _ in range(3):
            bar(record("joint", 2.5))
        assert bar.share(record("em", 2.0)) == pytest.approx(0.75)
        assert bar.time_left(record("em", 6.0), 0.75) == "2 s left"
        unknown = FitProgress(console, clock=lambda: 0.0)
        assert unknown.share(record("em", 2.0)) is None
        assert unknown.time_left(record("em", 2.0), None) == ""


def test_the_bar_shows_likelihood_and_move_on_a_terminal_only(capsys):
    ticks = iter(range(100))
    for terminal in (True, False):
        console = Console(stderr=True, force_terminal=terminal, width=120)
        with FitProgress(console, max_time=10.0, clock=lambda: float(next(ticks))) as bar:
            for second in range(3):
                bar(record("marginal", float(second)))
        shown = capsys.readouterr().err
        assert ("log-likelihood -1.50000  marginal" in shown) is terminal


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
    # No fit can beat the truth on 5000 new rows by more than chance.
    assert all(each["test_log_likelihood"] < truth["test_log_likelihood"] for each in fits)
