"""Kill fits at random moments, and damage their checkpoints, to see what comes of it.

The tests do a little of it.  The long run, from the top of a clone (some minutes):

    PYTHONPATH=src:tests python tests/kills.py 100 200
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from biglearn import GaussianMixture, kernels
from biglearn.engines import Chunked

Array = np.ndarray


def rows(rng: np.random.Generator, n: int = 600) -> Array:
    centres = 4 * rng.normal(size=(4, 3))
    return centres[rng.integers(4, size=n)] + rng.normal(size=(n, 3))


def model(checkpoint: Path | None, **parameters) -> GaussianMixture:
    """Return a fit of which every pass is in the checkpoint."""
    how = {"method": "em", "n_init": 3, "init_params": "normal", "tol": 1e-7, "random_state": 0}
    how |= {"engine": Chunked(block_bytes=4000), "prior": None, **parameters}
    return GaussianMixture(4, checkpoint=checkpoint, **how)


def numbers(fitted: GaussianMixture) -> bytes:
    """Return every bit of a model."""
    return b"".join(a.tobytes() for a in (fitted.weights_, fitted.means_, fitted.covariances_))


def kill(X: Array, checkpoint: Path, seconds: float) -> bool:
    """Fit in a process that is killed after some seconds; return whether it was in time."""
    child = os.fork()
    if child == 0:
        model(checkpoint).fit(X)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def killed_and_resumed(rng: np.random.Generator, n_kills: int) -> tuple[int, int]:
    """Return how many of the fits that were killed ended in another model, and kills in all."""
    others = kills = 0
    while kills < n_kills:
        X = rows(rng)
        began = time.perf_counter()
        whole = numbers(model(None).fit(X))
        takes = time.perf_counter() - began
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fit.checkpoint"
            # from before the file is made to after its last pass
            while kills < n_kills and kill(X, path, 1.1 * takes * rng.random()):
                kills += 1
            others += numbers(model(path).fit(X)) != whole
    return others, kills


def damaged(rng: np.random.Generator, content: bytes, foreign: bytes) -> Iterator[bytes]:
    """Yield damaged copies of a checkpoint; `foreign` is that of a fit of other rows."""
    while True:
        a, b, c = sorted(int(place) for place in rng.integers(1, len(content), size=3))
        flipped = bytearray(content)
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            flipped[place] ^= 1 << int(rng.integers(8))
        yield bytes(flipped)
        yield content[:a]
        yield content[:a] + content[b:]
        yield content[:a] + content[b:c] + content[a:b] + content[c:]
        yield content[:a] + bytes(b - a) + content[b:]
        yield content[:a] + foreign[a:]
        yield content + rng.bytes(a)
        yield foreign[:a] + content[a:]


def taken_for_another(rng: np.random.Generator, n_files: int) -> tuple[int, int]:
    """Return how many damaged files gave another model than theirs, and how many were refused."""
    X = rows(rng, 300)
    others = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.checkpoint"
        how = {"n_init": 1, "tol": 1e-3}
        whole = numbers(model(path, **how).fit(X))
        content = path.read_bytes()
        path.unlink()
        model(path, **how).fit(X + 1e-9 * rng.normal(size=X.shape))
        foreign = path.read_bytes()
        files = damaged(rng, content, foreign)
        for _ in range(n_files):
            path.write_bytes(next(files))
            try:
                with warnings.catch_warnings(action="ignore"):
                    found = numbers(model(path, **how).fit(X))
            except ValueError as error:
                refused += str(path) in str(error)
            else:
                others += found != whole
    return others, refused


if __name__ == "__main__":
    kernels.WANTED = False
    some = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    warnings.simplefilter("ignore")
    print("other models, kills:", killed_and_resumed(some, int(sys.argv[1])))
    print("other models, refused files:", taken_for_another(some, int(sys.argv[2])))
