"""Which kind of leg a search makes next, and when it has looked long enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Log-likelihoods per row this close are the same optimum.
_SAME = 1e-5


#: Kinds of leg that owe nothing to the best mixture.
FRESH = ("restart", "tournament", "subspace")


@dataclass
class Arm:
    """What legs of one kind have done so far."""

    wins: int = 0
    losses: int = 0
    cost: float = 0.0

    @property
    def mean_cost(self) -> float:
        """Passes over the rows for a leg."""
        return max(self.cost, 1.0) / max(self.wins + self.losses, 1)


class Portfolio:
    """Which kind of leg to make next, by what has paid on these rows so far.

    Every kind has one turn.  After that fresh starts and legs from the best mixture
    share the cost evenly, since small gains near a poor optimum say nothing of
    better ones elsewhere.  Among each the draw is Thompson sampling (Biometrika 25,
    1933) of the chance to improve the best, divided by what a leg of the kind costs.

    Parameters
    ----------
    kinds : sequence of str

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.search.portfolio import Portfolio
    >>> portfolio = Portfolio(["restart", "disturb"])
    >>> portfolio.choose(np.random.default_rng(0))
    'restart'
    >>> portfolio.tell("restart", -1.0, -2.0, cost=10.0)
    >>> portfolio.choose(np.random.default_rng(0))
    'disturb'
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        self.arms = {kind: Arm() for kind in kinds}
        self.count = 0
        self.since_gain = 0
        self.found_again = 0
        self.starts = 0

    def choose(self, rng: np.random.Generator) -> str:
        """Return the kind of the next leg."""
        kinds = list(self.arms)
        if self.count < len(kinds):
            return kinds[self.count]
        sides = [[k for k in kinds if k in FRESH], [k for k in kinds if k not in FRESH]]
        costs = [sum(self.arms[k].cost for k in side) for side in sides]
        behind = sides[1] if sides[1] and costs[1] < costs[0] else sides[0]
        arms = [self.arms[k] for k in behind]
        worth = [rng.beta(1 + arm.wins, 1 + arm.losses) / arm.mean_cost for arm in arms]
        return behind[int(np.argmax(worth))]

    def tell(self, kind: str, reached: float, best: float, cost: float) -> None:
        """Learn what a leg reached and cost, and what had been the best before it."""
        self.count += 1
        arm = self.arms[kind]
        arm.cost += cost
        fresh = kind in FRESH
        self.starts += fresh
        if reached > best + _SAME:
            arm.wins += 1
            self.since_gain = self.found_again = 0
            return
        arm.losses += 1
        self.since_gain += 1
        self.found_again += fresh and reached > best - _SAME

    @property
    def mean_cost(self) -> float:
        """Passes over the rows for a leg of any kind."""
        return sum(arm.cost for arm in self.arms.values()) / max(self.count, 1)

    @property
    def chance_of_gain(self) -> float:
        """Estimated chance that the next leg improves the best.

        By the rule of succession after as many failures, halved each time that
        a fresh start found the best again.
        """
        return float(0.5**self.found_again / (self.since_gain + 2))
