"""How loops are compiled, and kept for other processes.

Numba's own cache trusts what it reads and stops at what it cannot write.  It is given a folder of
this process alone here, with code whose checksum is right, and what it leaves there is kept.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, cast

from numba import config, njit, void

from biglearn.kernels import kept

_LOG = logging.getLogger("biglearn")

_HOW = {"nogil": True, "error_model": "numpy"}

#: What was said, since it is said once.
_SAID: set[str] = set()

#: Numba's folder is one setting of the whole process.
_LOCK = RLock()


def compiled(loop: Callable[..., None], *arguments: Any) -> Callable[..., None]:
    """Compile a loop for arguments of given types, or load it where an earlier process did.

    Other types are refused when it is called.  Nothing that happens to files stops it.

    Raises
    ------
    ImportError
        If Numba is told not to compile, by NUMBA_DISABLE_JIT.
    """
    if config.DISABLE_JIT:
        raise ImportError("NUMBA_DISABLE_JIT is set")
    signature = void(*arguments)
    with _LOCK:
        try:
            made = _from_files(loop, signature)
        except OSError as error:
            _announce()
            made = njit(**_HOW)(loop)
            made.compile(signature)
            _warn_of_no_folder(str(error))
    made.disable_compile()
    return cast(Callable[..., None], made)


def _from_files(loop: Callable[..., None], signature: Any) -> Any:
    """Return a loop out of a file; without one compile it and write one."""
    name = kept.name_of(loop.__name__, signature, _HOW)
    for path, contents in kept.copies(name):
        made, misses, written = (None, 0, {}) if not contents else _with(loop, signature, contents)
        if made is not None:
            break
        _LOG.warning("%r is damaged; its loop is compiled anew", str(path))
    else:
        _announce()
        began = time.perf_counter()
        made, misses, written = _with(loop, signature, {})
        _LOG.info("%s: compiled in %.1f s", loop.__name__, time.perf_counter() - began)
    if misses:
        _keep(name, written)
    return made


def _keep(name: str, written: Mapping[str, bytes]) -> None:
    try:
        if not written:
            raise OSError("the folder for temporary files is full")
        kept.keep(name, written)
    except OSError as error:
        _warn_of_no_folder(str(error))


def _with(
    loop: Callable[..., None], signature: Any, contents: Mapping[str, bytes]
) -> tuple[Any, int, dict[str, bytes]]:
    """Compile a loop where Numba finds given files, or load it from them.

    Returns
    -------
    made : dispatcher or None
        None where Numba cannot read the files.
    misses : int
        0 if it was loaded.
    written : dict
        The files afterwards; none where they could not be written.
    """
    reason: OSError = OSError("there is no place for a temporary folder")
    for room in kept.rooms():
        try:
            return _inside(room, loop, signature, contents)
        except OSError as error:
            reason = error
    raise reason


def _inside(
    room: Path, loop: Callable[..., None], signature: Any, contents: Mapping[str, bytes]
) -> tuple[Any, int, dict[str, bytes]]:
    """Do so in a certain folder."""
    with _numba_writes_to(room):
        made = _cached(loop, room)
        place = Path(made.stats.cache_path)
        for file, data in contents.items():
            (place / file).write_bytes(data)
        try:
            made.compile(signature)
        except Exception:  # pickle and LLVM may raise anything on what they cannot read
            if made.signatures:  # compiled, but not written
                return made, 1, {}
            if contents:
                return None, 1, {}
            raise
        written = {file.name: file.read_bytes() for file in place.iterdir()}
        return made, sum(made.stats.cache_misses.values()), written


def _cached(loop: Callable[..., None], room: Path) -> Any:
    """Return a loop, not compiled yet, whose code Numba keeps in a folder and nowhere else."""
    try:
        made = njit(cache=True, **_HOW)(loop)
    except RuntimeError as error:  # as where modules lie in an archive
        raise OSError(str(error)) from error
    if not Path(made.stats.cache_path).is_relative_to(room):
        raise OSError(f"{str(room)!r} cannot be written")
    return made


@contextmanager
def _numba_writes_to(folder: Path) -> Iterator[None]:
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


def _announce() -> None:
    """Say, once a process and before the wait, what will take so long."""
    if "wait" not in _SAID:
        _SAID.add("wait")
        _LOG.warning(
            "biglearn compiles its loops for this machine; the first time this takes up to a minute"
        )


def _warn_of_no_folder(reasons: str) -> None:
    if "no folder" not in _SAID:
        _SAID.add("no folder")
        warnings.warn(
            f"compiled loops cannot be kept, and every process waits for them anew ({reasons}); "
            "set NUMBA_CACHE_DIR to a folder that can be written",
            stacklevel=2,
        )
