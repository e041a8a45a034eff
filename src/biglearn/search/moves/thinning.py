"""Search on a sample of the rows, and finish on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from biglearn.search.climbing.ascent import Ascent
from biglearn.search.records import Record
from biglearn.search.run import BudgetSpentError, Move, Run


def sample_size(run: Run) -> int:
    """Return how many rows say where the components are, but for the last digits."""
    size = run.settings.n_components * (run.engine.n_features + 2)
    return max(run.tuning.plan_rows, int(run.tuning.sample_rows * size))


def thinned(run: Run) -> Run | None:
    """Return a run over a sample of the rows, or None where there are not many more of them."""
    size = sample_size(run)
    if run.engine.n_rows <= run.tuning.sample_share * size:
        return None
    engine = run.engine.thinned(size, run.rng)
    if engine is run.engine:
        return None
    share = engine.n_rows / run.engine.n_rows
    inner = run.part(engine, run.constraints.thinned(share), cost=share, row_stands_for=1 / share)
    inner.offset, inner.scale, inner.judge = run.offset, run.scale, run.judge
    return inner


@dataclass(frozen=True)
class OnSample:
    """Make moves on a sample of the rows, and climb on all rows from the best that they reach.

    The time for the end is kept back.

    Parameters
    ----------
    inner : Run
        Over the sample.
    moves : callable
        Yields the moves of a run.
    accelerate : bool
    """

    inner: Run
    moves: Callable[[Run], Iterator[Move]]
    accelerate: bool = True

    def __call__(self, run: Run) -> Iterator[Record]:
        """Search, and climb; the run goes on from the best on all rows."""
        inner, run.head_start = self.inner, None
        yield from self._search(run)
        best, run.outlook = inner.best, inner.outlook
        if best is None:
            return
        if inner.offers:
            # what they reach on a sample says nothing of all rows
            run.offers = [replace(offer, log_likelihood=float("-inf")) for offer in inner.offers]
            best = run.offers[0].components
        run.constraints = replace(run.constraints, prior=inner.constraints.prior).thinned(1.0)
        run.begin_leg(best)
        yield from Ascent("polish", accelerate=self.accelerate)(run)

    def _search(self, run: Run) -> Iterator[Record]:
        """Make the moves on the sample."""
        inner, limit = self.inner, run.settings.max_time
        if limit is not None:
            began = run.seconds
            inner.begin_leg(inner.start(inner), fresh=True)
            run.begin_leg(inner.components)
            run.expect(inner.components)
            inner.head_start = inner.components
            rest = limit - run.seconds
            kept = min(rest / 2, run.tuning.last_passes * (run.seconds - began))
            inner.settings = replace(inner.settings, max_time=limit - kept)
        try:
            for move in self.moves(inner):
                yield from move(inner)
        except BudgetSpentError:
            if run.time_left <= 0:
                raise
