"""Commands of the program as the tests run them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import biglearn


def assert_one_error(result: tuple[int, str, str], code: int, *parts: str) -> None:
    assert result[0] == code
    assert result[1] == ""
    assert result[2].startswith("biglearn: error: ")
    assert result[2].count("\n") == 1
    for part in parts:
        assert part in result[2]


FIT = ("fit", "data.csv", "-k", 3, "--exclude", "kind", "-o", "fit.npz")


#: A process of its own runs the package that the tests import, in whatever folder it starts.
ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(Path(biglearn.__file__).parents[1]),
}


def hear_interrupts() -> None:
    """Let a process be interrupted even where the tests run in the background, which cannot."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def spawn(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "biglearn", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=hear_interrupts,
    )


def wait_for_passes(process: subprocess.Popen[str], checkpoint: Path) -> None:
    """Wait until a fit has made some passes, as the file tells in which it keeps them."""
    for _ in range(2400):
        if checkpoint.exists() and checkpoint.stat().st_size > 10_000:
            return
        assert process.poll() is None, "the fit ended early"
        time.sleep(0.05)
    raise AssertionError("the fit made no pass within two minutes")
