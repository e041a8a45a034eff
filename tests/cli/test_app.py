"""The command line: exit codes, one-line errors, results on stdout and nothing else there."""

import subprocess
import sys

import pytest

from biglearn import __version__
from biglearn.cli import using
from biglearn.cli.app import main
from commands import ENVIRONMENT, assert_one_error, spawn

BAD_TIME = ("fit", "data.csv", "-k", 3, "-o", "m.npz", "-q", "--columns", "a", "--max-time", -1)


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
        (["fit", "data.csv", "-k", 3, "-o", "data.csv"], 1, "must end in .npz"),
        (["fit", "model.npz", "-k", 3, "-o", "model.npz"], 1, "would replace the input"),
        (["fit", "data.csv", "-k", 3, "-o", "x.pkl"], 1, "'x.pkl' must end in .npz"),
        (["select", "data.csv", "-o", "x.joblib"], 1, "'x.joblib' must end in .npz"),
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

    monkeypatch.setattr(using, "summary_of", fail)
    result = run("info", "model.npz")
    assert_one_error(result, 1, "unexpected ZeroDivisionError: by chance", "--debug")
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "info", "model.npz"])


def test_version_and_help(run):
    assert run("--version") == (0, f"biglearn {__version__}\n", "")
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert run() == (2, out, "")
    assert run("-h") == (0, out, "")
    assert run("fit", "-h") == run("fit", "--help")


def test_completion_is_offered(run, monkeypatch, capsys):
    assert "--install-completion" in run("--help")[1]
    words = {"COMP_WORDS": "biglearn fit data.csv --dec", "COMP_CWORD": "3"}
    for name, value in (words | {"_BIGLEARN_COMPLETE": "complete_bash"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end:
        main(["fit"])
    assert (end.value.code, capsys.readouterr().out.split()) == (0, ["--decimal"])


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
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    errors = done.stderr.splitlines()
    assert "pip install pyarrow" in errors[0]
    assert "biglearn-em[plots]" in errors[1]
    assert len(errors) == 2
