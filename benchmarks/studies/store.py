"""Results on disk: one JSON file per cell while a study runs, one committed file per study after.

A cell is one study, problem, method, seed and budget. What exists is skipped, so an interrupted
study goes on where it stopped and loses at most the cell it was in.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

Cell = dict[str, Any]
KEY = ("study", "problem", "method", "seed", "budget")
FORMAT = 1


class ResultFileError(ValueError):
    """A result file cannot be read; the message names it and says what to do."""


def key_of(cell: Cell) -> tuple[Any, ...]:
    """Return what identifies a cell.

    Parameters
    ----------
    cell : dict

    Returns
    -------
    tuple of study, problem, method, seed, budget

    Examples
    --------
    >>> key_of({"study": "s", "problem": "p", "method": "m", "seed": 0, "budget": 1.0})
    ('s', 'p', 'm', 0, 1.0)
    """
    return tuple(cell[name] for name in KEY)


@dataclass(frozen=True)
class Store:
    """The cells of one study in a folder.

    Parameters
    ----------
    folder : path
        Made when the first cell is written.
    study : str
    """

    folder: Path
    study: str

    @property
    def merged(self) -> Path:
        """The one file of the study."""
        return self.folder / f"{self.study}.json"

    @property
    def journal(self) -> Path:
        """Where cells wait, a file each, until they are merged into the one file."""
        return self.folder / "cells" / self.study

    def put(self, cell: Cell) -> Path:
        """Write a cell, whole or not at all.

        Parameters
        ----------
        cell : dict
            With `problem`, `method`, `seed`, `budget` and what was found.

        Returns
        -------
        pathlib.Path
        """
        cell = {"study": self.study, **cell}
        budget = "" if cell["budget"] is None else f"-b{cell['budget']:g}"
        name = f"{cell['problem']}-{cell['method']}-s{cell['seed']}{budget}"
        path = self.journal / (re.sub(r"[^\w.+-]", "_", name) + ".json")
        write_json(path, cell)
        return path

    def cells(self) -> list[Cell]:
        """Return all cells, merged or not, in the order of their keys."""
        return list(self._gather(sorted(self.journal.glob("*.json"))).values())

    def _gather(self, waiting: Iterable[Path], *others: Path) -> dict[tuple[Any, ...], Cell]:
        known: dict[tuple[Any, ...], Cell] = {}
        for path in (self.merged, *others):
            if path.exists():
                known = prefer(known, load(path))
        return prefer(known, map(read_json, waiting))

    def merge(self, *others: Path) -> Path:
        """Write the waiting cells, and those of other files, into the study's file.

        Parameters
        ----------
        *others : pathlib.Path
            Files of the same study, made elsewhere.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        ResultFileError
            If one of the files is missing, damaged or of another format.
        """
        for path in others:
            load(path)
        waiting = sorted(self.journal.glob("*.json"))
        cells = _sorted(self._gather(waiting, *others).values())
        write_json(self.merged, {"format": FORMAT, "study": self.study, "cells": cells}, lines=True)
        for path in waiting:
            path.unlink()
        for folder in (self.journal, self.journal.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()  # only where nothing else is in it
        return self.merged


def prefer(
    known: dict[tuple[Any, ...], Cell], cells: Iterable[Cell]
) -> dict[tuple[Any, ...], Cell]:
    """Add cells to known ones: the later of two wins, but a gap never replaces a result.

    Parameters
    ----------
    known : dict
        By key; not changed.
    cells : iterable of dict

    Returns
    -------
    dict

    Examples
    --------
    >>> cell = {"study": "s", "problem": "p", "method": "m", "seed": 0, "budget": 1.0}
    >>> known = prefer({}, [{**cell, "status": "time"}, {**cell, "status": "missing"}])
    >>> [found["status"] for found in known.values()]
    ['time']
    """
    chosen = dict(known)
    for cell in cells:
        old = chosen.get(key_of(cell))
        rank = [
            (c.get("status") != "missing", c.get("when", "")) for c in (cell, old) if c is not None
        ]
        if old is None or rank[0] >= rank[1]:
            chosen[key_of(cell)] = cell
    return chosen


def _sorted(cells: Iterable[Cell]) -> list[Cell]:
    return sorted(cells, key=lambda cell: tuple((part is not None, part) for part in key_of(cell)))


def load(path: str | Path) -> list[Cell]:
    """Read the cells of a study's file.

    Parameters
    ----------
    path : path

    Returns
    -------
    list of dict

    Raises
    ------
    ResultFileError
        If it is missing, damaged or of another format.
    """
    content = read_json(Path(path))
    if content.get("format") != FORMAT or not isinstance(content.get("cells"), list):
        raise ResultFileError(
            f"{path} has format {content.get('format')!r}, expected {FORMAT}; run the study again"
        )
    cells: list[Cell] = content["cells"]
    return cells


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; not-a-number is null on disk and nan here.

    Raises
    ------
    ResultFileError
        If it is missing or damaged.
    """
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise ResultFileError(f"{path} does not exist; run the study first") from None
    except ValueError as error:
        raise ResultFileError(f"{path} is damaged ({error}); delete it and run again") from error
    if not isinstance(content, dict):
        raise ResultFileError(f"{path} holds no object; delete it and run the study again")
    return content


