"""When a climb by EM ends."""

from __future__ import annotations

from dataclasses import dataclass

#: How many times its remaining gain EM may be hoped to bring.
HOPE = 2.0


@dataclass(frozen=True)
class Limits:
    """When a climb ends; by default never.

    Attributes
    ----------
    tol : float
        Where EM has no more than this left to gain; below 0 never.
    patience : int or float
        After so many steps.
    goal : float
        Where it cannot reach this objective.
    grace : int
        Steps before it can be given up.
    all_live : bool
        Where a component has lost its rows.
    """

    tol: float = -1.0
    patience: float = float("inf")
    goal: float = float("-inf")
    grace: int = 0
    all_live: bool = False

    def stops(self, step: int, objective: float, left: float, *, lives: bool = True) -> bool:
        """Whether a climb ends after a step, at an objective, with so much left to gain."""
        lost = step >= self.grace and objective + HOPE * left < self.goal
        return lost or left <= self.tol or step >= self.patience or (self.all_live and not lives)
