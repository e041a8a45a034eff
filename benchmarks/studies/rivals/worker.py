"""Run one contender on one problem in this process, and keep every model that is the best so far.

Usage: ``python worker.py FOLDER``, where the folder holds `request.json` and `rows.npy`. It
adds ``model-N.npz`` and a line of `trail.jsonl` for every improvement at once, so that a crash
loses nothing, and `done.json` at the end. Needs NumPy alone.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class TimeUpError(BaseException):
    """The budget is spent; not an `Exception`, so that no contender catches it by accident."""


def clipped_log_likelihood(
    X: Array, weights: Array, means: Array, covariances: Array, floor: float
) -> float:
    """Mean log-density per row with the eigenvalues raised to the floor.

    Parameters
    ----------
    X : (N, D) array
    weights : (K,) array
    means : (K, D) array
    covariances : (K, D, D) array
    floor : float

    Returns
    -------
    float

    Examples
    --------
    >>> one = clipped_log_likelihood(
    ...     np.zeros((1, 1)), np.ones(1), np.zeros((1, 1)), np.zeros((1, 1, 1)), 1.0
    ... )
    >>> round(one, 4)
    -0.9189
    """
    joint = np.empty((len(X), len(weights)))
    for k in range(len(weights)):
        values, vectors = np.linalg.eigh((covariances[k] + covariances[k].T) / 2)
        values = np.maximum(values, floor)
        white = (X - means[k]) @ (vectors / np.sqrt(values))
        joint[:, k] = -0.5 * np.einsum("nd,nd->n", white, white) - 0.5 * np.log(values).sum()
    with np.errstate(divide="ignore"):
        joint += np.log(weights) - 0.5 * X.shape[1] * np.log(2 * np.pi)
    top = joint.max(axis=1)
    return float(np.mean(top + np.log(np.exp(joint - top[:, None]).sum(axis=1))))


class Trail:
    """The improving models of one fit, written as they come."""

    def __init__(self, folder: Path, X: Array, floor: float) -> None:
        self.folder, self.X, self.floor = folder, X, floor
        self.best = -np.inf
        self.models = 0
        self.failures = 0

    def add(self, model: tuple[Any, ...], seconds: float) -> None:
        """Look at a model found at `seconds`; keep it if it is the best so far."""
        weights, means, covariances = (np.asarray(part, dtype=np.float64) for part in model[:3])
        if len(model) > 3:
            seconds = float(model[3])
        self.models += 1
        finite = all(bool(np.all(np.isfinite(p))) for p in (weights, means, covariances))
        value = np.nan
        if finite:
            value = clipped_log_likelihood(self.X, weights, means, covariances, self.floor)
        if not np.isfinite(value):
            self.failures += 1
            return
        if value <= self.best:
            return
        self.best = value
        file = f"model-{self.models:05d}.npz"
        np.savez(self.folder / file, weights=weights, means=means, covariances=covariances)
        with (self.folder / "trail.jsonl").open("a") as out:
            line = {"seconds": seconds, "log_likelihood": value, "file": file}
            out.write(json.dumps(line) + "\n")


def _alarm(signum: int, frame: Any) -> None:
    raise TimeUpError


def drive(
    models: Iterator[Any], trail: Trail, seconds: float, *, stops_itself: bool = False
) -> tuple[str, float]:
    """Draw models until the time is up; return how it ended and the time used.

    A contender that `stops_itself` is trusted to, for the alarm would take its last model away.
    Everyone is let finish a model that is late by a tenth of a second or two per cent.
    """
    used = 0.0
    limit = 2 * seconds + 30 if stops_itself else seconds + max(0.1, 0.02 * seconds)
    signal.signal(signal.SIGALRM, _alarm)
    next(models)  # imports and reading are not timed
    while used < (limit if stops_itself else seconds):
        signal.setitimer(signal.ITIMER_REAL, limit - used)
        began = time.perf_counter()
        try:
            model = next(models)
        except TimeUpError:
            return "time", used + time.perf_counter() - began
        except StopIteration:
            return "finished", used + time.perf_counter() - began
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        used += time.perf_counter() - began
        trail.add(model, used)
    return "time", used


def warm_up(adapter: Any, X: Array, request: dict[str, Any]) -> None:
    """Fit a few rows first, so that lazy imports and compilation are not timed."""
    some = X[: max(100, 3 * X.shape[1])]
    models = adapter.fit(some, 2, **{**request["arguments"], "seconds": 0.5})
    signal.signal(signal.SIGALRM, _alarm)
    signal.setitimer(signal.ITIMER_REAL, 20)
    try:
        next(models)
        next(models)
    except (Exception, TimeUpError):
        pass  # what is wrong shows in the fit itself
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        models.close()


def main(folder: Path) -> None:
    """Do what `request.json` asks."""
    warnings.simplefilter("ignore")
    request = json.loads((folder / "request.json").read_text())
    X = np.load(folder / "rows.npy", allow_pickle=False)
    trail = Trail(folder, X, request["arguments"]["floor"])
    done: dict[str, Any] = {"message": ""}
    began = time.perf_counter()
    try:
        adapter = importlib.import_module(request["adapter"])
        if getattr(adapter, "WARM_UP", True):
            warm_up(adapter, X, request)
        models = adapter.fit(X, request["n_components"], **request["arguments"])
        done["status"], done["seconds"] = drive(
            models,
            trail,
            request["arguments"]["seconds"],
            stops_itself=getattr(adapter, "STOPS_ITSELF", False),
        )
        models.close()
        done["versions"] = versions(adapter)
    except Exception as error:
        done["status"] = "failed"
        done["message"] = f"{type(error).__name__}: {error}"[:500]
        done["traceback"] = traceback.format_exc()[-2000:]
    done["models"], done["failures"] = trail.models, trail.failures
    done["wall"] = time.perf_counter() - began
    done["peak_bytes"] = peak_bytes()
    (folder / "done.json").write_text(json.dumps(done))


def peak_bytes() -> int:
    """Return the largest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # unlike getrusage, this does not inherit the peak of the process that started this one
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def versions(adapter: Any) -> dict[str, str]:
    """Versions of Python and of what the adapter names in `PACKAGES`."""
    from importlib import metadata

    found = {"python": platform.python_version(), "numpy": np.__version__}
    for package in getattr(adapter, "PACKAGES", ()):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return {**found, **getattr(adapter, "VERSIONS", {})}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    # some rivals leave pools and threads behind that would keep the process alive
    sys.stdout.flush()
    os._exit(0)