def write_json(path: Path, content: dict[str, Any], *, lines: bool = False) -> None:
    """Write atomically: a reader or a crash never meets half a file.

    Parameters
    ----------
    path : pathlib.Path
        Its folder is made where it is missing.
    content : dict
    lines : bool, default=False
        One cell per line, so that a difference between two versions can be read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    clean = _clean(content)
    if lines:
        head = {name: value for name, value in clean.items() if name != "cells"}
        body = ",\n".join(json.dumps(cell, allow_nan=False) for cell in clean["cells"])
        text = json.dumps(head)[:-1] + ', "cells": [\n' + body + "\n]}\n"
    else:
        text = json.dumps(clean, indent=1, allow_nan=False) + "\n"
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _clean(value: Any) -> Any:
    """Make plain JSON: numbers that are not finite become null, long ones lose noise."""
    if isinstance(value, dict):
        return {str(name): _clean(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    return value


def load_average() -> float:
    """Return the processes waiting to run, over the last minute; nan where not known."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan


@contextlib.contextmanager
def conditions(threads: int, jobs: int = 1) -> Iterator[Cell]:
    """Note under what conditions a cell came about: filled in when the block ends.

    Parameters
    ----------
    threads : int
    jobs : int, default=1
        Fits at once.

    Yields
    ------
    dict
        With threads, jobs, load before and after, wall seconds, time, commit, machine, versions.
    """
    noted: Cell = {"threads": threads, "jobs": jobs, "load_before": load_average()}
    began = datetime.now(UTC)
    yield noted
    noted.update(
        load_after=load_average(),
        wall=(datetime.now(UTC) - began).total_seconds(),
        when=began.isoformat(timespec="seconds"),
        commit=commit(),
        machine=machine(),
        versions=versions(),
    )


@functools.cache
def machine() -> str:
    """Name the processor and their number."""
    name = platform.processor() or platform.machine()
    description = Path("/proc/cpuinfo")
    if description.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", description.read_text(), re.MULTILINE)
        name = found[1].strip() if found else name
    return f"{platform.system()}, {os.cpu_count()} × {name}"


def versions() -> dict[str, str]:
    """Versions of Python, this library and what it computes with."""
    found = {"python": platform.python_version()}
    for package in ("biglearn-em", "numpy", "scipy", "scikit-learn"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def commit(root: Path = Path(__file__).parents[2]) -> str:
    """Name the commit of a clone, with a plus where the library or a study differs from it."""

    def git(*arguments: str) -> str:
        run = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    try:
        source = ("src", "benchmarks/studies")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", *source)
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
