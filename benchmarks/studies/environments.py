"""Where the rivals live: an environment of its own for each that needs other versions.

`python -m benchmarks study rivals` says which are there; with ``--install`` it makes them with pip.
Nothing here is needed to use or to test the library.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT_VARIABLE = "BIGLEARN_RIVALS"

#: What pip installs into each environment, call by call.
REQUIREMENTS: dict[str, list[list[str]]] = {
    "pygmmis": [["numpy<2", "scipy", "scikit-learn", "setuptools<81", "pygmmis==1.2.3"]],
    # its metadata ask for the retired package "sklearn"
    "gmm-mml": [["numpy", "scipy", "scikit-learn", "matplotlib"], ["--no-deps", "gmm-mml==0.12"]],
    "torch": [
        ["torch==2.13.0", "tgmm==0.4.3", "pomegranate==1.1.2", "torchgmm==0.1.4", "threadpoolctl"]
    ],
    "gmmx": [["gmmx==0.7"]],
    "pyod": [["pyod==3.6.7"]],
    "conditional": [["gmr==2.0.3", "cgmm==0.5.1", "scikit-learn"]],
    # only in its public repository; compiled with a C++17 compiler
    "vamm": [["git+https://github.com/variational-sublinear-clustering/vamm"]],
}

CHECKS = {
    "pygmmis": "import pygmmis",
    "gmm-mml": "import gmm_mml",
    "torch": "import tgmm, pomegranate, torchgmm",
    "gmmx": "import gmmx",
    "pyod": "import pyod",
    "conditional": "import gmr, cgmm",
    "vamm": "import vamm",
}


def root() -> Path:
    """Return the folder of the environments: `BIGLEARN_RIVALS` or one in the user's cache.

    Returns
    -------
    pathlib.Path
    """
    named = os.environ.get(ROOT_VARIABLE)
    return Path(named) if named else Path.home() / ".cache" / "biglearn" / "rivals"


def python_of(environment: str | None) -> Path:
    """Return the interpreter of an environment, whether it exists or not.

    Parameters
    ----------
    environment : str or None
        None is the running interpreter.

    Returns
    -------
    pathlib.Path
    """
    if environment is None:
        return Path(sys.executable)
    folder = root() / environment
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@functools.cache
def gap(environment: str | None) -> str:
    """Say why an environment cannot be used; empty where it can.

    Parameters
    ----------
    environment : str or None
        A key of `REQUIREMENTS`, ``"R"`` or None.

    Returns
    -------
    str

    Examples
    --------
    >>> gap(None)
    ''
    """
    if environment is None:
        return ""
    if environment == "R":
        return gap_of_r("mclust")
    python = python_of(environment)
    if not python.is_file():
        return f"{environment} is not installed (python -m benchmarks study rivals --install)"
    check = subprocess.run([python, "-c", CHECKS[environment]], capture_output=True, text=True)
    if check.returncode != 0:
        reason = (check.stderr.strip() or "no message").splitlines()[-1]
        return f"{environment} cannot be imported: {reason}"
    return ""


@functools.cache
def gap_of_r(package: str) -> str:
    """Say why a package of R cannot be used; empty where it can.

    Parameters
    ----------
    package : str

    Returns
    -------
    str
    """
    if shutil.which("Rscript") is None:
        return f"Rscript is not installed (Debian: r-cran-{package})"
    check = subprocess.run(
        ["Rscript", "--vanilla", "-e", f"library({package})"], capture_output=True, text=True
    )
    return "" if check.returncode == 0 else f"R's package {package} is not installed"


def install(environment: str) -> None:
    """Make an environment and install its packages with pip.

    Parameters
    ----------
    environment : str
        A key of `REQUIREMENTS`.

    Raises
    ------
    subprocess.CalledProcessError
        If pip fails; the study then shows the rival as missing.
    """
    folder = root() / environment
    folder.parent.mkdir(parents=True, exist_ok=True)
    venv.create(folder, with_pip=True)
    for arguments in REQUIREMENTS[environment]:
        subprocess.run(
            [python_of(environment), "-m", "pip", "install", "--quiet", *arguments], check=True
        )
    gap.cache_clear()
