"""Every problem of the studies, by name: rows to fit, rows held out, labels, truth, K and floor.

>>> problem = make("grid25", seed=0)
>>> problem.X.shape, problem.n_components, problem.floor
((2000, 2), 25, 0.001)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.studies import realdata, simulated
from benchmarks.studies.simulated import Array, Parameters, Truth

Scaling = Literal["standard", "minmax", "none"]
#: Least eigenvalue of a covariance in standardised units. Below every eigenvalue of every
#: simulated truth (the thinnest is 0.0016), so it binds only where a component collapses on a
#: few rows, and the value of method studies on letter and pendigits.
FLOOR = 1e-3


@dataclass(frozen=True)
class Problem:
    """One problem at one seed, in the units in which every contender works.

    Parameters
    ----------
    name : str
    seed : int
    X : (N, D) array
        Rows to fit.
    X_test : (M, D) array
        Held-out rows.
    y, y_test : arrays of int or None
        Classes, or the components the rows were drawn from; None where unknown.
    n_components : int
        K.
    floor : float
        Least eigenvalue allowed in a covariance.
    truth : Parameters or None
        The mixture the rows were drawn from.
    note : str
        What a table must say about the data.
    """

    name: str
    seed: int
    X: Array
    X_test: Array
    y: NDArray[np.int64] | None
    y_test: NDArray[np.int64] | None
    n_components: int
    floor: float
    truth: Parameters | None = None
    note: str = ""


@dataclass(frozen=True)
class Spec:
    """How to make a problem: a simulated truth or a real set, K, sizes and floor.

    Parameters
    ----------
    name : str
    n_components : int
    truth : callable, optional
        Draws the true mixture from a generator.
    dataset : str, optional
        Name of a real set; one of the two is given.
    n_rows, n_test : int
        For simulated problems.
    floor : float
    pca : int, optional
        Keep this many principal components of a real set, before scaling.
    whole : bool
        Fit all rows of a real set, an official test set among them, and hold none out: the seed is
        that of the contenders alone.
    """

    name: str
    n_components: int
    truth: Truth | None = None
    dataset: str | None = None
    n_rows: int = 2000
    n_test: int = 5000
    floor: float = FLOOR
    pca: int | None = None
    whole: bool = False

    def make(
        self,
        seed: int,
        *,
        data: str | Path | None = None,
        scaling: Scaling = "standard",
        rows: int | None = None,
        download: bool = False,
    ) -> Problem:
        """Draw or load the problem.

        Parameters
        ----------
        seed : int
            Of the truth and the rows, or of the split where a real set has no official one.
        data : path, optional
            Folder of real sets; default the environment variable `BIGLEARN_DATA`.
        scaling : {"standard", "minmax", "none"}, default="standard"
            By the training rows; the truth is scaled with them.
        rows : int, optional
            Rows to draw, or the number a real set is cut to (at random).
        download : bool, default=False

        Returns
        -------
        Problem

        Raises
        ------
        realdata.MissingDataError
        """
        # the name enters the seed so that two families never share their random numbers
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        if self.truth is not None:
            problem = self._simulate(seed, rng, rows or self.n_rows)
        else:
            raw = realdata.load(self.dataset or self.name, data=data, download=download)
            problem = self._split(seed, rng, raw, rows)
            if self.pca is not None:
                problem = _project(problem, self.pca)
        return rescale(problem, scaling)

    def _simulate(self, seed: int, rng: np.random.Generator, n_rows: int) -> Problem:
        assert self.truth is not None
        truth = self.truth(rng)
        X, y = truth.sample(n_rows, rng)
        X_test, y_test = truth.sample(self.n_test, rng)
        return Problem(self.name, seed, X, X_test, y, y_test, self.n_components, self.floor, truth)

    def _split(
        self, seed: int, rng: np.random.Generator, raw: realdata.RawData, rows: int | None
    ) -> Problem:
        X, y, X_test, y_test = raw.X, raw.y, raw.X_test, raw.y_test
        if self.whole:
            if X_test is not None:
                X = np.concatenate([X, X_test])
                y = None if y is None or y_test is None else np.concatenate([y, y_test])
            X_test, y_test = X, y
        if X_test is None:
            held_out = _stratified_fifth(y if y is not None else np.zeros(len(X), int), rng)
            X, X_test = X[~held_out], X[held_out]
            if y is not None:
                y, y_test = y[~held_out], y[held_out]
        if rows is not None and rows < len(X):
            kept = np.sort(rng.choice(len(X), size=rows, replace=False))
            X, y = X[kept], None if y is None else y[kept]
        return Problem(
            self.name, seed, X, X_test, y, y_test, self.n_components, self.floor, None, raw.note
        )


def _stratified_fifth(y: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark a fifth of the rows of every class, as the paper does."""
    held_out = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        held_out[members[: len(members) // 5]] = True
    return held_out


def _project(problem: Problem, n_features: int) -> Problem:
    """Rotate to the leading principal components of the training rows."""
    centre = problem.X.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(problem.X, rowvar=False))
    axes = vectors[:, np.argsort(values)[::-1][:n_features]]
    return replace(problem, X=(problem.X - centre) @ axes, X_test=(problem.X_test - centre) @ axes)


def rescale(problem: Problem, scaling: Scaling) -> Problem:
    """Scale the rows, the held-out rows and the truth by the training rows' figures.

    Parameters
    ----------
    problem : Problem
        In its own units.
    scaling : {"standard", "minmax", "none"}
        Features that never vary keep their unit.

    Returns
    -------
    Problem
    """
    if scaling == "none":
        return problem
    if scaling == "standard":
        shift, scale = problem.X.mean(axis=0), problem.X.std(axis=0)
    elif scaling == "minmax":
        shift, scale = problem.X.min(axis=0), np.ptp(problem.X, axis=0)
    else:
        raise ValueError(f"scaling must be 'standard', 'minmax' or 'none', got {scaling!r}")
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(shift), 1e-300), scale, 1.0)
    return replace(
        problem,
        X=(problem.X - shift) / scale,
        X_test=(problem.X_test - shift) / scale,
        truth=None if problem.truth is None else problem.truth.scaled(shift, scale),
    )


