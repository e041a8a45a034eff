"""Split-merge: give up the component that is missed least, cut the one that needs it most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from biglearn.model.components import Components
from biglearn.search.climbing.ascent import climb
from biglearn.search.climbing.limits import Limits
from biglearn.search.records import Record
from biglearn.search.run import Run
from biglearn.search.surgery.cuts import Cut, find_cuts
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.surgery.local import Theatre, Trial, neighbourhood
from biglearn.search.surgery.memory import Failures, Memory
from biglearn.search.surgery.plans import plans, removals


@dataclass(frozen=True)
class SplitMerge:
    """Make surgeries on the run's components while they pay.

    In rounds: every component's best cut and cheapest removal are found, and
    pairs of them tried in the order of a bound on their gain, each by EM in its
    neighbourhood.  A trial is given up as soon as its curve cannot reach where it
    began.  All that paid is carried out together, and a few steps
    of EM join it to the rest.  A round without success is the last.

    Parameters
    ----------
    trials : int
        Trials without success before a round ends.
    tol : float
        A trial is judged when EM has no more than this left to gain, in
        the objective per row.
    patience : int
        Most EM steps of a trial.
    memory : Memory
        Of surgeries on the same rows before: what was looked at is not looked at again.
    """

    trials: int = 12
    tol: float = 1e-4
    patience: int = 60
    memory: Memory = field(default_factory=Memory)

    def __call__(self, run: Run) -> Iterator[Record]:
        """Operate; the run goes on from the last success, or from where it was."""
        cuts, failed = self.memory.recall(run.components)
        held = run.constraints.held_places
        while True:
            components, before = run.components, run.objective
            rows = JudgedRows.of(run, components)
            fresh = sorted(set(range(components.n_components)) - set(cuts) - held)
            if fresh:
                found = find_cuts(run, components, rows, np.array(fresh))
                cuts.update((cut.parent, cut) for cut in found)
            paid: list[Trial] = []
            for trial in self._trials(run, components, rows, list(cuts.values()), failed):
                accepted = trial.gain > self.tol
                if accepted:
                    paid.append(trial)
                value = before + trial.gain
                yield run.record("split-merge", objective=value, accepted=accepted)
            if not paid:
                self.memory.keep(components, cuts, failed)
                return
            for trial in paid:
                components = trial.put(run, components)
                failed.forget(set(trial.active.tolist()))
                for k in trial.active:
                    cuts.pop(int(k), None)
            yield from self._join(run, components, before)
            if not run.objective > before or run.is_worked_off:
                return

    def _trials(
        self,
        run: Run,
        components: Components,
        rows: JudgedRows,
        cuts: list[Cut],
        failed: Failures,
    ) -> Iterator[Trial]:
        """Yield trials that do not get into each other's way."""
        busy: set[int] = set()
        misses = 0
        held = run.constraints.held_places
        # EM is done where it has less than `tol` left, and given up where it cannot come back
        limits = Limits(self.tol, self.patience, grace=run.tuning.grace)
        theatre = Theatre(run, components, rows, limits)
        ways = removals(run.constraints, components, rows)
        possible = [removal for removal in ways if not removal.touched & held]
        for plan in plans(possible, cuts, run.tuning.chances, failed.knows):
            active = neighbourhood(rows, plan, run.tuning)
            if not busy.isdisjoint(active):
                continue
            trial = theatre.trial(plan, np.array(active))
            if trial.gain > self.tol:
                busy.update(active)
            else:
                failed.add(plan, set(active))
                misses += 1
            yield trial
            if misses >= self.trials or run.is_worked_off:
                return

    def _join(self, run: Run, components: Components, before: float) -> Iterator[Record]:
        """Let EM of all components settle after surgeries; undo these if nothing was gained."""
        old = run.components
        limits = Limits(self.tol, run.tuning.settle)
        for point in climb(run, run.aligned(components), limits, accelerate=True):
            run.components = point.components
        accepted = run.objective > before
        yield run.record("split-merge", accepted=accepted)
        if not accepted:
            run.components, run.objective = old, before
