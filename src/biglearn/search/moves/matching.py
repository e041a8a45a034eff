"""Matchings: EM steps in a view, each lifted back to the joint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from biglearn.model.lifts import LIFTS, Lift
from biglearn.model.m_step import m_step
from biglearn.model.views import View
from biglearn.search.records import Record
from biglearn.search.run import Run


@dataclass(frozen=True)
class Matching:
    """Match the mixture to the rows in one view: some EM steps, each lifted.

    Parameters
    ----------
    view : View
    inner_steps : int
        EM steps, 5 in the paper.
    lift : {"block", "regression"} or callable
        How the rest of each component follows.
    pseudo_count : float
        α of the MAP weights, π_k ∝ n_k/N + α.
    """

    view: View
    inner_steps: int = 5
    lift: str | Lift = "block"
    pseudo_count: float = 0.0

    def __call__(self, run: Run) -> Iterator[Record]:
        """Make the steps; the run goes on from where they end."""
        view = None if self.view.is_joint else self.view
        rows = None if view is None else run.engine.project(view)
        gain = LIFTS[self.lift] if isinstance(self.lift, str) else self.lift
        for _ in range(self.inner_steps):
            seen = run.components if view is None else run.components.project(view)
            moments = run.expect(seen, rows)
            fitted = m_step(
                run.constraints,
                run.components,
                moments,
                view=view,
                gain=gain,
                pseudo_count=self.pseudo_count,
            )
            run.components = run.note(fitted)
        # A pass gives the value before its M-step; after the last it is not known.
        yield run.record(self.view.name, objective=float("nan"))
