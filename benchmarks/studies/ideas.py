"""Legs that were measured and did not pay enough: no part of the library, the ablation adds them.

What they bring, and what they cost, is in docs/explanation/what-paid.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from biglearn.model.components import Components
from biglearn.model.m_step import m_step
from biglearn.search.climbing.ascent import climb
from biglearn.search.climbing.limits import Limits
from biglearn.search.moves.resize import Neighbour
from biglearn.search.moves.restart import Restart
from biglearn.search.records import Record
from biglearn.search.run import Move, Run


@dataclass(frozen=True)
class Overfill:
    """Begin from the best components, cut into more than K and brought back to K.

    The best cuts are all made at once, EM of everything follows, and then the removals that lose
    least.

    Parameters
    ----------
    share : float
        Components more, as a share of K.
    steps : int
        EM steps with more components.
    """

    share: float = 0.2
    steps: int = 15

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the components; nothing is known of them yet."""
        assert run.best is not None
        n_components = run.settings.n_components
        more = n_components + max(1, round(self.share * n_components))
        larger = run.part(run.engine, run.constraints, n_components=more, cost=more / n_components)
        grown = Neighbour(run.best)(larger)
        *_, end = climb(larger, grown, Limits(patience=self.steps), accelerate=True)
        run.begin_leg(Neighbour(end.components)(run))
        yield run.record("overfill", objective=float("nan"))


@dataclass(frozen=True)
class Temper:
    """EM with responsibilities proportional to powers of the joint densities.

    r ∝ (π N)^β, which a mixture with other weights and narrower covariances gives: a β above one
    sharpens what overlaps (deterministic anti-annealing, Naim and Gildea, ICML 2012), one
    below softens it.

    Parameters
    ----------
    betas : tuple of float
        One for each step.
    """

    betas: tuple[float, ...] = (0.8, 0.8, 1.0, 1.2, 1.2, 1.2, 1.1, 1.1)

    def __call__(self, run: Run) -> Iterator[Record]:
        """Step after step."""
        components = run.components
        for beta in self.betas:
            moments = run.expect(tempered(components, beta), run.engine)
            components = run.note(m_step(run.constraints, components, moments))
        run.begin_leg(components)
        yield run.record("temper", objective=float("nan"))


def tempered(components: Components, beta: float) -> Components:
    """Return the Gaussians whose responsibilities are those of components, to the power β.

    (π N(x; μ, Σ))^β is proportional to π^β |Σ|^((1-β)/2) N(x; μ, Σ/β).
    """
    log_weights = beta * np.log(np.maximum(components.weights, 1e-300))
    log_weights -= (1 - beta) * components.half_log_det
    weights = np.exp(log_weights - log_weights.max())
    return components.replace(weights=weights / weights.sum(), covariances=components.blocks / beta)


@dataclass(frozen=True)
class OverfillLeg:
    """Begin from too many components."""

    name: str = "overfill"
    fresh: bool = False

    def moves(self, run: Run) -> Iterator[Move]:
        """Yield the way there and back."""
        yield Restart() if run.best is None else Overfill()


@dataclass(frozen=True)
class TemperedLeg:
    """Begin from the start, by tempered steps."""

    name: str = "tempered"
    fresh: bool = True

    def moves(self, run: Run) -> Iterator[Move]:
        """Yield a start and the steps."""
        yield Restart()
        yield Temper()


OVERFILL, TEMPERED = OverfillLeg(), TemperedLeg()
