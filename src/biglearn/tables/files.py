"""Opening files with errors a user can act on, replacing files whole, and arrays without pickle."""

import errno
import io
import math
import os
import secrets
import signal
import stat
import struct
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
#: A place in a file where nothing is, but which can be locked.
_FAR = 1 << 30

#: Signals that ask a program to end, those of them that the system has.
INTERRUPTS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, OverflowError)


def _reworded(error: OSError, verb: str, path: Path) -> OSError:
    """Give the same kind of error with a message that needs no errno to be understood."""
    reason = (error.strerror or str(error)).lower()
    return type(error)(f"cannot {verb} {str(path)!r}: {reason}")


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read; a missing, unreadable or empty one is an error that names it."""
    try:
        handle = path.open("rb")
    except OSError as error:
        raise _reworded(error, "read", path) from error
    with handle:
        if handle.seekable() and handle.seek(0, os.SEEK_END) == 0:
            raise ValueError("it is empty (0 bytes)")
        handle.seek(0)
        yield handle


def is_special(path: Path) -> bool:
    """Say whether a path is a device, a pipe or a socket, which are written to as they are.

    Examples
    --------
    >>> import os
    >>> is_special(Path(os.devnull)), is_special(Path("nowhere"))
    (True, False)
    """
    return path.exists() and not path.is_file() and not path.is_dir()


def _target(path: Path) -> Path:
    """Return the file that a path names, behind symbolic links."""
    return path.resolve() if path.is_symlink() else path


@contextmanager
def _draft(path: Path) -> Iterator[BinaryIO]:
    """Open a new hidden file beside `path`, with the mode and the owner of what is there.

    It is gone when the block ends, however it ends, unless it has got another name by then.
    """
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {str(path)!r}: it is a folder")
    old = path.stat() if path.exists() else None
    if old is not None and not os.access(path, os.W_OK):
        raise PermissionError(f"cannot write {str(path)!r}: it is read-only")
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            draft = hidden.open("xb")
        except OSError as error:
            if not path.parent.exists():
                message = f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}"
                raise FileNotFoundError(message) from error
            raise _reworded(error, "write", path) from error
        with draft:
            if old is not None:
                with suppress(PermissionError, AttributeError):  # only some may give files away
                    os.chown(hidden, old.st_uid, old.st_gid)
                hidden.chmod(stat.S_IMODE(old.st_mode))
            yield draft
    finally:
        hidden.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a new file that takes the place of `path` only when the block ends without error.

    A reader, or a crash half way, therefore meets the old file or the new one, never a part.
    Where `path` is a symbolic link, the file that it leads to is replaced.  To a device or a
    pipe the whole content is written at the end.
    """
    if is_special(path):
        content = io.BytesIO()
        yield content
        _write_in_place(path, content)
        return
    target = _target(path)
    with _draft(target) as draft:
        yield draft
        draft.flush()
        os.fsync(draft.fileno())
        draft.close()
        Path(draft.name).replace(target)


