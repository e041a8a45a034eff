"""What importing loads, and what it does not."""

import importlib
import subprocess
import sys

import pytest

import biglearn

OPTIONAL = {"torch", "dask", "matplotlib", "pandas", "pyarrow", "polars"}


def loaded_by(code: str) -> set[str]:
    """Return the packages that a fresh interpreter has loaded after some code."""
    report = f"import sys\n{code}\nprint('\\n' + ' '.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_importing_the_package_loads_nothing_that_takes_time():
    slow = {"sklearn", "scipy", "typer", "rich", "numpy"} | OPTIONAL
    assert not loaded_by("import biglearn") & slow


def test_the_program_says_what_it_is_without_scikit_learn():
    for arguments in (["--version"], ["--help"], ["fit", "--help"]):
        code = f"from biglearn.cli.app import main\nassert main({arguments}) == 0"
        assert not loaded_by(code) & ({"sklearn", "scipy"} | OPTIONAL), arguments


def test_the_distribution_needs_no_scikit_learn():
    assert not loaded_by("from biglearn import Mixture") & ({"sklearn", "scipy"} | OPTIONAL)


@pytest.mark.parametrize("name", biglearn.__all__)
def test_public_names_come_when_they_are_asked_for(name):
    assert name in dir(biglearn)
    assert getattr(biglearn, name) is not None


def test_modules_come_as_attributes_and_nothing_else_does():
    assert biglearn.search.methods is importlib.import_module("biglearn.search.methods")
    with pytest.raises(AttributeError, match="'biglearn' has no attribute 'KMeans'"):
        _ = biglearn.KMeans


def test_nothing_else_is_shown():
    code = (
        "import biglearn\n"
        "import biglearn.search.methods, biglearn.estimators.mixture\n"  # submodules are attributes
        "shown = sorted([*biglearn.__all__, 'engines', 'io', 'plots'])\n"
        "assert dir(biglearn) == shown, dir(biglearn)"
    )
    assert "biglearn" in loaded_by(code)


@pytest.mark.parametrize("module", ["typer", "biglearn.estimators.mixture"])
def test_an_interrupt_while_the_program_loads_is_no_traceback(module, tmp_path):
    (tmp_path / "data.csv").write_text("a\n1\n2\n3\n")
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "sys.argv[1:] = ['fit', 'data.csv', '-k', '1', '-o', 'model.npz', '--quiet']\n"
        "from biglearn.__main__ import run\n"
        "sys.exit(run())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 130
    assert done.stderr == "biglearn: interrupted\n"
