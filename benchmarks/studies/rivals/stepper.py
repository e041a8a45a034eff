"""Time EM steps of one program in this process; what `worker` is for whole fits.

Usage: ``python stepper.py FOLDER``, where the folder holds `request.json`, `rows.npy` and
`means.npy`. It leaves `done.json`. Needs NumPy alone, and what the program needs.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

#: Seconds of the shorter run above which it is the longer one, beside a run of one step.
SLOW = 2.0

#: Seconds for which short runs are repeated, so that one undisturbed is among them.
ENOUGH = 3.0


def gemm_rate(dtype: Any, *, seconds: float = 0.5, size: int = 1024) -> float:
    """Return the operations per second of a matrix product, the best of some.

    Parameters
    ----------
    dtype : dtype
    seconds : float
    size : int

    Returns
    -------
    float
    """
    a = np.random.default_rng(0).standard_normal((size, size)).astype(dtype)
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - began)
    return float(2 * size**3 / best)


def resident_bytes() -> int:
    """Return the memory in use, and let the peak begin again from there; 0 where not known."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps is not in use
        Path("/proc/self/clear_refs").write_text("5")
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, AttributeError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(run: Any, short: int, long: int, *, compiles: bool) -> dict[str, Any]:
    """Time two lengths; their difference has no start-up in it.

    Parameters
    ----------
    run : callable
        From a number of steps to the parameters.
    short, long : int
    compiles : bool
        Whether each length is run once before.

    Returns
    -------
    dict
        With step_seconds, and the parameters after the shorter number of steps.
    """
    began = time.perf_counter()
    _, *found = run(short)
    slow = time.perf_counter() - began > SLOW
    lengths = (1, max(short, 2)) if slow else (short, long)
    if compiles:
        run(lengths[1])
    best: dict[int, float] = {}
    made: dict[int, int] = {}
    rounds, first = 0, time.perf_counter()
    while rounds < (2 if slow else 3) or time.perf_counter() - first < ENOUGH:
        rounds += 1
        for steps in lengths:
            began = time.perf_counter()
            made[steps], *_ = run(steps)
            best[steps] = min(best.get(steps, np.inf), time.perf_counter() - began)
    few, many = lengths
    if made[few] == made[many]:
        raise RuntimeError(f"has converged after {made[few]} steps")
    seconds = (best[many] - best[few]) / (made[many] - made[few])
    if seconds <= 0:
        raise RuntimeError(f"{many} steps took no longer than {few}: the machine is too noisy")
    return {"step_seconds": seconds, "steps": short, "found": found}


def main(folder: Path) -> None:
    """Do what `request.json` asks."""
    # its neighbours, found because it is run as a script
    programs, worker = importlib.import_module("steps"), importlib.import_module("worker")
    request = json.loads((folder / "request.json").read_text())
    X, means = np.load(folder / "rows.npy"), np.load(folder / "means.npy")
    name, floor, threads = request["program"], request["floor"], request["threads"]
    done: dict[str, Any] = {"status": "finished", "message": ""}
    try:
        make = programs.PROGRAMS[name]
        make(X[:50], means[:1], floor, threads)(1)  # lazy imports are not timed
        run = make(X, means, floor, threads)
        before = resident_bytes()
        found = measure(run, request["short"], request["long"], compiles=name in programs.COMPILES)
        # only where the kernel can forget an earlier peak is this one's own
        done["extra_bytes"] = worker.peak_bytes() - before if before else None
        done["gemm"] = gemm_rate(X.dtype)
        w, m, c = (np.asarray(part, dtype=np.float64) for part in found.pop("found"))
        done |= found
        done["log_likelihood"] = worker.clipped_log_likelihood(
            X[: request["judged"]].astype(np.float64), w, m, c, floor
        )
        packages = type("Packages", (), {"PACKAGES": request["packages"]})
        done["fit_versions"] = worker.versions(packages)
    except Exception as error:
        done["status"] = "failed"
        done["message"] = f"{type(error).__name__}: {error}"[:500]
        done["traceback"] = traceback.format_exc()[-2000:]
    (folder / "done.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)
