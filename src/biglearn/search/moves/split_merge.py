"""Split-merge: give up the component that is missed least, cut the one that needs it most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from biglearn.model.mixture import Mixture
from biglearn.search.moves.ascent import climb
from biglearn.search.moves.local import Trial, neighbourhood, try_plan
from biglearn.search.moves.surgery import Cut, Plan, Rows, find_cuts, plans, removals
from biglearn.search.records import Record
from biglearn.search.run import Run

#: Rows that the plans and trials look at, at most.
_SAMPLE = 10_000

#: Steps of EM between two rounds.
_SETTLE = 5


@dataclass(frozen=True)
class SplitMerge:
    """Make surgeries on the run's mixture while they pay.

    In rounds: every component's best cut and cheapest removal are found, and
    pairs of them tried in the order of what a bound promises, each by EM in its
    neighbourhood.  A trial is given up as soon as its likelihood curve cannot
    reach where it began.  All that paid is carried out together, and a few steps
    of EM join it to the rest.  A round without success is the last.

    Parameters
    ----------
    trials : int
        Trials without success before a round ends.
    tol : float
        A trial is judged when EM has no more than this left to gain, in
        log-likelihood per row.
    patience : int
        Most EM steps of a trial.
    """

    trials: int = 12
    tol: float = 1e-4
    patience: int = 60

    def __call__(self, run: Run) -> Iterator[Record]:
        """Operate; the run goes on from the last success, or from where it was."""
        failed = Failures()
        cuts: dict[int, Cut] = {}
        held = _held(run)
        while True:
            mixture, before = run.mixture, run.log_likelihood
            rows = Rows.of(run, mixture, _SAMPLE)
            fresh = sorted(set(range(mixture.n_components)) - set(cuts) - held)
            if fresh:
                found = find_cuts(run, mixture, rows, np.array(fresh))
                cuts.update((cut.parent, cut) for cut in found)
            paid: list[Trial] = []
            for trial in self._trials(run, mixture, rows, list(cuts.values()), failed):
                accepted = trial.gain > self.tol
                if accepted:
                    paid.append(trial)
                value = before + trial.gain
                yield run.record("split-merge", log_likelihood=value, accepted=accepted)
            if not paid:
                return
            for trial in paid:
                mixture = trial.put(run, mixture)
                failed.forget(trial)
                for k in trial.active:
                    cuts.pop(int(k), None)
            yield from self._join(run, mixture, before)
            if not run.log_likelihood > before:
                return

    def _trials(
        self, run: Run, mixture: Mixture, rows: Rows, cuts: list[Cut], failed: Failures
    ) -> Iterator[Trial]:
        """Yield trials that do not get into each other's way."""
        busy: set[int] = set()
        misses = 0
        held = _held(run)
        possible = [r for r in removals(mixture, rows) if not r.touched & held]
        for plan in plans(possible, cuts):
            active = set(neighbourhood(rows, plan).tolist())
            if busy & active or failed.knows(plan):
                continue
            trial = try_plan(run, mixture, rows, plan, tol=self.tol, patience=self.patience)
            if trial.gain > self.tol:
                busy |= active
            else:
                failed.add(plan, active)
                misses += 1
            yield trial
            if misses >= self.trials:
                return

    def _join(self, run: Run, mixture: Mixture, before: float) -> Iterator[Record]:
        """Let EM of all components settle what the surgeries left; undo what did not pay."""
        old = run.mixture
        for step, point in enumerate(climb(run, run.align(mixture), accelerate=True)):
            run.mixture = point.mixture
            if step >= _SETTLE or point.left <= self.tol:
                break
        accepted = run.log_likelihood > before
        yield run.record("split-merge", accepted=accepted)
        if not accepted:
            run.mixture, run.log_likelihood = old, before


def _held(run: Run) -> set[int]:
    """Return the components that have given parts, which no surgery may touch."""
    fixed = run.settings.fixed
    return set() if fixed is None else set(np.flatnonzero(fixed.components).tolist())


@dataclass
class Failures:
    """Surgeries that did not pay, while the components around them stay as they are."""

    _around: dict[tuple[int, int | None, int], set[int]] = field(default_factory=dict)

    @staticmethod
    def _key(plan: Plan) -> tuple[int, int | None, int]:
        ((removal, cut),) = plan
        return removal.lost, removal.partner, cut.parent

    def knows(self, plan: Plan) -> bool:
        """Whether the surgery has failed before."""
        return self._key(plan) in self._around

    def add(self, plan: Plan, active: set[int]) -> None:
        """Remember a failure."""
        self._around[self._key(plan)] = active

    def forget(self, trial: Trial) -> None:
        """Give surgeries another chance where a success has changed their components."""
        changed = set(trial.active.tolist())
        self._around = {k: v for k, v in self._around.items() if not v & changed}
