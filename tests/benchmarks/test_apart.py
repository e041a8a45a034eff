"""Who imports whom: library, judge and rivals stay apart, and the program runs from a clone."""

import ast
import os
import subprocess
import sys

import pytest

from benchmarks.__main__ import main
from benchmarks.studies import environments, processes
from examples import ROOT

RIVALS = ROOT / "benchmarks" / "studies" / "rivals"


def imported_by(path):
    """Return the top-level packages that a file names in its imports, wherever they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def run(*arguments):
    """Run Python at the root of the clone."""
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_no_module_of_the_library_imports_the_benchmarks():
    modules = list((ROOT / "src" / "biglearn").rglob("*.py"))
    assert "numpy" in imported_by(ROOT / "src" / "biglearn" / "cli" / "demo.py")
    assert [path for path in modules if imported_by(path) & {"benchmarks", "tests"}] == []


def test_the_judge_loads_nothing_of_the_library():
    code = "import sys, benchmarks.studies.judge; print(*sys.modules)"
    loaded = {name.partition(".")[0] for name in run("-c", code).split()}
    assert {"benchmarks", "numpy"} <= loaded
    assert "biglearn" not in loaded


def test_rivals_import_nothing_of_the_benchmarks_and_the_library_in_one_file_alone():
    files = {path.name: imported_by(path) for path in RIVALS.glob("*.py")}
    assert [name for name, imports in files.items() if "benchmarks" in imports] == []
    assert [name for name, imports in files.items() if "biglearn" in imports] == ["fit_biglearn.py"]


@pytest.mark.parametrize(("environment", "kept"), [(None, True), ("R", True), ("gmmx", False)])
def test_the_environment_of_a_rival_is_its_own(tmp_path, monkeypatch, environment, kept):
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    monkeypatch.setattr(environments, "python_of", lambda environment: sys.executable)
    script = tmp_path / "script.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "seen = [os.environ.get('PYTHONPATH'), os.environ['OMP_NUM_THREADS']]\n"
        "pathlib.Path(sys.argv[1], 'seen').write_text(str(seen))\n"
    )
    ended = processes.run(script, tmp_path, environment=environment, threads=3, timeout=60)
    assert ended == ""
    assert (tmp_path / "seen").read_text() == str(["somewhere" if kept else None, "3"])


def test_the_program_prints_the_tables_of_committed_results():
    printed = run("-m", "benchmarks", "study", "tables")
    assert "| R mclust VVV |" in printed


def test_the_program_says_what_was_called_wrongly(capsys):
    assert main(["study", "nonsense"]) == 2
    assert "unknown study 'nonsense'; choose from gaussians25," in capsys.readouterr().err
    assert main(["study", "merge"]) == 2
    assert main(["study", "--help"]) == 0


def test_a_damaged_file_is_one_line_and_no_traceback(tmp_path, capsys):
    (tmp_path / "speed.json").write_text("{")
    assert main(["study", "tables", "--output", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("python -m benchmarks: error: ")
    assert "speed.json is damaged" in said
    assert len(said.splitlines()) == 1
