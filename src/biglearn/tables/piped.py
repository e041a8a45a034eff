"""Tables that come through a pipe: kept in a temporary file, since they are read several times."""

from __future__ import annotations

import shutil
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any, BinaryIO

from biglearn.tables.files import is_special

#: First bytes of files, by their ending; text without any of them is CSV.
_MARKS = {
    b"PAR1": ".parquet",
    b"\x93NUMPY": ".npy",
    b"PK\x03\x04": ".npz",
    b"\x1f\x8b": ".csv.gz",
    b"BZh": ".csv.bz2",
    b"\xfd7zXZ\x00": ".csv.xz",
    b"\x28\xb5\x2f\xfd": ".csv.zst",
}


class Spooled:
    """A file on disk with the content of a pipe, until nobody needs it.

    Parameters
    ----------
    stream : binary file
        What to keep; its first bytes tell the format.
    name : str
        Name of the file, without the ending.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        folder = Path(tempfile.mkdtemp(prefix="biglearn-"))
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        start = stream.read(max(map(len, _MARKS)))
        ends = (end for mark, end in _MARKS.items() if start.startswith(mark))
        self.path = folder / f"{name}{next(ends, '.csv')}"
        with self.path.open("wb") as copy:
            copy.write(start)
            shutil.copyfileobj(stream, copy)

    def keep_for(self, owner: Any) -> None:
        """Keep the file as long as an object lives."""
        weakref.finalize(owner, self._remove)


def spooled(path: Path) -> Spooled | None:
    """Keep what comes through standard input (``-``) or a pipe, None for any other path.

    Examples
    --------
    >>> spooled(Path("rows.csv")) is None
    True
    """
    if str(path) == "-":
        return Spooled(sys.stdin.buffer, "stdin")
    if is_special(path):
        with path.open("rb") as stream:
            return Spooled(stream, "pipe")
    return None
