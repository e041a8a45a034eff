"""Scripts in processes of their own: threads pinned from outside, ended as a group.

A crash, a hang or a leak in a rival then costs one cell, and its peak memory is its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from benchmarks.studies import environments

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "BLIS_NUM_THREADS",
)


def run(
    script: Path, folder: Path, *, environment: str | None, threads: int, timeout: float
) -> str:
    """Run ``script FOLDER`` with an environment's interpreter.

    Parameters
    ----------
    script : pathlib.Path
    folder : pathlib.Path
        Where the script finds its request and leaves its answer.
    environment : str or None
        None or ``"R"`` is the running interpreter, else a name in `environments`.
    threads : int
    timeout : float
        Seconds after which it is killed.

    Returns
    -------
    str
        Empty where it ended well, else how it ended.
    """
    variables = dict(os.environ)
    variables.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    if environment not in (None, "R"):
        variables.pop("PYTHONPATH", None)  # what lies there is meant for another interpreter
    # JAX takes all processors unless XLA is told otherwise
    single = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    variables.update(PYTHONWARNINGS="ignore", TF_CPP_MIN_LOG_LEVEL="3")
    variables.update(XLA_FLAGS=single if threads == 1 else "", JAX_PLATFORMS="cpu")
    process = subprocess.Popen(
        [environments.python_of(None if environment == "R" else environment), script, folder],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _running.add(process)
    try:
        _, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return f"killed after {timeout:.0f} s"
    finally:
        _end(process)
        _running.discard(process)
    if process.returncode != 0:
        last = (errors.strip() or "no message").splitlines()[-1]
        return f"exit status {process.returncode}: {last}"[:500]
    return ""


def _end(process: subprocess.Popen[str]) -> None:
    """End the whole group: some rivals leave pools of processes behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


_running: set[subprocess.Popen[str]] = set()


def stop_all() -> None:
    """End every process under way, for an interrupted study that runs several at once."""
    for process in list(_running):
        _end(process)
