"""Moves that replace the mixture as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from biglearn.model.mixture import Mixture
from biglearn.search.moves.ascent import Point, climb
from biglearn.search.records import Record
from biglearn.search.run import Run, Start
from biglearn.search.starts.names import CENTRES, MERGED, CentreStart


@dataclass(frozen=True)
class Restart:
    """Begin again from the run's start, with fresh randomness."""

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the mixture; nothing is known of it yet."""
        run.begin_leg(run.start(run))
        yield run.record("start", log_likelihood=float("nan"))


@dataclass(frozen=True)
class Tournament:
    """Begin again from the best of several short runs.

    After a few steps of EM the likelihoods of runs mostly stand in the order in
    which they will end (Biernacki, Celeux and Govaert, Comput. Stat. Data Anal. 41,
    2003, who call it em-EM).  One starts from k-means, and with few rows the first
    from Ward's method, the others from the run's start.

    Parameters
    ----------
    runs : int
        Short runs.
    steps : int
        EM steps of each.
    """

    runs: int = 4
    steps: int = 8

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the mixture to the best of the runs."""
        kmeans, ward = (CentreStart(CENTRES[name]) for name in ("kmeans", "ward"))
        entrants: list[Start] = [run.start, run.start, kmeans]
        if run.engine.n_rows <= MERGED:  # it sees all rows, and costs next to nothing
            entrants = [ward, *entrants]
        ends: list[Point] = []
        for start in islice(cycle(entrants), self.runs):
            run.begin_leg(start(run))
            *_, end = islice(climb(run, run.mixture, accelerate=True), self.steps)
            ends.append(end)
            yield run.record("short run", log_likelihood=end.log_likelihood)
        run.begin_leg(max(ends, key=lambda end: end.log_likelihood).mixture)


@dataclass(frozen=True)
class Jump:
    """Go on from a given mixture.

    Parameters
    ----------
    mixture : Mixture
        In the engine's units.
    """

    mixture: Mixture

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the mixture."""
        run.begin_leg(self.mixture)
        return iter(())