def _registry(specs: Iterable[Spec]) -> dict[str, Spec]:
    return {spec.name: spec for spec in specs}


def _overlapping_specs() -> list[Spec]:
    return [
        Spec(
            f"overlap-d{d}-k{k}",
            k,
            simulated.overlapping(d, k),
            n_rows=max(2000, 100 * k),
        )
        for d in (2, 5, 10, 20)
        for k in (10, 30, 60)
    ]


#: The same kinds in other sizes, on which nothing was tuned.
FRESH_SPECS = [
    Spec("fresh-grid64", 64, simulated.grid(8), n_rows=4000),
    Spec("fresh-overlap-d3-k20", 20, simulated.overlapping(3, 20), n_rows=3000),
    Spec("fresh-overlap-d4-k45", 45, simulated.overlapping(4, 45), n_rows=6000),
    Spec("fresh-overlap-d8-k15", 15, simulated.overlapping(8, 15), n_rows=2500),
    Spec("fresh-overlap-d15-k40", 40, simulated.overlapping(15, 40), n_rows=8000),
    Spec("fresh-elongated-k12", 12, simulated.elongated(12), n_rows=3000),
    Spec("fresh-unbalanced-d3-k8", 8, simulated.unbalanced(8, 3), n_rows=3000),
    Spec("fresh-unbalanced-d8-k14", 14, simulated.unbalanced(14, 8), n_rows=5000),
    Spec("fresh-hidden-k4-d15", 4, simulated.hidden(2, 15)),
    Spec("fresh-hidden-k16-d6", 16, simulated.hidden(4, 6), n_rows=3000),
]

#: Problems that restarts alone hardly solve, and larger ones.
HARD_SPECS = [
    Spec("hard-grid81", 81, simulated.grid(9), n_rows=4000),
    Spec("hard-overlap-d10-k100", 100, simulated.overlapping(10, 100), n_rows=10_000),
    Spec("hard-overlap-d10-k200", 200, simulated.overlapping(10, 200), n_rows=20_000),
    Spec("hard-overlap-d20-k40", 40, simulated.overlapping(20, 40), n_rows=8000),
    Spec("hard-mixed", 24, simulated.mixed(6), n_rows=5000),
    Spec("hard-letter-all", 26, dataset="letter", whole=True),
    Spec("hard-digits-all", 10, dataset="digits"),
    Spec("hard-fault", 12, dataset="adbench/fault"),
    Spec("hard-satellite", 12, dataset="adbench/satellite"),
]

