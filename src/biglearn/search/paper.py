"""The published algorithm as a method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from biglearn.model.lifts import LIFTS, Lift
from biglearn.model.views import View, beta_subset_size, random_subset
from biglearn.search.climbing.ascent import Ascent
from biglearn.search.moves.matching import Matching
from biglearn.search.moves.restart import Jump, Restart
from biglearn.search.run import Move, Run
from biglearn.search.schedules import Scheduled, pseudo_count


@dataclass(frozen=True)
class Paper:
    """Big-learning EM as published (Cong and Li, AAAI 2024, Algorithm 1).

    Every step draws one matching and makes some EM steps in it.  The defaults
    are those of the 25-Gaussian study; real data there used ``steps=10000``,
    ``pseudo_count="1/K"``, ``scaling="minmax"`` and ``reg_covar=1e-2``.

    Parameters
    ----------
    steps : int
        Outer steps T.
    inner_steps : int
        EM steps in each view.
    p_joint, p_marginal, p_transformed : float
        Probabilities of the three matchings; they sum to 1.
    pseudo_count : {"1/sqrt(K)", "1/K"}, float or callable
        α of the MAP weights, or a function of the outer step.
    beta : tuple of two float
        Sizes of the views are ⌊D·Beta(a, b)⌋, at least 1.
    size : int or None
        A fixed size of the views instead.
    lift : {"block", "regression"} or callable
        How the rest of a component follows its view.
    polish : bool
        Also climb from the start by plain EM, and from the chain's best and
        last points at the end, and return the best of all; without it the last
        point of the chain is returned, as published.

    Examples
    --------
    >>> from biglearn import Paper
    >>> Paper(steps=400, lift="regression").polish
    True
    """

    steps: int = 2000
    inner_steps: int = 5
    p_joint: float = 0.4
    p_marginal: float = 0.1
    p_transformed: float = 0.5
    pseudo_count: str | Scheduled = "1/sqrt(K)"
    beta: tuple[float, float] = (5.0, 1.0)
    size: int | None = None
    lift: str | Lift = "block"
    polish: bool = True

    def __post_init__(self) -> None:
        if self.steps < 1 or self.inner_steps < 1:
            raise ValueError(
                f"steps and inner_steps must be at least 1, got {self.steps} and {self.inner_steps}"
            )
        shares = (self.p_joint, self.p_marginal, self.p_transformed)
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
            raise ValueError(
                f"p_joint, p_marginal and p_transformed must be at least 0 and sum to 1, "
                f"got {shares}"
            )
        if not callable(self.lift) and self.lift not in LIFTS:
            raise ValueError(f"lift must be one of {list(LIFTS)} or a function, got {self.lift!r}")
        if min(self.beta) <= 0:
            raise ValueError(f"beta must be two positive numbers, got {self.beta}")
        if self.size is not None and self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")
        pseudo_count(self.pseudo_count, 1)  # checked when it is built

    @property
    def keeps_best(self) -> bool:
        """Without the polish, the last point of the chain is returned."""
        return self.polish

    def schedule(self, run: Run) -> Iterator[Move]:
        """Yield the chain's moves, and the climbs around it."""
        for _ in range(run.settings.n_init):
            yield Restart()
            start = run.components
            if self.polish:
                yield Ascent("em")
                yield Jump(start)
            yield from self._chain(run)
            if self.polish:
                last = run.components
                if run.leg is not None:
                    yield Jump(run.leg)
                    yield Ascent("polish")
                yield Jump(last)
                yield Ascent("polish")

    def _chain(self, run: Run) -> Iterator[Move]:
        alpha = pseudo_count(self.pseudo_count, run.settings.n_components)
        limit = run.settings.max_time
        for step in range(self.steps):
            if self.polish and limit is not None and run.seconds > run.tuning.chain_share * limit:
                return
            yield Matching(
                self.draw_view(run.engine.n_features, run.rng),
                inner_steps=self.inner_steps,
                lift=self.lift,
                pseudo_count=alpha(step),
            )

    def draw_view(self, n_features: int, rng: np.random.Generator) -> View:
        """Draw the next matching's view."""
        kind = rng.choice(3, p=[self.p_joint, self.p_marginal, self.p_transformed])
        if kind == 0:
            return View.joint(n_features)
        if self.size is None:
            size = beta_subset_size(n_features, rng, a=self.beta[0], b=self.beta[1])
        else:
            size = min(self.size, n_features)
        features = random_subset(n_features, size, rng)
        if kind == 1:
            return View.marginal(features, n_features)
        return View.transformed(features, n_features, rng)
