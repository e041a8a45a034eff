"""Which leg a search makes next, and when it has looked long enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biglearn.search.legs import Leg
from biglearn.search.stands import LegSummary, Outlook


@dataclass
class Arm:
    """Record of one leg so far."""

    wins: int = 0
    losses: int = 0
    cost: float = 0.0
    gain: float = 0.0

    @property
    def mean_cost(self) -> float:
        """Passes over the rows for a leg."""
        return max(self.cost, 1.0) / max(self.wins + self.losses, 1)


class Portfolio:
    """Choice of the next leg, by the gains of each on these rows so far.

    Every leg has one turn.  After that fresh starts and legs from the best components
    share the cost evenly, since small gains near a poor optimum say nothing of
    better ones elsewhere.  Among each the draw is Thompson sampling (Biometrika 25,
    1933) of the chance to improve the best, divided by the leg's cost.

    Parameters
    ----------
    legs : sequence of Leg
    same : float
        Objectives per row this close are the same optimum.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.search.legs import DisturbLeg, RestartLeg
    >>> from biglearn.search.portfolio import Portfolio
    >>> portfolio = Portfolio([RestartLeg(), DisturbLeg()])
    >>> leg = portfolio.choose(np.random.default_rng(0))
    >>> portfolio.tell(leg, -1.0, -2.0, cost=10.0)
    >>> leg.name, portfolio.choose(np.random.default_rng(0)).name
    ('restart', 'disturb')
    """

    def __init__(self, legs: Sequence[Leg], *, same: float = 1e-5) -> None:
        self.legs = list(legs)
        self.arms = {leg.name: Arm() for leg in legs}
        self.same = same
        self.count = 0
        self.since_gain = 0
        self.found_again = 0

    def choose(self, rng: np.random.Generator) -> Leg:
        """Return the next leg."""
        if self.count < len(self.legs):
            return self.legs[self.count]
        sides = [[leg for leg in self.legs if leg.fresh is fresh] for fresh in (True, False)]
        costs = [sum(self.arms[leg.name].cost for leg in side) for side in sides]
        behind = sides[1] if sides[1] and costs[1] < costs[0] else sides[0]
        arms = [self.arms[leg.name] for leg in behind]
        worth = [rng.beta(1 + arm.wins, 1 + arm.losses) / arm.mean_cost for arm in arms]
        return behind[int(np.argmax(worth))]

    def tell(self, leg: Leg, reached: float, best: float, cost: float) -> None:
        """Record the objective that a leg reached, the best before it, and its cost."""
        self.count += 1
        arm = self.arms[leg.name]
        arm.cost += cost
        if reached > best + self.same:
            arm.wins += 1
            arm.gain += reached - best if math.isfinite(best) else 0.0
            self.since_gain = self.found_again = 0
            return
        arm.losses += 1
        self.since_gain += 1
        self.found_again += leg.fresh and reached > best - self.same

    @property
    def outlook(self) -> Outlook:
        """What the legs have seen, and what another might bring."""
        tried = [(name, arm) for name, arm in self.arms.items() if arm.wins + arm.losses]
        by_leg = tuple(
            LegSummary(name, arm.wins + arm.losses, arm.wins, arm.gain, arm.cost)
            for name, arm in tried
        )
        return Outlook(self.count, self.since_gain, self.found_again, self.chance_of_gain, by_leg)

    @property
    def mean_cost(self) -> float:
        """Passes over the rows for a leg."""
        return sum(arm.cost for arm in self.arms.values()) / max(self.count, 1)

    @property
    def chance_of_gain(self) -> float:
        """Estimated chance that the next leg improves the best.

        By the rule of succession after as many failures, halved each time that
        a fresh start found the best again.
        """
        return float(0.5**self.found_again / (self.since_gain + 2))