#: All problems by name.
PROBLEMS: dict[str, Spec] = _registry(
    [
        *FRESH_SPECS,
        *HARD_SPECS,
        Spec("grid25", 25, simulated.grid(5)),
        Spec("grid100", 100, simulated.grid(10), n_rows=5000),
        *_overlapping_specs(),
        Spec("elongated", 8, simulated.elongated()),
        Spec("unbalanced", 10, simulated.unbalanced()),
        Spec("hidden", 9, simulated.hidden()),
        Spec("letter", 26, dataset="letter"),
        Spec("pendigits", 12, dataset="pendigits"),
        Spec("satimage", 6, dataset="satimage"),
        Spec("vehicle", 4, dataset="vehicle"),
        Spec("glass", 6, dataset="glass"),
        Spec("digits", 10, dataset="digits", pca=16),
        Spec("faithful-k3", 3, dataset="faithful"),
        Spec("faithful-k4", 4, dataset="faithful"),
        Spec("faithful-k2", 2, dataset="faithful"),
        Spec("iris-k2", 2, dataset="iris"),
        Spec("iris-k3", 3, dataset="iris"),
        Spec("diabetes-k3", 3, dataset="diabetes"),
        Spec("thyroid-k4", 4, dataset="thyroid"),
        Spec("wdbc10-k2", 2, dataset="wdbc10"),
        Spec("connect4", 3, dataset="connect4"),
        Spec("covtype", 7, dataset="covtype"),
        Spec("seismic", 3, dataset="seismic"),
        Spec("svmguide2", 3, dataset="svmguide2"),
        Spec("fashion-all", 10, dataset="fashion_mnist", whole=True),
        Spec("fashion-pca50", 10, dataset="fashion_mnist", pca=50),
    ]
)

#: Names of the fresh problems.
FRESH = [spec.name for spec in FRESH_SPECS]

#: Names of the hard problems.
HARD = [spec.name for spec in HARD_SPECS]

#: Problems of the other studies.
ELSEWHERE = {
    *("connect4", "covtype", "seismic", "svmguide2", "fashion-all", "fashion-pca50"),
    *("faithful-k2", "iris-k2", "iris-k3", "diabetes-k3", "thyroid-k4", "wdbc10-k2"),
}

#: The listed problems of the equal-time study.
EQUAL_TIME = [name for name in PROBLEMS if name not in {*FRESH, *HARD, *ELSEWHERE}]


def expand(names: Iterable[str]) -> list[str]:
    """Replace the names of families, ``"listed"``, ``"fresh"`` and ``"hard"``, by their problems.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    list of str

    Examples
    --------
    >>> expand(["glass", "fresh"])[:2]
    ['glass', 'fresh-grid64']
    """
    families = {"listed": EQUAL_TIME, "fresh": FRESH, "hard": HARD}
    return [part for name in names for part in families.get(name, [name])]


def make(
    name: str,
    seed: int = 0,
    *,
    data: str | Path | None = None,
    scaling: Scaling = "standard",
    rows: int | None = None,
    download: bool = False,
) -> Problem:
    """Make a problem by name: see `Spec.make`.

    Parameters
    ----------
    name : str
        A key of `PROBLEMS`.
    seed : int, default=0
    data, scaling, rows, download
        As in `Spec.make`.

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        For an unknown name.
    realdata.MissingDataError
        Where a real set is not there.

    Examples
    --------
    >>> make("elongated", 3).X.shape
    (2000, 2)
    """
    if name not in PROBLEMS:
        raise ValueError(f"unknown problem {name!r}; choose from {', '.join(PROBLEMS)}")
    return PROBLEMS[name].make(seed, data=data, scaling=scaling, rows=rows, download=download)
