"""Compressed files, by the end of their name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from biglearn.tables.arrow import import_arrow


class _Open(io.RawIOBase):
    """A stream that stays open when pyarrow closes it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.readable, self.writable = stream.readable, stream.writable  # type: ignore[method-assign]
        self.read, self.write = stream.read, stream.write  # type: ignore[method-assign]


def _zstd(stream: BinaryIO, mode: str) -> Any:
    pyarrow = import_arrow("Files compressed with zstd")
    kind = pyarrow.CompressedInputStream if mode == "rb" else pyarrow.CompressedOutputStream
    return kind(pyarrow.PythonFile(_Open(stream), mode=mode.rstrip("b")), "zstd")


#: How to compress and uncompress, by ending: each takes an open binary file and "rb" or "wb".
PACKINGS: dict[str, Callable[[BinaryIO, str], Any]] = {
    # Without a date and a name, equal tables are equal files.
    ".gz": lambda stream, mode: gzip.GzipFile("", mode, fileobj=stream, mtime=0),
    ".bz2": lambda stream, mode: bz2.BZ2File(stream, cast("Any", mode)),
    ".xz": lambda stream, mode: lzma.LZMAFile(stream, cast("Any", mode)),  # noqa: SIM115
    ".zst": _zstd,
}


def packing(name: str) -> Callable[[BinaryIO, str], Any] | None:
    """Return how the file of a name is compressed, None where it is not.

    Examples
    --------
    >>> packing("rows.csv") is None, packing("rows.csv.gz") is None
    (True, False)
    """
    return next((each for end, each in PACKINGS.items() if name.lower().endswith(end)), None)


@contextmanager
def unpacked(stream: BinaryIO, name: str) -> Iterator[Any]:
    """Read what an open file of that name holds, uncompressed."""
    pack = packing(name)
    if pack is None:
        yield stream
        return
    try:
        with pack(stream, "rb") as content:
            yield content
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise ValueError("its compressed data are damaged") from error
    except OSError as error:  # of bz2 and zstd; those of the disk have a number
        if error.errno is not None:
            raise
        raise ValueError("its compressed data are damaged") from error
