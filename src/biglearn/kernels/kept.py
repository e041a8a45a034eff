"""Compiled code in files: one for each loop, in the user's folder for caches.

A file is named after all that the code depends on and begins with a checksum, so that damaged or
foreign code is never run.  It is replaced as a whole and never changed, and outlives upgrades and
other environments as long as the loops and the compiler stay the same.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import platform
import stat
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.resources import files as resources
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory, gettempdir

import llvmlite
import numba
from llvmlite import binding

#: Begins every file, before its checksum.
_MAGIC = b"biglearn-loop 1\n"
_CHECKSUM = 32

#: Sources on which compiled code does not depend.
_APART = {"kept.py", "compiling.py"}

#: Files that were written before so many days go when a new one comes.
_MOST_DAYS = 180


def folders() -> list[Path]:
    """Return the folders where compiled code may lie, best first.

    The user's NUMBA_CACHE_DIR, the system's folder for caches, and one in the folder for temporary
    files that belongs to the user alone, since code in it is run.
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    found = [Path(named) / "biglearn"] if named else []
    with suppress(RuntimeError):  # there is no home
        found.append(_caches() / "biglearn" / "loops")
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return [*found, Path(gettempdir()) / f"biglearn-loops-{user}"]


def _caches() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


@lru_cache(maxsize=1)
def _origin() -> bytes:
    """Return a digest of the loops' sources, the compiler and the processor."""
    digest = hashlib.blake2b()
    everything = resources("biglearn.kernels").iterdir()
    sources = [one for one in everything if one.name.endswith(".py") and one.name not in _APART]
    for source in sorted(sources, key=lambda one: one.name):
        digest.update(hashlib.blake2b(source.read_bytes()).digest())
    features = sorted(dict(binding.get_host_cpu_features()).items())
    versions = numba.__version__, llvmlite.__version__, sys.implementation.cache_tag
    machine = platform.system(), platform.machine(), binding.get_host_cpu_name(), features
    digest.update(repr((versions, machine)).encode())
    return digest.digest()


def name_of(loop: str, signature: object, options: object = None) -> str:
    """Return the name of the file of a loop that is compiled for certain arguments."""
    key = hashlib.blake2b(_origin() + f"{loop} {signature} {options}".encode(), digest_size=16)
    return f"{loop}-{key.hexdigest()}.loop"


def rooms() -> Iterator[Path]:
    """Make folders for this process alone, in which Numba reads and writes; another if one fails.

    Each is gone when the next one is asked for.
    """
    for place in [None, *folders()]:
        with (
            suppress(OSError),
            TemporaryDirectory(prefix="biglearn-", dir=place, ignore_cleanup_errors=True) as room,
        ):
            yield Path(room)


def copies(name: str) -> Iterator[tuple[Path, dict[str, bytes] | None]]:
    """Yield the files of a name, and what is in them; None where they are damaged."""
    for folder in folders():
        path = folder / name
        try:
            if not _is_trusted(folder):
                continue
            found = _unpacked(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except OSError:
            found = None
        yield path, found


def _is_trusted(folder: Path) -> bool:
    """Whether nobody else may have written code there: others write to /tmp as well."""
    if folder != folders()[-1] or not hasattr(os, "getuid"):
        return True
    about = folder.lstat()
    alone = not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and alone


def _unpacked(packed: bytes) -> dict[str, bytes] | None:
    start = len(_MAGIC) + _CHECKSUM
    body = packed[start:]
    if packed[:start] != _MAGIC + hashlib.blake2b(body, digest_size=_CHECKSUM).digest():
        return None
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def keep(name: str, contents: Mapping[str, bytes]) -> Path:
    """Write the files of a loop into the first folder that takes them, and return it.

    Raises
    ------
    OSError
        If no folder does; the message names them all.
    """
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for file, data in contents.items():
            archive.writestr(zipfile.ZipInfo(file), data)
    checksum = hashlib.blake2b(body.getvalue(), digest_size=_CHECKSUM).digest()
    packed, reasons = _MAGIC + checksum + body.getvalue(), []
    for folder in folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_trusted(folder):
                raise PermissionError(errno.EPERM, "others may write to it")
            _replace(folder / name, packed)
        except OSError as error:
            reasons.append(f"{str(folder)!r}: {(error.strerror or str(error)).lower()}")
        else:
            _drop_old(folder)
            return folder
    raise OSError("; ".join(reasons))


def _drop_old(folder: Path) -> None:
    """Delete what versions of long ago left behind."""
    oldest = time.time() - _MOST_DAYS * 86400
    for path in folder.glob("*.loop*"):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole, or not at all."""
    with NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as draft:
        try:
            draft.write(content)
            draft.close()
            Path(draft.name).replace(path)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
