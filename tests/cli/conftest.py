"""A folder with data and a model, and a way to run commands in it."""

import numpy as np
import pytest

from biglearn.cli.app import main
from biglearn.io import save_model, write_table


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
