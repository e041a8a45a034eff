"""Compiled code is kept, and nothing that happens to the files it is kept in stops a fit."""

import os
import subprocess
import sys

import numpy as np
import pytest

from biglearn import GaussianMixture, kernels

numba = pytest.importorskip("numba", reason="Numba is missing: pip install numba")

from biglearn.kernels import compiling, kept  # noqa: E402

ONE = numba.float64[::1]


def double(values):
    for i in range(len(values)):
        values[i] *= 2.0


def assert_doubles(loop):
    values = np.array([1.0, 2.5])
    loop(values)
    assert values.tolist() == [2.0, 5.0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the only folder that compiled code is kept in during a test."""
    monkeypatch.setattr(kept, "folders", lambda: [tmp_path / "kept", tmp_path / "never" / "this"])
    (tmp_path / "never").write_text("a file where a folder should be")
    monkeypatch.setattr(compiling, "_SAID", set())
    return tmp_path / "kept"


def hits(loop):
    return sum(loop.stats.cache_hits.values())


def test_the_next_process_loads_what_one_compiled_and_the_first_says_that_it_waits(folder, caplog):
    first = compiling.compiled(double, ONE)
    assert hits(first) == 0
    assert "compiles its loops for this machine" in caplog.text
    assert_doubles(first)
    caplog.clear()
    compiling._SAID.clear()
    again = compiling.compiled(double, ONE)
    assert hits(again) == 1
    assert not caplog.text
    assert_doubles(again)
    assert [path.suffix for path in folder.iterdir()] == [".loop"]


def test_other_arguments_and_other_sources_have_other_files(folder, monkeypatch):
    names = {kept.name_of("double", numba.void(ONE))}
    names.add(kept.name_of("double", numba.void(numba.float32[::1])))
    names.add(kept.name_of("halve", numba.void(ONE)))
    names.add(kept.name_of("double", numba.void(ONE), {"nogil": True}))
    monkeypatch.setattr(kept, "_origin", lambda: b"other sources, compiler or processor")
    names.add(kept.name_of("double", numba.void(ONE)))
    assert len(names) == 5


def test_other_types_than_those_compiled_for_are_refused(folder):
    with pytest.raises(TypeError, match="No matching definition"):
        compiling.compiled(double, ONE)(np.zeros(3, dtype=np.float32))


def truncated(path):
    path.write_bytes(path.read_bytes()[:-50])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def emptied(path):
    path.write_bytes(b"")


def garbage(path):
    path.write_bytes(os.urandom(5000))


def made_a_folder(path):
    path.unlink()
    path.mkdir()


def unloadable(path):
    """Give the file a checksum that is right, around what Numba cannot read."""
    inside = next(kept.copies(path.name))[1]
    kept.keep(path.name, {file: data[: len(data) // 2] for file, data in inside.items()})


def foreign(path):
    """Let Numba read an index that it wrote for other sources."""
    inside = next(kept.copies(path.name))[1]
    kept.keep(path.name, {file: data for file, data in inside.items() if file.endswith("c")})


DAMAGES = [truncated, flipped, emptied, garbage, unloadable, made_a_folder]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_said_and_compiled_anew(folder, caplog, damage):
    compiling.compiled(double, ONE)
    (path,) = folder.iterdir()
    damage(path)
    if damage is made_a_folder:  # and cannot be replaced either
        with pytest.warns(UserWarning, match=r"every process waits for them anew .*kept"):
            anew = compiling.compiled(double, ONE)
    else:
        anew = compiling.compiled(double, ONE)
    assert f"{str(path)!r} is damaged; its loop is compiled anew" in caplog.text
    assert hits(anew) == 0
    assert_doubles(anew)
    if damage is not made_a_folder:
        assert hits(compiling.compiled(double, ONE)) == 1


def test_a_file_of_which_numba_misses_its_entry_is_replaced(folder):
    compiling.compiled(double, ONE)
    (path,) = folder.iterdir()
    foreign(path)
    assert_doubles(compiling.compiled(double, ONE))
    assert hits(compiling.compiled(double, ONE)) == 1


def test_the_next_folder_is_taken_where_the_first_cannot_be(tmp_path, monkeypatch, folder):
    places = [tmp_path / "never" / "this", folder]
    monkeypatch.setattr(kept, "folders", lambda: places)
    compiling.compiled(double, ONE)
    assert len(list(folder.iterdir())) == 1
    assert hits(compiling.compiled(double, ONE)) == 1


def test_files_that_may_not_be_read_are_passed_over(folder, monkeypatch):
    kept.keep("double.loop", {})
    assert len(list(kept.copies("double.loop"))) == 1

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    assert list(kept.copies("double.loop")) == []


def test_without_any_folder_loops_are_compiled_and_one_warning_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "folders", lambda: [tmp_path / "file" / "x"])
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(compiling, "_SAID", set())
    with pytest.warns(UserWarning, match="cannot be kept.*file.*set NUMBA_CACHE_DIR") as caught:
        made = [compiling.compiled(double, ONE) for _ in range(2)]
    assert len(caught) == 1
    for loop in made:
        assert_doubles(loop)


def test_a_folder_for_temporary_files_that_others_may_write_to_is_not_trusted(tmp_path, folder):
    if not hasattr(os, "getuid"):
        pytest.skip("permissions are another matter on this system")
    (tmp_path / "never").unlink()
    shared = kept.folders()[-1]
    shared.mkdir(parents=True)
    shared.chmod(0o777)
    compiling.compiled(double, ONE)
    (path,) = folder.iterdir()
    path.rename(shared / path.name)
    assert hits(compiling.compiled(double, ONE)) == 0
    shared.chmod(0o700)
    (folder / path.name).unlink()
    assert hits(compiling.compiled(double, ONE)) == 1


def test_files_of_long_ago_go_when_a_new_one_comes(folder):
    folder.mkdir()
    old, young = folder / "double-1.loop", folder / "double-2.loop"
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (0, 0))
    kept.keep("double-3.loop", {})
    assert sorted(path.name for path in folder.iterdir()) == ["double-2.loop", "double-3.loop"]


CODE = """
import resource, signal, sys
sys.path.insert(0, {tests!r})
import test_compiling
from biglearn.kernels import compiling
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
test_compiling.assert_doubles(compiling.compiled(test_compiling.double, test_compiling.ONE))
"""


def test_a_full_disk_costs_time_and_no_fit(tmp_path):
    pytest.importorskip("resource", reason="this system has no limits on files")
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(tests=os.path.dirname(__file__))],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "biglearn compiles its loops for this machine" in done.stderr
    assert "compiled loops cannot be kept" in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# Numba that does not work at all


@pytest.fixture
def anew(monkeypatch):
    """Let kernels look for their loops again, before and after."""
    monkeypatch.setattr(kernels, "_WARNED", [])
    kernels._made.cache_clear()
    yield
    kernels._made.cache_clear()


@pytest.mark.parametrize("error", [RuntimeError("no LLVM"), ImportError("needs NumPy 9")])
def test_where_numba_fails_numpy_does_the_work_and_says_so_once(anew, monkeypatch, rng, error):
    def fail(module):
        raise error

    X = rng.normal(size=(60, 2))
    with_loops = GaussianMixture(2, method="em", random_state=0).fit(X)
    kernels._made.cache_clear()
    monkeypatch.setattr(kernels, "import_module", fail)
    with pytest.warns(UserWarning, match=f"take several times as long.*{error}") as caught:
        alone = GaussianMixture(2, method="em", random_state=0).fit(X)
    assert len([one for one in caught if "several times as long" in str(one.message)]) == 1
    assert alone.score(X) == pytest.approx(with_loops.score(X), abs=1e-6)


def test_a_compiler_that_is_switched_off_is_an_import_error(monkeypatch):
    monkeypatch.setattr(compiling.config, "DISABLE_JIT", 1)
    with pytest.raises(ImportError, match="NUMBA_DISABLE_JIT is set"):
        compiling.compiled(double, ONE)
