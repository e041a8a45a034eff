"""Moves that replace the components as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from biglearn.model.components import Components
from biglearn.search.climbing.ascent import Point, climb
from biglearn.search.climbing.limits import Limits
from biglearn.search.records import Record
from biglearn.search.run import Run, Start
from biglearn.search.starts.centres import CENTRE_STARTS


@dataclass(frozen=True)
class Restart:
    """Begin again from the run's start, with fresh randomness.

    The first time it goes on from where the choice of a prior came to from there.

    Parameters
    ----------
    start : Start, optional
        In place of the run's.
    """

    start: Start | None = None

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the components; nothing is known of them yet."""
        if self.start is None and run.head_start is not None:
            components, run.head_start = run.head_start, None
        else:
            components = (self.start or run.start)(run)
        run.begin_leg(components, fresh=True)
        yield run.record("start", objective=float("nan"))


@dataclass(frozen=True)
class Tournament:
    """Begin again from the best of several short runs.

    After a few steps of EM the likelihoods of runs mostly stand in the order in
    which they will end (Biernacki, Celeux and Govaert, Comput. Stat. Data Anal. 41,
    2003, who call it em-EM).  One starts from k-means, and with few rows the first
    from Ward's method, the others from the run's start, or from k-means++ where that is
    k-means.

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
        """Set the components to the best of the runs."""
        kmeans, ward = (CENTRE_STARTS[name] for name in ("kmeans", "ward"))
        other = CENTRE_STARTS["k-means++"] if run.start is kmeans else run.start
        entrants: list[Start] = [other, other, kmeans]
        # Ward's method sees all rows then, and costs next to nothing
        if run.engine.n_rows <= run.tuning.merged_rows:
            entrants = [ward, *entrants]
        ends: list[Point] = []
        for start in islice(cycle(entrants), self.runs):
            run.begin_leg(start(run), fresh=True)
            limits = Limits(patience=self.steps - 1)
            *_, end = climb(run, run.components, limits, accelerate=True)
            ends.append(end)
            yield run.record("short run", objective=end.objective)
        run.begin_leg(max(ends, key=lambda end: end.objective).components)


@dataclass(frozen=True)
class Jump:
    """Go on from given components.

    Parameters
    ----------
    components : Components
        In the engine's units.
    """

    components: Components

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the components."""
        run.begin_leg(self.components)
        return iter(())
