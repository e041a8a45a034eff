"""Methods: rules that name the next move.

Plain EM, the published algorithm and our own search are three such rules over
the same moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from biglearn.model.views import View, beta_subset_size, random_subset
from biglearn.search.moves import (
    Ascent,
    Jump,
    Matching,
    Restart,
    SplitMerge,
    SubspaceStart,
    Tournament,
)
from biglearn.search.moves.matching import LIFTS
from biglearn.search.portfolio import FRESH, Portfolio
from biglearn.search.run import Method, Move, Run
from biglearn.search.schedules import Scheduled, pseudo_count

#: The share of the time that the published chain may use; the polish has the rest.
_CHAIN_SHARE = 0.85


@dataclass(frozen=True)
class EM:
    """Plain EM from `n_init` starts."""

    @property
    def keeps_best(self) -> bool:
        """The best of the starts is returned."""
        return True

    def schedule(self, run: Run) -> Iterator[Move]:
        """Start and climb, as often as the settings ask."""
        for _ in range(run.settings.n_init):
            yield Restart()
            yield Ascent("em")


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
    lift : {"block", "regression"}
        How the rest of a component follows its view.
    polish : bool
        Also climb from the start by plain EM, and from the chain's best and
        last points at the end, and return the best of all; without it the last
        point of the chain is returned, as published.

    Examples
    --------
    >>> from biglearn.search.methods import Paper
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
    lift: str = "block"
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
        if self.lift not in LIFTS:
            raise ValueError(f"lift must be one of {list(LIFTS)}, got {self.lift!r}")
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
            start = run.mixture
            if self.polish:
                yield Ascent("em")
                yield Jump(start)
            yield from self._chain(run)
            if self.polish:
                last = run.mixture
                if run.leg is not None:
                    yield Jump(run.leg)
                    yield Ascent("polish")
                yield Jump(last)
                yield Ascent("polish")

    def _chain(self, run: Run) -> Iterator[Move]:
        alpha = pseudo_count(self.pseudo_count, run.settings.n_components)
        limit = run.settings.max_time
        for step in range(self.steps):
            if self.polish and limit is not None and run.seconds > _CHAIN_SHARE * limit:
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


@dataclass(frozen=True)
class Search:
    """Big-learning search: marginal views and split-merge moves, the default.

    The search goes in legs.  A leg begins at a start or at the best mixture
    disturbed by matchings in random views; it climbs by accelerated EM, makes
    split-merge moves while they pay, and ends with a polish.  Kinds of leg that
    improved the best are drawn more often, by what they gain for their cost.

    With ``max_time`` the legs go on until it is spent.  Without, they end when
    the estimated chance that one more improves the best is below `chance`, or when
    the fit would cost more than `effort` times its first climb.  Two components, or
    fewer than 100 rows, have few optima: there, unless `max_time` is given, a few
    climbs are all.

    Parameters
    ----------
    legs : tuple of str
        Kinds of leg, in the order of their first turn: "restart" from the
        estimator's start, "tournament" from the best of four short runs, "subspace"
        from a small view in which the rows look least Gaussian, "disturb" and "jolt"
        from the best mixture, by matchings with the regression lift and with the
        published block lift.
    chance : float
        Between 0 and 1.
    effort : float
        In passes over the rows, relative to those of the first climb.
    trials : int
        Split-merge trials without success before a leg ends, but no more than K;
        0 for no surgery.
    sizes : tuple of int
        Sizes of the small views that starts look at.
    accelerate : bool
        Whether EM extrapolates.

    Examples
    --------
    >>> from biglearn.search.methods import Search
    >>> Search(effort=50).trials
    12
    """

    legs: tuple[str, ...] = ("restart", "tournament", "disturb", "subspace", "jolt")
    chance: float = 0.1
    effort: float = 20.0
    trials: int = 12
    sizes: tuple[int, ...] = (2, 1, 3)
    accelerate: bool = True

    def __post_init__(self) -> None:
        known = (*FRESH, *DISTURBANCES)
        if not self.legs or not set(self.legs) <= set(known) or self.legs[0] not in FRESH:
            raise ValueError(
                f"legs must be some of {list(known)} and begin with a start, got {self.legs}"
            )
        if not 0 <= self.chance <= 1:
            raise ValueError(f"chance must be between 0 and 1, got {self.chance}")
        if self.effort < 1 or self.trials < 0:
            raise ValueError(
                f"effort must be at least 1 and trials at least 0, "
                f"got {self.effort} and {self.trials}"
            )
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError(f"sizes must be positive, got {self.sizes}")

    @property
    def keeps_best(self) -> bool:
        """The best of all legs is returned."""
        return True

    def schedule(self, run: Run) -> Iterator[Move]:
        """Yield the moves of one leg after the other."""
        for _ in range(run.settings.n_init):
            yield from self._legs(run, Portfolio(self.legs))

    def _legs(self, run: Run, portfolio: Portfolio) -> Iterator[Move]:
        small = self._is_small(run)
        allowance, reach = float("inf"), 0.0
        while True:
            kind = portfolio.choose(run.rng)
            best, spent = run.best_log_likelihood, run.passes
            yield from self._begin(run, kind, portfolio.count, small)
            yield Ascent("em", tol=None if small else _ROUGH, accelerate=self.accelerate)
            if run.settings.n_components == 1:
                return
            climbed, rough = run.passes - spent, run.log_likelihood
            if self.trials and not small:
                yield SplitMerge(trials=min(self.trials, run.settings.n_components))
            # legs that fell further behind than surgery ever caught up are given up
            if not small and (portfolio.count == 0 or run.log_likelihood >= best - reach):
                yield Ascent("polish", accelerate=self.accelerate, goal=best - _SAME)
            if portfolio.count == 0:
                allowance = spent + (_SMALL_EFFORT if small else self.effort) * climbed
            reach = max(reach, run.log_likelihood - rough)
            portfolio.tell(kind, run.log_likelihood, best, run.passes - spent)
            if run.settings.max_time is None and (
                run.passes + portfolio.mean_cost > allowance
                or portfolio.chance_of_gain < self.chance
            ):
                return

    def _is_small(self, run: Run) -> bool:
        """Whether there are so few optima that a few climbs are enough."""
        few = run.settings.n_components <= 2 or run.engine.n_rows < _FEW_ROWS
        return few and run.settings.max_time is None

    def _begin(self, run: Run, kind: str, leg: int, small: bool) -> Iterator[Move]:
        n_features = run.engine.n_features
        if kind == "restart":
            yield Restart()
        elif kind == "tournament":
            yield Tournament(runs=2, steps=4) if small else Tournament()
        elif kind == "subspace":
            size = self.sizes[leg % len(self.sizes)]
            yield SubspaceStart(min(size, n_features))
        elif run.best is not None:
            yield Jump(run.best)
            for _ in range(int(run.rng.integers(1, 4))):
                size = int(run.rng.integers(1, n_features // 2 + 2))
                features = random_subset(n_features, min(size, n_features), run.rng)
                view = View.transformed(features, n_features, run.rng)
                yield Matching(view, inner_steps=3, lift=DISTURBANCES[kind])


#: Lifts of the legs that disturb the best mixture.
DISTURBANCES = {"disturb": "regression", "jolt": "block"}

#: The effort for two components, and for few rows.
_SMALL_EFFORT, _FEW_ROWS = 3.0, 100

#: A leg climbs to this tolerance before surgery.
_ROUGH = 1e-3

#: Log-likelihoods per row this close are the same optimum.
_SAME = 1e-5


#: The methods by name.
METHODS: dict[str, type[EM] | type[Paper] | type[Search]] = {
    "em": EM,
    "paper": Paper,
    "search": Search,
}


def resolve(method: str | Method) -> Method:
    """Return the method of a name, or the method itself.

    Parameters
    ----------
    method : {"em", "paper", "search"} or a method
        Anything with `keeps_best` and `schedule` is a method.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> from biglearn.search.methods import resolve
    >>> resolve("em")
    EM()
    """
    if isinstance(method, str) and method in METHODS:
        return METHODS[method]()
    # A class, such as Paper in place of Paper(), has the attributes too.
    if isinstance(method, str | type) or not (
        hasattr(method, "keeps_best") and callable(getattr(method, "schedule", None))
    ):
        raise ValueError(
            f"method must be one of {list(METHODS)} or a method object such as "
            f"biglearn.search.methods.Paper(), got {method!r}"
        )
    return method
