"""Every contender behind one protocol, each fit in a process of its own.

A crash or a hang is counted. Process start, imports and a first fit of a few rows are not timed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.studies import environments, processes
from benchmarks.studies.problems import Problem
from benchmarks.studies.simulated import Parameters

WORKER = Path(__file__).parent / "rivals" / "worker.py"
#: Seconds beyond the budget after which the process is killed: imports, warm-up, one last fit.
GRACE = 60.0


@dataclass(frozen=True)
class Contender:
    """A method as the studies call it.

    Parameters
    ----------
    name : str
        Key in the result files.
    title : str
        In tables.
    adapter : str
        File in ``rivals/``, or any importable module in its folder.
    options : dict
        Keyword arguments of the adapter's `fit`.
    environment : str or None
        Where it runs: None beside the library, ``"R"``, or a name in `environments`.
    anytime : bool
        Whether the best model after b seconds of a longer fit is what a fit of b seconds gives.
        If so one fit serves all budgets; if not each budget is fitted for itself.
    ours : bool
        Whether it belongs to this library.
    """

    name: str
    title: str
    adapter: str
    options: dict[str, Any] = field(default_factory=dict)
    environment: str | None = None
    anytime: bool = True
    ours: bool = False

    def gap(self) -> str:
        """Say why the contender cannot run here; empty where it can."""
        return environments.gap(self.environment)

    def fits(self, budgets: tuple[float, ...]) -> list[tuple[float, ...]]:
        """Return the budgets of each fit: one for all where it is anytime, else one each."""
        return [budgets] if self.anytime else [(budget,) for budget in budgets]


@dataclass(frozen=True)
class Found:
    """A model that was the best so far when it was found.

    Parameters
    ----------
    seconds : float
        On the contender's clock.
    log_likelihood : float
        Mean per row under the floor, before any polish.
    parameters : Parameters
    """

    seconds: float
    log_likelihood: float
    parameters: Parameters


@dataclass(frozen=True)
class Outcome:
    """All that one fit left behind.

    Parameters
    ----------
    status : {"time", "finished", "failed", "killed"}
        How it ended.
    message : str
    trail : list of Found
        Improving models, in time.
    models, failures : int
        Models handed over, and how many of them were not finite.
    seconds, wall : float
        On the contender's clock, and in all.
    peak_bytes : int
        Largest resident memory of the process.
    versions : dict
    """

    status: str
    message: str
    trail: list[Found]
    models: int = 0
    failures: int = 0
    seconds: float = 0.0
    wall: float = 0.0
    peak_bytes: int = 0
    versions: dict[str, str] = field(default_factory=dict)

    def at(self, budget: float) -> Found | None:
        """Return the best model found within `budget` seconds, None if there was none.

        A tenth of a second or two per cent late still counts: nobody can stop sharper.
        """
        limit = budget + max(0.1, 0.02 * budget)
        within = [found for found in self.trail if found.seconds <= limit]
        return max(within, key=lambda found: found.log_likelihood, default=None)


def fit(
    contender: Contender, problem: Problem, *, seconds: float, seed: int, threads: int = 1
) -> Outcome:
    """Fit in a fresh process.

    Parameters
    ----------
    contender : Contender
    problem : Problem
    seconds : float
        Budget on the contender's clock.
    seed : int
    threads : int, default=1

    Returns
    -------
    Outcome
        Never raises for what a rival does.
    """
    with tempfile.TemporaryDirectory(prefix="biglearn-study-") as name:
        folder = Path(name)
        np.save(folder / "rows.npy", np.ascontiguousarray(problem.X, dtype=np.float64))
        arguments = {"floor": problem.floor, "seconds": seconds, "seed": seed, "threads": threads}
        request = {
            "adapter": contender.adapter,
            "n_components": problem.n_components,
            "arguments": {**arguments, **contender.options},
        }
        (folder / "request.json").write_text(json.dumps(request))
        ended = processes.run(
            WORKER,
            folder,
            environment=contender.environment,
            threads=threads,
            timeout=2 * seconds + GRACE,
        )
        return _collect(folder, ended)


def _collect(folder: Path, ended: str) -> Outcome:
    trail = []
    lines = folder / "trail.jsonl"
    for line in lines.read_text().splitlines() if lines.exists() else ():
        entry = json.loads(line)
        with np.load(folder / entry["file"], allow_pickle=False) as file:
            parameters = Parameters(file["weights"], file["means"], file["covariances"])
        trail.append(Found(entry["seconds"], entry["log_likelihood"], parameters))
    report = folder / "done.json"
    if not report.exists():
        return Outcome("killed", ended or "the process left no report", trail)
    done = json.loads(report.read_text())
    return Outcome(
        status=done["status"],
        message=done["message"],
        trail=trail,
        models=done["models"],
        failures=done["failures"],
        seconds=done.get("seconds", float("nan")),
        wall=done["wall"],
        peak_bytes=done["peak_bytes"],
        versions=done.get("versions", {}),
    )


#: The contenders of the equal-time study, by name.
CONTENDERS: dict[str, Contender] = {
    c.name: c
    for c in [
        Contender(
            "em",
            "biglearn `em`, restarts",
            "fit_biglearn",
            {"method": "em", "restarts": True},
            ours=True,
        ),
        Contender(
            "paper",
            "biglearn `paper`",
            "fit_biglearn",
            {"method": "paper", "restarts": True},
            anytime=False,
            ours=True,
        ),
        Contender(
            "search",
            "biglearn `search`",
            "fit_biglearn",
            {"method": "search"},
            ours=True,
        ),
        Contender("sklearn-k-means++", "scikit-learn, k-means++ restarts", "fit_sklearn"),
        Contender(
            "sklearn-kmeans",
            "scikit-learn, k-means restarts",
            "fit_sklearn",
            {"init": "kmeans"},
        ),
        Contender("mclust", "R mclust VVV", "fit_mclust", environment="R"),
        Contender("pygmmis", "pygmmis split-and-merge", "fit_pygmmis", environment="pygmmis"),
        Contender("gmm-mml", "gmm-mml", "fit_gmm_mml", environment="gmm-mml"),
        Contender("tgmm", "tgmm annealed", "fit_tgmm", environment="torch"),
    ]
}


def choose(names: Sequence[str] | None) -> list[Contender]:
    """Return contenders by name, or all of them.

    Parameters
    ----------
    names : sequence of str or None

    Returns
    -------
    list of Contender

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> [contender.title for contender in choose(["mclust"])]
    ['R mclust VVV']
    """
    for name in names or ():
        if name not in CONTENDERS:
            raise ValueError(f"unknown method {name!r}; choose from {', '.join(CONTENDERS)}")
    return [CONTENDERS[name] for name in names or CONTENDERS]
