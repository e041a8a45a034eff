"""The library's own search as a method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from biglearn.search.climbing.ascent import Ascent
from biglearn.search.legs import LEGS, Leg, OwnUnitsLeg, SubspaceLeg, has_few_optima, leg_of
from biglearn.search.moves.refine import Refine, Settle
from biglearn.search.moves.split_merge import SplitMerge
from biglearn.search.moves.thinning import OnSample, thinned
from biglearn.search.portfolio import Portfolio
from biglearn.search.run import Move, Run
from biglearn.search.surgery.memory import Memory
from biglearn.search.tuning import Tuning


@dataclass(frozen=True)
class Search:
    """Big-learning search: marginal views and split-merge moves, the default.

    The search goes in legs.  A leg begins at a start or at the best mixture
    disturbed by matchings in random views; it climbs by accelerated EM, makes
    split-merge moves while they pay, and ends with a polish.  Kinds of leg that
    improved the best are drawn more often, by gain per cost.

    With `max_time` the legs go on until it is spent.  Without, they end when
    the estimated chance that one more improves the best is below `chance`, or when
    the fit would cost more than `effort` times its first climb.  Two components, or
    fewer than 100 rows, have few optima: there, unless `max_time` is given, a few
    climbs are all.

    Parameters
    ----------
    legs : tuple of str or Leg
        Legs in the order of their first turn: "restart" from the estimator's start,
        "own-units" (under a prior) from k-means in the user's units, "tournament" from the
        best of four short runs, "disturb" and "jolt" from the best mixture, by matchings with
        the regression lift and with the published block lift, "subspace" from a small view in
        which the rows look least Gaussian, "regions" and "pairs" from two optima combined.  An
        object with `name`, `fresh` and `moves(run)` is
        a leg.
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
    tuning : Tuning
        Further constants.

    Examples
    --------
    >>> from biglearn import Search
    >>> Search(effort=50).trials
    12
    """

    legs: tuple[str | Leg, ...] = (
        "restart",
        "own-units",
        "tournament",
        "disturb",
        "subspace",
        "jolt",
        "regions",
        "pairs",
    )
    chance: float = 0.1
    effort: float = 10.0
    trials: int = 12
    sizes: tuple[int, ...] = (2, 1, 3)
    accelerate: bool = True
    tuning: Tuning = field(default_factory=Tuning)

    def __post_init__(self) -> None:
        legs = [leg_of(leg) for leg in self.legs]
        if not legs or not legs[0].fresh:
            raise ValueError(
                f"legs must begin with a fresh start, one of "
                f"{[leg.name for leg in LEGS.values() if leg.fresh]}, got {self.legs}"
            )
        names = [leg.name for leg in legs]
        if len(set(names)) < len(names):
            raise ValueError(f"legs must have different names, got {names}")
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
        run.tuning = self.tuning
        named = {"subspace": SubspaceLeg(self.sizes)}
        legs = [leg_of(named.get(leg, leg) if isinstance(leg, str) else leg) for leg in self.legs]
        if run.judge is None or run.scale is None:
            legs = [leg for leg in legs if not isinstance(leg, OwnUnitsLeg)]

        def search(run: Run) -> Iterator[Move]:
            for _ in range(run.settings.n_init):
                yield from self._legs(run, Portfolio(legs, same=self.tuning.same))

        few = None if run.settings.n_components == 1 else thinned(run)
        if few is None:
            yield from search(run)
        else:
            yield OnSample(few, search, self.accelerate)
        if run.judge is not None:
            yield Settle(accelerate=self.accelerate)

    def _legs(self, run: Run, portfolio: Portfolio) -> Iterator[Move]:
        small, tuning = has_few_optima(run), run.tuning
        reach, run.allowance = 0.0, float("inf")
        memory = Memory(tuning.remembered)
        surgery = SplitMerge(min(self.trials, run.settings.n_components), memory=memory)
        while True:
            leg, run.n_legs = portfolio.choose(run.rng), portfolio.count
            best, spent = run.best_objective, run.passes
            yield from leg.moves(run)
            yield Ascent("em", tol=None if small else tuning.rough, accelerate=self.accelerate)
            run.offer()  # surgery may leave it for a higher objective, that is worth less
            if run.settings.n_components == 1 or run.settings.max_iter < tuning.least_steps:
                return
            follows = run.constraints.prior.follows is not None
            if follows and portfolio.count == 0 and not small:  # its target came from a start
                yield Refine(1, self.accelerate, tol=tuning.rough)
            climbed, rough = run.passes - spent, run.objective
            if portfolio.count == 0 and run.settings.max_time is None:
                effort = tuning.small_effort if small else self.effort
                run.allowance = spent + effort * climbed
            if self.trials and not small:
                yield surgery
            # legs that fell further behind than surgery ever caught up are given up
            if not small and (portfolio.count == 0 or run.objective >= best - reach):
                yield Ascent("polish", accelerate=self.accelerate, goal=best - tuning.same)
            if run.leg is not None:
                run.pool.add(run.leg, run.leg_objective)
            reach = max(reach, run.objective - rough)
            portfolio.tell(leg, run.objective, best, run.passes - spent)
            run.outlook = portfolio.outlook
            run.offer()
            followed = run.offers[0].components if run.offers else run.best
            if followed is not None:
                run.follow(followed)
            if run.settings.max_time is None and (
                run.passes + portfolio.mean_cost > run.allowance
                or portfolio.chance_of_gain < self.chance
            ):
                return
