"""Checkpoints: the moments of every pass, in a file, so that a fit that was killed goes on.

All that a fit learns from the rows is the moments of its passes, and everything
else follows from them and the seed.  A checkpoint is therefore a journal of them,
kept by an engine around the engine: the fit is made again from its beginning, the
journal answers the passes that it knows, and the result is the same to the
last bit, whatever the method and wherever the rows live.

The file is a header in JSON and one npz archive for each pass, each with its length and its
checksum before it, which covers all that came earlier; from one that broke off or was damaged
on, the file is written anew.  While a fit lasts, no other one can use its file.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from inspect import isroutine
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from biglearn._types import Array
from biglearn.engines.base import Block, Engine
from biglearn.engines.wrappers.base import EngineWrapper
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints
from biglearn.model.moments import Moments
from biglearn.model.views import View
from biglearn.search.run import Method, Settings
from biglearn.tables.files import Archive, sole, write_npz, write_whole

#: Begins every checkpoint, with the version of its format.
_MAGIC = b"biglearn-checkpoint 3\n"

#: Before each entry: its length, and a checksum of it and of the checksum before.
_FRAME = struct.Struct("<Q16s")


@contextmanager
def journalled(
    path: str | os.PathLike[str] | None,
    fit: dict[str, Any],
    rng: np.random.Generator,
    *,
    seeded: bool,
) -> Iterator[Journal | None]:
    """Keep a fit's journal in a file while it lasts, and go on with one that is there.

    Parameters
    ----------
    path : path or None
        None keeps no journal.
    fit : dict
        Description that tells this fit from others, in JSON's types and arrays.
    rng : Generator
        The fit's randomness, before its first draw.
    seeded : bool
        Whether it was asked for, and has to be that of the file; otherwise it is set to
        the state that the file says.

    Yields
    ------
    Journal or None

    Raises
    ------
    ValueError
        If the file is no checkpoint, or that of another fit.
    OSError
        If it cannot be written, or another fit uses it.
    """
    if path is None:
        yield None
        return
    state = rng.bit_generator.state
    if seeded:
        fit = {**fit, "random_state": state}
    fit = json.loads(json.dumps(fit, default=fingerprint))
    with sole(Path(path)) as stream:
        journal = Journal(stream, {"fit": fit, "generator": state})
        rng.bit_generator.state = journal.header["generator"]
        yield journal


def described(settings: Settings, constraints: Constraints, method: Method) -> dict[str, Any]:
    """Return the size, budget, constraints and method of a fit, for `journalled`."""
    fit = asdict(settings) | {f.name: getattr(constraints, f.name) for f in fields(constraints)}
    del fit["max_time"]  # a fit may be given more time
    return {name: _in_words(value) for name, value in {**fit, "method": method}.items()}


def _in_words(value: object) -> object:
    """Describe a constant as another process would, in JSON's types: without addresses."""
    if isinstance(value, list | tuple):
        return [_in_words(one) for one in value]
    if isinstance(value, np.ndarray):
        return fingerprint(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    name = getattr(value, "__qualname__", type(value).__qualname__)
    if isroutine(value):
        return name
    constants = {key: _in_words(one) for key, one in getattr(value, "__dict__", {}).items()}
    return {"name": name, **constants}


class Journal:
    """The passes of a fit in a file: known ones are read, new ones appended.

    Parameters
    ----------
    stream : binary file
        Open to read and append.
    header : dict
        ``"fit"`` must equal the file's, if it has any; the rest is taken
        from there.
    """

    def __init__(self, stream: BinaryIO, header: dict[str, Any]) -> None:
        self._stream = stream
        self._checksum = b""
        self._fails = False
        self._ahead = 0.0
        self._began = time.perf_counter()
        self._n_known = 0
        stream.seek(0)
        magic = stream.read(len(_MAGIC))
        entry = self._read() if magic == _MAGIC else None
        if magic and not _MAGIC.startswith(magic) and entry is None:
            raise ValueError(
                f"{stream.name!r} is no checkpoint that this version of biglearn reads; "
                "delete it or name another file"
            )
        self.replaying = entry is not None
        self.header = header
        if entry is None:  # new, or broken off in the first line
            with self._attempt():
                stream.truncate(0)
                write_whole(stream, _MAGIC)
                self._append(json.dumps(header).encode())
        else:
            self.header = json.loads(entry)
            self._check(self.header["fit"], header["fit"])

    def _check(self, known: dict[str, Any], ours: dict[str, Any]) -> None:
        for name in sorted(known | ours):
            if known.get(name) != ours.get(name):
                raise ValueError(
                    f"{self._stream.name!r} is the checkpoint of another fit: {name} was "
                    f"{known.get(name)} there and is {ours.get(name)} now; delete it or name "
                    "another file"
                )

    def wrapped(self, engine: Engine) -> JournalledEngine:
        """Return an engine whose passes are kept in this journal, and answered from it."""
        return JournalledEngine(engine, self)

    def clock(self) -> float:
        """Return seconds that go on where the journal ends."""
        return time.perf_counter() + self._ahead

    def recall(self, query: bytes) -> Moments | None:
        """Return the moments of the next pass, if it is known and asked the same."""
        if not self.replaying:
            return None
        start, checksum = self._stream.tell(), self._checksum
        entry = self._read()
        if entry is not None:
            archive = Archive(io.BytesIO(entry), stored=True)
            if archive["query"].tobytes() == query:
                self._n_known += 1
                lag = float(archive["seconds"]) - (self.clock() - self._began)
                self._ahead += max(0.0, lag)
                return _unpacked(archive)
            warnings.warn(
                f"from pass {self._n_known} on the checkpoint {self._stream.name!r} does not fit; "
                "the fit goes on from there by itself, as after a change of machine or version",
                stacklevel=2,
            )
        self.replaying = False
        self._checksum = checksum
        with self._attempt():
            self._stream.truncate(start)
        return None

    def note(self, query: bytes, moments: Moments) -> None:
        """Append a pass; what keeps it from that is said, and the fit goes on without."""
        if self._fails:
            return
        buffer = io.BytesIO()
        seconds = np.array(self.clock() - self._began)
        query_array = np.frombuffer(query, dtype=np.uint8)
        write_npz(buffer, {"query": query_array, "seconds": seconds, **_packed(moments)})
        with self._attempt():
            self._append(buffer.getvalue())

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        """Change the file, or give it up with a warning."""
        try:
            yield
        except OSError as error:
            self._fails = True
            warnings.warn(
                f"the checkpoint {self._stream.name!r} cannot be written "
                f"({(error.strerror or str(error)).lower()}); the fit goes on without, and could "
                "be resumed only from here",
                stacklevel=2,
            )

    def _read(self) -> bytes | None:
        """Return the next entry, or None at the end or at one that is not whole."""
        head = self._stream.read(_FRAME.size)
        if len(head) < _FRAME.size:
            return None
        length, checksum = _FRAME.unpack(head)
        if length > os.fstat(self._stream.fileno()).st_size:
            return None
        entry = self._stream.read(length)
        if len(entry) < length:
            return None
        if checksum != _digest(self._checksum, entry):
            warnings.warn(
                f"the checkpoint {self._stream.name!r} is damaged behind pass {self._n_known}; the "
                "fit goes on from there by itself",
                stacklevel=2,
            )
            return None
        self._checksum = checksum
        return entry

    def _append(self, entry: bytes) -> None:
        checksum = _digest(self._checksum, entry)
        write_whole(self._stream, _FRAME.pack(len(entry), checksum) + entry)
        self._checksum = checksum


def _packed(moments: Moments) -> dict[str, Array]:
    """Return the fields of moments; of symmetric matrices only a triangle."""
    arrays = {f.name: np.asarray(getattr(moments, f.name)) for f in fields(moments)}
    second = arrays["second"]
    if np.array_equal(second, np.swapaxes(second, 1, 2)):
        arrays["second"] = second[:, *np.triu_indices(second.shape[1])]
    return arrays


def _unpacked(archive: Archive) -> Moments:
    arrays: dict[str, Any] = {f.name: archive[f.name] for f in fields(Moments)}
    if arrays["second"].ndim == 2:
        size = arrays["first"].shape[1]
        upper, second = np.triu_indices(size), np.empty((*arrays["first"].shape, size))
        second[:, *upper] = second[:, *upper[::-1]] = arrays["second"]
        arrays["second"] = second
    return Moments(**{name: a if a.ndim else a.item() for name, a in arrays.items()})


class JournalledEngine(EngineWrapper):
    """An engine whose passes are kept in a journal, and answered from it.

    Parameters
    ----------
    engine : Engine
    journal : Journal
    view : bytes
        Digest of the view of the rows.
    """

    def __init__(self, engine: Engine, journal: Journal, view: bytes = b"") -> None:
        super().__init__(engine)
        self._journal, self._view = journal, view

    def project(self, view: View) -> JournalledEngine:
        """Return an engine over the same rows seen through a view of this one."""
        seen = _digest(self._view, view.basis)
        return JournalledEngine(self._engine.project(view), self._journal, seen)

    def thinned(self, limit: int, rng: np.random.Generator) -> Engine:
        """Return the other engine's sample: it is sooner asked again than read."""
        found = self._engine.thinned(limit, rng)
        return self if found is self._engine else found

    def block(self, n_components: int, most: float) -> Block | None:
        """Return the rows where a pass is little work: it is sooner made than read again."""
        return self._engine.block(n_components, most)

    def expect(self, components: Components) -> Moments:
        """Make one E-step, or remember it."""
        query = _digest(
            self._view,
            components.weights,
            components.means,
            components.blocks,
            components.shapes,
        )
        moments = self._journal.recall(query)
        if moments is None:
            moments = self._engine.expect(components)
            self._journal.note(query, moments)
        return moments


def _digest(*parts: bytes | Array) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return digest.digest()


def fingerprint(*arrays: Array) -> str:
    """Return a hex digest of arrays."""
    return _digest(*arrays).hex()
