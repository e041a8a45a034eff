"""The path through K: fits of every size, each from its neighbour by cuts and merges."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from biglearn.engines.base import Source
from biglearn.engines.rows.totals import totals
from biglearn.search.climbing.ascent import Ascent
from biglearn.search.fit import Fit
from biglearn.search.moves.resize import Neighbour
from biglearn.search.moves.restart import Restart
from biglearn.search.problem import Problem, solve
from biglearn.search.records import Record
from biglearn.search.run import Method, Move, Run, Start
from biglearn.search.tuning import Tuning

#: The criteria; all but the last are better where they are lower.
CRITERIA = ("bic", "icl", "aic", "heldout")


@dataclass(frozen=True)
class Candidate:
    """One fitted mixture of the path.

    Attributes
    ----------
    covariance_type : str
    n_components : int
        K.
    log_likelihood : float
        Mean per row, in the user's units.
    n_parameters : int
    bic, aic, icl : float
        Of the rows fitted; lower is better.
    heldout : float
        Mean log-likelihood of the rows held out; NaN where none were.
    converged : bool
    passes : int
        Over the rows, that this K cost.
    supported : bool
        Whether every component answers for enough rows to have a covariance of its
        own, D + 1 if it is full, 2 if it is diagonal or spherical, and none stands on
        the floor, which would then decide its likelihood.
    loo : float
        Mean leave-one-out log-likelihood per row.
    """

    covariance_type: str
    n_components: int
    log_likelihood: float
    n_parameters: int
    bic: float
    aic: float
    icl: float
    heldout: float
    converged: bool
    passes: int
    supported: bool
    loo: float = math.nan

    def loss(self, criterion: str) -> float:
        """Return the value that is to be small: the criterion, or minus `heldout`.

        It is infinite where the fit is not `supported`.
        """
        if not self.supported:
            return math.inf
        value = float(getattr(self, criterion))
        return -value if criterion == "heldout" else value


Judged = tuple[Candidate, Fit]


@dataclass(frozen=True)
class Climb:
    """Accelerated EM from the run's start.

    Parameters
    ----------
    goal : float
        The climb is given up where it cannot reach this.
    """

    goal: float = -math.inf

    @property
    def keeps_best(self) -> bool:
        """The best point is returned."""
        return True

    def schedule(self, run: Run) -> Iterator[Move]:
        """Climb, while the goal can be reached."""
        yield Restart()
        yield Ascent("em", accelerate=True, goal=self.goal)


class Path:
    """Fits of one structure that share their rows, units and engine.

    Parameters
    ----------
    problem : Problem
        Of any K, without noise.
    method : Method
        Method that fits the smallest and the largest K, and small ones.
    generator : callable
        Makes the source of randomness of each fit.
    watch : callable, optional
        Called with every record of every fit.
    tuning : Tuning
    """

    def __init__(
        self,
        problem: Problem,
        method: Method,
        generator: Callable[[], np.random.Generator],
        *,
        watch: Callable[[Record], None] | None = None,
        tuning: Tuning = Tuning(),  # noqa: B008  immutable
    ) -> None:
        if problem.has_noise:
            raise ValueError("a path through K does not support noise; leave noise out")
        self.problem, self.method, self.tuning = problem, method, tuning
        self.fits: dict[int, Fit] = {}
        self.passes: dict[int, int] = {}
        self._generator, self._watch = generator, watch

    def follow(
        self,
        sizes: Sequence[int],
        *,
        kept: Source | None = None,
        criterion: str = "bic",
        patience: int | None = None,
    ) -> list[Judged]:
        """Go up through K and down again; return the best fit of every K.

        Parameters
        ----------
        sizes : sequence of int
            Ascending.
        kept : Source, optional
            Rows that were held out.
        criterion : str
        patience : int, optional
            The way up ends after so many K in a row that did not improve the criterion.
        """
        self.problem.rows.check(sizes[-1])
        lowest, misses = math.inf, 0
        self.fit(sizes[0], self.method)
        for near, size in pairwise(sizes):
            self.fit(size, Climb(), self.near(near))
            if size <= self.tuning.searched_size:
                self.fit(size, self.method)
            if patience is not None:
                loss = self.candidate(size, kept).loss(criterion)
                lowest, misses = min(lowest, loss), 0 if loss < lowest else misses + 1
                if misses >= patience:
                    break
        if len(self.fits) > 1 and max(self.fits) > self.tuning.searched_size:
            self.fit(max(self.fits), self.method)
        for near, size in pairwise(sorted(self.fits, reverse=True)):
            goal = self.fits[size].lower_bound + self.problem.rows.offset
            self.fit(size, Climb(goal=goal), self.near(near))
        return [(self.candidate(size, kept), self.fits[size]) for size in sorted(self.fits)]

    def fit(self, size: int, method: Method, start: Start | None = None) -> None:
        """Fit one K, from the problem's own start if none is given; keep the better."""
        problem = self.problem.with_size(size)
        rng = self._generator()
        fit = solve(problem, method, rng, start=start, watch=self._watch, tuning=self.tuning)
        self.passes[size] = self.passes.get(size, 0) + fit.passes
        if size not in self.fits or self._worth(fit) > self._worth(self.fits[size]):
            self.fits[size] = fit

    def _worth(self, fit: Fit) -> float:
        """Return the objective; under a prior, which differs by fit, the leave-one-out score."""
        return fit.lower_bound if fit.verdict is None or not fit.pseudo_rows else fit.verdict.loo

    def near(self, size: int) -> Start:
        """Return the start from the best components of another K."""
        return Neighbour(self.fits[size].scaled)

    def candidate(self, size: int, kept: Source | None = None) -> Candidate:
        """Judge the fit at one K."""
        fit, problem = self.fits[size], self.problem
        n_rows, log_likelihood, entropy = totals(problem.rows.source, fit.mixture, entropy=True)
        bic = fit.n_parameters * math.log(n_rows) - 2 * log_likelihood
        unseen = math.nan
        if kept is not None:
            n_kept, unseen, _ = totals(kept, fit.mixture)
            unseen = float(unseen / n_kept)
        verdict = fit.verdict
        assert verdict is not None  # every fit of a path has come to its end
        return Candidate(
            covariance_type=problem.limits.structure.name,
            n_components=size,
            log_likelihood=float(log_likelihood / n_rows),
            n_parameters=fit.n_parameters,
            bic=float(bic),
            aic=float(2 * fit.n_parameters - 2 * log_likelihood),
            icl=float(bic + 2 * entropy),
            heldout=unseen,
            converged=fit.converged,
            passes=self.passes[size],
            supported=not (verdict.is_short.any() or verdict.on_floor.any()),
            loo=verdict.loo,
        )


def preferred(found: Sequence[Judged], criterion: str) -> Judged:
    """Return the best supported fit, or the smallest model where none is."""
    return min(found, key=lambda pair: (pair[0].loss(criterion), pair[0].n_parameters))


def choose_size(path: Path) -> Fit:
    """Return the fit of lowest BIC, which ``n_components="auto"`` stands for."""
    n_rows = path.problem.rows.source.extent.n_rows
    sizes = range(1, min(path.tuning.largest_size, n_rows) + 1)
    trail = path.follow(sizes, patience=path.tuning.patience)
    return preferred(trail, "bic")[1]
