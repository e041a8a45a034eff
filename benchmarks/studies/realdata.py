"""Real data sets of the studies: from a folder of npz files, scikit-learn or OpenML.

A folder holds `NAME.npz` with `X` (rows, features), `y` (labels from 0, -1 where there are
none) and, where the set has an official split, `X_test` and `y_test`. It is named by
``--data`` or the environment variable `BIGLEARN_DATA`.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.studies.simulated import Array

DATA_VARIABLE = "BIGLEARN_DATA"

#: Names and versions on OpenML; seismic and svmguide2 are only at LIBSVM's page.
OPENML = {
    "pendigits": ("pendigits", 1),
    "letter": ("letter", 1),
    "glass": ("glass", 1),
    "vehicle": ("vehicle", 1),
    "satimage": ("satimage", 1),
    "connect4": ("connect-4", 2),
    "covtype": ("covertype", 3),
    "fashion_mnist": ("Fashion-MNIST", 1),
}

#: Loaders of the sets that come with scikit-learn, and the leading features that are kept.
SKLEARN = {
    "digits": ("load_digits", None),
    "iris": ("load_iris", None),
    "wdbc10": ("load_breast_cancer", 10),
    "wdbc": ("load_breast_cancer", None),
    "wine": ("load_wine", None),
    "progression": ("load_diabetes", None),
}

#: Sets that come with R's mclust.
R_SETS = ("diabetes", "thyroid", "banknote")

#: File stems tried in turn where they are not simply the name.
FILES = {"covtype": ("covtype", "covtype_16pct")}


class MissingDataError(LookupError):
    """A data set is neither in the folder nor to be had otherwise; the message says what to do."""


@dataclass(frozen=True)
class RawData:
    """A data set before scaling.

    Parameters
    ----------
    X : (N, D) array
    y : (N,) array of int or None
        Labels from 0; None where there are none.
    X_test, y_test : arrays or None
        The official split, where there is one.
    note : str
        What a table must say about it, for example that it is a part.
    """

    X: Array
    y: NDArray[np.int64] | None
    X_test: Array | None = None
    y_test: NDArray[np.int64] | None = None
    note: str = ""


def load(name: str, *, data: str | Path | None = None, download: bool = False) -> RawData:
    """Load one set.

    Parameters
    ----------
    name : str
        For example ``"pendigits"``.
    data : path, optional
        Folder of npz files; default the environment variable `BIGLEARN_DATA`.
    download : bool, default=False
        Whether to fetch from OpenML what the folder lacks.

    Returns
    -------
    RawData

    Raises
    ------
    MissingDataError
        Where it is not found.

    Examples
    --------
    >>> load("digits").X.shape
    (1797, 64)
    """
    if name in SKLEARN:
        return _from_sklearn(*SKLEARN[name])
    if name in R_SETS:
        return _from_r(name)
    folder = data if data is not None else os.environ.get(DATA_VARIABLE)
    if folder is not None:
        for stem in FILES.get(name, (name,)):
            path = Path(folder) / f"{stem}.npz"
            if path.is_file():
                return _from_file(path)
    if download and name in OPENML:
        return _from_openml(name)
    where = "no folder was named" if folder is None else f"there is no {name}.npz in {folder}"
    raise MissingDataError(
        f"data set {name!r} is missing: {where}; name a folder of npz files with --data or "
        f"{DATA_VARIABLE}" + (", or fetch it from OpenML with --download" if name in OPENML else "")
    )


def _from_sklearn(loader: str, n_features: int | None) -> RawData:
    from sklearn import datasets

    bunch = getattr(datasets, loader)()
    X = np.asarray(bunch.data, dtype=np.float64)[:, :n_features]
    return RawData(X, np.asarray(bunch.target, dtype=np.int64))


def _from_r(name: str) -> RawData:
    """Summary R's mclust for one of its own sets: the first column is the class."""
    code = f"suppressMessages(library(mclust)); write.csv({name}, row.names = FALSE)"
    try:
        run = subprocess.run(
            ["Rscript", "--vanilla", "-e", code], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingDataError(
            f"data set {name!r} comes with R's package mclust, which is not here ({error}); "
            "install it (Debian: r-cran-mclust)"
        ) from error
    lines = [line.split(",") for line in run.stdout.splitlines()[1:]]
    classes = np.array([line[0] for line in lines])
    X = np.array([[float(part) for part in line[1:]] for line in lines])
    return RawData(X, np.unique(classes, return_inverse=True)[1].astype(np.int64))


def _labels(y: NDArray[np.int64]) -> NDArray[np.int64] | None:
    return None if y.size == 0 or int(y.max()) < 0 else y.astype(np.int64)


def _from_file(path: Path) -> RawData:
    note = "a 16 % part of the set" if path.stem.endswith("_16pct") else ""
    with np.load(path, allow_pickle=False) as file:
        X, y = file["X"], _labels(file["y"])
        if "X_test" not in file.files:
            return RawData(X.astype(np.float64), y, note=note)
        X_test, y_test = file["X_test"], _labels(file["y_test"])
    return RawData(X.astype(np.float64), y, X_test.astype(np.float64), y_test, note)


def _from_openml(name: str) -> RawData:
    from sklearn.datasets import fetch_openml

    title, version = OPENML[name]
    bunch = fetch_openml(title, version=version, as_frame=False, parser="liac-arff")
    y = np.unique(bunch.target, return_inverse=True)[1].astype(np.int64)
    # OpenML joins the official parts; the studies then split it themselves and say so
    return RawData(np.asarray(bunch.data, dtype=np.float64), y, note="OpenML's copy, own split")
