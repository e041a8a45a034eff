"""Files are replaced whole, and what stood there before keeps its kind, mode and place."""

import io
import os
import signal
import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from biglearn.io import read_table, save_model, write_table
from biglearn.tables import files
from biglearn.tables.files import check_writable, replacing, write_npz
from biglearn.tables.tables import check_output

COLUMNS = {"a": [1.0, 2.0]}


def test_a_file_keeps_its_mode(tmp_path):
    path = tmp_path / "secret.csv"
    write_table(path, COLUMNS)
    path.chmod(0o600)
    write_table(path, COLUMNS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    check_writable(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_file_has_the_mode_of_new_files(tmp_path):
    (tmp_path / "plain").touch()
    write_table(tmp_path / "new.csv", COLUMNS)
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_one(tmp_path, exists):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target.csv", tmp_path / "link.csv"
    if exists:
        target.write_text("old")
    link.symlink_to(target)
    check_output(link)
    write_table(link, COLUMNS)
    assert link.is_symlink()
    np.testing.assert_array_equal(read_table(target).values, [[1.0], [2.0]])
    assert list(target.parent.iterdir()) == [target]


def test_a_device_stays_one(tmp_path, mixture):
    null = Path(os.devnull)
    link = tmp_path / "model.npz"
    link.symlink_to(null)
    for path in (null, link):
        check_output(path, model=True)
        save_model(path, mixture)
        check_output(path)
        write_table(path, COLUMNS)
    assert null.is_char_device()
    assert list(tmp_path.iterdir()) == [link]


def test_a_pipe_gets_the_whole_content(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_table(tmp_path / "pipe", COLUMNS)
    reader.join()
    assert got == ["a\n1.0\n2.0\n"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_read_only_file_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "kept.csv"
    path.write_text("old")
    monkeypatch.setattr(files.os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(PermissionError, match=r"cannot write '.*kept\.csv': it is read-only"):
        write_table(path, COLUMNS)
    assert path.read_text() == "old"


def test_an_interrupt_leaves_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("old")

    def write_half():
        with replacing(path) as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", files.INTERRUPTS)
def test_an_interrupt_waits_for_an_archive_to_be_whole(number):
    class EndedError(Exception):
        pass

    def end(number, frame):
        raise EndedError

    class Interrupting(io.BytesIO):
        def write(self, content):
            signal.raise_signal(number)
            return super().write(content)

    stream = Interrupting()
    before = signal.signal(number, end)
    try:
        with pytest.raises(EndedError):
            write_npz(stream, {"one": np.arange(3.0), "two": np.eye(2)})
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)
    stream.seek(0)
    with np.load(stream) as archive:
        np.testing.assert_array_equal(archive["two"], np.eye(2))


def test_a_model_file_ends_in_npz(tmp_path):
    for name in ("m.pkl", "m.joblib", "m", "m.csv"):
        with pytest.raises(ValueError, match=rf"the model file '.*{name}' must end in \.npz"):
            check_output(tmp_path / name, model=True)
    check_output(tmp_path / "m.NPZ", model=True)
    assert not list(tmp_path.iterdir())