@contextmanager
def sole(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read and append that no other process uses meanwhile; make it if need be.

    The lock dies with the process.  Nothing is buffered: what could not be written is known at
    once, and not again when the file is closed.

    Raises
    ------
    OSError
        If it is in use, no regular file, or cannot be written.
    """
    try:
        stream = path.open("a+b", buffering=0)
    except OSError as error:
        raise _reworded(error, "write", path) from error
    with stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(f"cannot write {str(path)!r}: it is not a regular file")
        try:
            _lock(stream.fileno())
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise BlockingIOError(
                    f"{str(path)!r} is in use by another fit; wait for its end or name another file"
                ) from error
            # else a file system without locks
        yield stream


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # a byte that no file of ours reaches
        os.lseek(handle, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_whole(stream: BinaryIO, content: bytes) -> None:
    """Write all bytes, in as many goes as a stream without buffer needs."""
    left = memoryview(content)
    while left:
        left = left[stream.write(left) :]


def _write_in_place(path: Path, content: io.BytesIO) -> None:
    try:
        with path.open("wb") as stream:
            stream.write(content.getbuffer())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _reworded(error, "write", path) from error


def check_writable(path: Path) -> None:
    """Find out before long work, not after it, that a file cannot be written."""
    if is_special(path):
        if not os.access(path, os.W_OK):
            raise PermissionError(f"cannot write {str(path)!r}: permission denied")
        return
    with _draft(_target(path)):
        pass


def read_npy(stream: IO[bytes], size: int) -> NDArray[Any]:
    """Read one array in npy format from a stream that holds `size` bytes of it.

    Python objects are refused, since reading them can run code, and the shape that the header
    claims has to agree with `size` before any memory is asked for.

    Raises
    ------
    ValueError
        If the bytes are not exactly one plain array.
    """
    shape, fortran_order, dtype = _npy_header(stream, size)
    values = _read_items(stream, math.prod(shape), dtype)
    return values.reshape(shape, order="F" if fortran_order else "C")


def npy_blocks(stream: IO[bytes], size: int, n_rows: int) -> Iterator[NDArray[Any]]:
    """Read such an array by blocks of at most `n_rows` along its first axis.

    Before them comes a stand-in without memory that tells the shape and the type of all.
    """
    shape, fortran_order, dtype = _npy_header(stream, size)
    rows = shape[0] if shape else 0
    width = math.prod(shape[1:])
    yield np.broadcast_to(np.empty((), dtype), shape)
    start = stream.tell()
    for first in range(0, rows, n_rows):
        n = min(n_rows, rows - first)
        if fortran_order and n < rows:  # the columns lie one after the other
            block = np.empty((n, width), dtype)
            for column in range(width):
                stream.seek(start + (column * rows + first) * dtype.itemsize)
                block[:, column] = _read_items(stream, n, dtype)
            yield block.reshape(n, *shape[1:], order="F")
        else:
            items = _read_items(stream, n * width, dtype)
            yield items.reshape(n, *shape[1:], order="F" if fortran_order else "C")


def _npy_header(stream: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type, in agreement with the bytes that follow."""
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran_order, dtype = _NPY_HEADERS[version](stream)
    except OSError:
        raise
    except Exception as error:  # a parser of Python's own syntax may fail in any way
        raise ValueError("it is not an array in npy format, or damaged") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects, refused because reading them can run code")
    if dtype.itemsize == 0 or dtype.subdtype is not None:
        raise ValueError(f"it holds {dtype}, which is no type of plain numbers or text")
    if any(type(length) is not int for length in shape):
        raise ValueError(f"its header claims shape {shape}, which is not one of integers")
    body = size - stream.tell()
    if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize != body:
        raise ValueError(f"its header claims shape {shape} of {dtype}, but {body} bytes follow")
    return shape, fortran_order, dtype


def _read_items(stream: IO[bytes], n_items: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read the next items of a type, or say that the stream broke off."""
    wanted = n_items * dtype.itemsize
    data = stream.read(wanted)
    if len(data) != wanted:
        raise ValueError(f"it ends after {len(data)} of {wanted} bytes")
    return np.frombuffer(data, dtype) if data else np.empty(n_items, dtype)


class Archive:
    """The arrays of an npz file by name, each read when asked for and never unpickled.

    Parameters
    ----------
    stream : binary file
        The open npz file.
    stored : bool, default=False
        Refuse compressed members, so that nothing can unpack to more than the file's own size.
    """

    def __init__(self, stream: IO[bytes], *, stored: bool = False) -> None:
        try:
            self._zip = zipfile.ZipFile(stream)
        except (ValueError, RuntimeError, EOFError, OSError, *_DAMAGE) as error:
            raise ValueError("it is not an npz archive, or damaged") from error
        allowed = {zipfile.ZIP_STORED} if stored else {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            name = member.filename.removesuffix(".npy")
            if name in self._members:
                raise ValueError(f"it holds {name!r} twice")
            if member.compress_type not in allowed:
                raise ValueError(f"{name!r} is packed in a way that this file must not use")
            self._members[name] = member

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in the order of the file."""
        return tuple(self._members)

    def __getitem__(self, name: str) -> NDArray[Any]:
        with self._member(name) as (stream, size):
            return read_npy(stream, size)

    def blocks(self, name: str, n_rows: int) -> Iterator[NDArray[Any]]:
        """Read an array by blocks, as `npy_blocks` does."""
        with self._member(name) as (stream, size):
            yield from npy_blocks(stream, size, n_rows)

    @contextmanager
    def _member(self, name: str) -> Iterator[tuple[IO[bytes], int]]:
        member = self._members[name]
        try:
            with self._zip.open(member) as stream:
                yield stream, member.file_size
        except MemoryError as error:
            raise ValueError(f"{name!r} does not fit in memory") from error
        except (ValueError, RuntimeError, EOFError, OSError, *_DAMAGE) as error:
            raise ValueError(f"{name!r} cannot be read: {error}") from error


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off what the signals of an interrupt do until the block has ended.

    For short blocks of code that an exception at any line would leave in pieces.  Only the main
    thread is ever interrupted, so elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def put_off(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    before = {n: handler for n in INTERRUPTS if callable(handler := signal.getsignal(n))}
    try:
        for number in before:
            signal.signal(number, put_off)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in arrived:
            signal.raise_signal(late)


def write_npz(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as an uncompressed npz archive that `numpy.load` reads without pickle."""
    # An interrupt between a member's opening and its closing would end as an error of zipfile.
    with uninterrupted(), zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            # A fixed date makes equal models equal files.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getbuffer())
