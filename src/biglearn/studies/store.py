"""Results on disk: one JSON file per cell while a study runs, one committed file per study after.

A cell is one study, problem, method, seed and budget. What exists is skipped, so an interrupted
study goes on where it stopped and loses at most the cell it was in.
"""

from __future__ import annotations

import contextlib
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

    def path(self, problem: str, method: str, seed: int, budget: float | None) -> Path:
        """Return the file of a cell."""
        budget_part = "" if budget is None else f"-b{budget:g}"
        name = f"{problem}-{method}-s{seed}{budget_part}"
        return self.folder / "cells" / self.study / (re.sub(r"[^\w.+-]", "_", name) + ".json")

    def has(self, problem: str, method: str, seed: int, budget: float | None = None) -> bool:
        """Whether the cell is there."""
        return self.path(problem, method, seed, budget).is_file()

    def put(self, cell: Cell) -> Path:
        """Write a cell, whole or not at all.

        Parameters
        ----------
        cell : dict
            With ``problem``, ``method``, ``seed``, ``budget`` and what was found.

        Returns
        -------
        pathlib.Path
        """
        cell = {"study": self.study, **cell}
        path = self.path(cell["problem"], cell["method"], cell["seed"], cell["budget"])
        write_json(path, cell)
        return path

    def cells(self) -> list[Cell]:
        """Return all cells, in the order of their keys."""
        folder = self.folder / "cells" / self.study
        return _sorted(read_json(path) for path in folder.glob("*.json"))

    @property
    def merged(self) -> Path:
        """The one file of the study."""
        return self.folder / f"{self.study}.json"

    def merge(self) -> Path:
        """Write all cells, and those that the study's file holds already, into that file.

        Returns
        -------
        pathlib.Path
        """
        known = {key_of(cell): cell for cell in load(self.merged)} if self.merged.exists() else {}
        known.update({key_of(cell): cell for cell in self.cells()})
        write_json(
            self.merged,
            {"format": FORMAT, "study": self.study, "cells": _sorted(known.values())},
            lines=True,
        )
        return self.merged

    def restore(self) -> None:
        """Lay out the cells of the study's file again, so that a fresh clone can go on."""
        for cell in load(self.merged) if self.merged.exists() else ():
            path = self.path(cell["problem"], cell["method"], cell["seed"], cell["budget"])
            if not path.exists():
                write_json(path, cell)


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
def conditions(threads: int) -> Iterator[Cell]:
    """Note under what conditions a cell came about: filled in when the block ends.

    Parameters
    ----------
    threads : int

    Yields
    ------
    dict
        With threads, load before and after, wall seconds, time, commit and versions.
    """
    noted: Cell = {"threads": threads, "load_before": load_average()}
    began = datetime.now(UTC)
    yield noted
    noted.update(
        load_after=load_average(),
        wall=(datetime.now(UTC) - began).total_seconds(),
        when=began.isoformat(timespec="seconds"),
        commit=commit(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Versions of Python, this library and what it computes with."""
    found = {"python": platform.python_version()}
    for package in ("biglearn-em", "numpy", "scipy", "scikit-learn"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def commit() -> str:
    """Name the commit of the source, with a plus where files of the package differ from it."""
    here = Path(__file__).parent.parent

    def git(*arguments: str) -> str:
        run = subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(here))
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
