"""EM in compiled loops, many steps at a time, where these know the constraints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from biglearn import kernels
from biglearn._types import Array, BoolArray, IntArray
from biglearn.engines.base import Block
from biglearn.kernels import layouts
from biglearn.kernels.layouts import Layout, layout_of
from biglearn.model.blocks import whole
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints
from biglearn.model.moments import DEAD_ROWS
from biglearn.model.structures import Diagonal, Spherical, Structure
from biglearn.search.climbing.limits import HOPE, Limits

if TYPE_CHECKING:
    from biglearn.kernels.climb_loops import Climbs
    from biglearn.kernels.patch_loops import Patches

#: Covariance structures that the compiled loops know, and their form there.
_FORMS: dict[type[Structure], int] = {
    Structure: layouts.FULL,
    Diagonal: layouts.DIAGONAL,
    Spherical: layouts.SPHERICAL,
}

#: Up to so many features compiled factors are faster than LAPACK's.
_MOST_FEATURES = 96

#: Multiplications of one call, about: the time is looked at between calls.
WORK = 50_000_000

_NOTHING: Array = np.empty(0)
_NONE: IntArray = np.empty(0, dtype=np.int64)

#: Rows of a tile, which meet the same components.
_TILE = 48

#: Components that a row can be near to.
_NEAR = 8


def loops_know(constraints: Constraints, size: int) -> bool:
    """Whether the compiled loops know the constraints of components over D features."""
    return bool(
        type(constraints) is Constraints
        and type(constraints.structure) in _FORMS
        and constraints.fixed is None
        and constraints.max_ratio is None
        and not constraints.family.has_tails
        and size <= _MOST_FEATURES
        and np.min(constraints.floor) > 0
    )


def patches_for(constraints: Constraints, size: int) -> Patches | None:
    """Return the compiled loops of surgery, or None where they do not know the constraints."""
    return kernels.patches() if loops_know(constraints, size) else None


@dataclass(frozen=True)
class Seen:
    """A point that a climb passed.

    Attributes
    ----------
    components : Components
    objective, log_likelihood : float
        Per row.
    left : float
        Bounds the gain that EM still has.
    alive : array of shape (K,)
        Which components hold enough weight to be estimated.
    passes, raised : int
        E-steps made, and eigenvalues raised, since the point before.
    """

    components: Components
    objective: float
    log_likelihood: float
    left: float
    alive: BoolArray
    passes: int
    raised: int


@dataclass(frozen=True, eq=False)
class CompiledEM:
    """EM over a block of rows under constraints.

    Parameters
    ----------
    loops : Climbs
    block : Block
    constraints : Constraints
        With a prior that is thinned to these rows.
    stands_for : float
        Rows that each row stands for.
    tiles : tuple of 3 arrays
        Which rows meet which components alone, see `climb_loops.climb`; none for all.
    """

    loops: Climbs
    block: Block
    constraints: Constraints
    stands_for: float = 1.0
    tiles: tuple[IntArray, IntArray, IntArray] = (_NONE, _NONE, _NONE)

    def steps_at_once(self, n_components: int) -> int:
        """Return how many steps may be made before the time is looked at."""
        return max(3, WORK // self.work_of(n_components))

    def work_of(self, n_components: int) -> int:
        """Return about how many multiplications a step of EM is."""
        return self.block.rows.size * n_components * len(self.block.rows)

    def climb(
        self,
        start: Components,
        limits: Limits,
        patience: int,
        *,
        accelerate: bool = True,
        keep: int = 0,
    ) -> Climbed:
        """Make at most so many steps, and take note of the first points, `keep` of them."""
        n_components, size = start.means.shape
        layout = layout_of(size, n_components, kernels.PRODUCTS)
        settings = settings_of(self.constraints, layout, limits, self.stands_for)
        settings[layouts.PRIOR_SCALE] /= self.block.total
        settings[layouts.DEAD] = self._dead
        settings[layouts.PATIENCE], settings[layouts.ACCELERATE] = patience, accelerate
        best = start.weights.copy(), start.means.copy(), start.covariances.copy()
        trail = (
            np.empty((keep, layouts.N_TRAIL)),
            np.empty((keep, n_components)),
            np.empty((keep, n_components)),
            np.empty((keep, n_components, size)),
            np.empty((keep, n_components, size, size)),
        )
        out = np.empty(layouts.N_OUT)
        self.loops.climb(*self._given, *layout[:3], *self.tiles, settings, *best, out, *trail)
        return Climbed(start, best, out, trail, self._dead)

    def look(self, components: Components, least: float) -> Look:
        """Make an E-step, and see which components are near to which rows.

        Parameters
        ----------
        components : Components
        least : float
            Responsibility of a component that is near.
        """
        n_rows, n_components = len(self.block.rows[0]), components.n_components
        best = np.empty((n_rows, _NEAR), dtype=np.int64)
        shares, counts, found = np.empty((n_rows, _NEAR)), np.empty(n_components), np.empty(1)
        layout = layout_of(components.n_features, n_components, kernels.PRODUCTS)
        self.loops.nearest(
            *self._given[:3],
            layout.order,
            *(components.weights, components.means, components.covariances),
            *(_NEAR, least, best, shares, counts, found),
        )
        log_likelihood = float(found[0]) / self.block.total
        prior = float(self.constraints.log_prior(components).sum())
        order = np.lexsort((best[:, 1], best[:, 0]))
        near = (best[order], shares[order] > least)
        return Look(
            self,
            order,
            near,
            log_likelihood,
            log_likelihood + prior / (self.block.total * self.stands_for),
            counts > self._dead,
        )

    @cached_property
    def _dead(self) -> float:
        """Weight of rows below which a component counts as empty."""
        return DEAD_ROWS * min(1.0, self.block.total / max(self.block.n_rows, 1))

    @cached_property
    def _given(self) -> tuple[Array, ...]:
        """What stays for all climbs."""
        arrays = (self.block.weights, self.block.background)
        weights, background = (_NOTHING if array is None else array for array in arrays)
        bounds = bounds_of(self.constraints, len(self.block.rows) - 1)
        return self.block.rows, weights, background, *bounds


@dataclass(frozen=True, eq=False)
class Look:
    """An E-step on all rows, and which components are near to which of them.

    Attributes
    ----------
    em : CompiledEM
    order : array of shape (N,)
        The rows, those with the same nearest components together.
    near : tuple of two arrays of shape (N, M)
        Of each row in this order the components nearest to it, and which of them count.
    log_likelihood, objective : float
        Per row.
    alive : array of shape (K,)
        Which components hold enough weight to be estimated.
    """

    em: CompiledEM
    order: IntArray
    near: tuple[IntArray, BoolArray]
    log_likelihood: float
    objective: float
    alive: BoolArray

    def tiled(self) -> CompiledEM:
        """Return EM in which rows meet those components alone that are near to their tile.

        Its objective is a lower bound, with responsibilities of 0 for all others.
        (C. Hirschberger, D. Forster and J. Lücke, IEEE TPAMI 44, 2022.)
        """
        components, counts = self.near
        n_rows = len(self.order)
        starts = np.append(np.arange(0, n_rows, _TILE), n_rows)
        mask = np.zeros((len(starts) - 1, len(self.alive)), dtype=bool)
        rows, places = np.nonzero(counts)
        mask[rows // _TILE, components[rows, places]] = True
        firsts = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
        block = self.em.block
        weights, background = (
            None if array is None else array[self.order]
            for array in (block.weights, block.background)
        )
        sorted_block = Block(np.ascontiguousarray(block.rows[:, self.order]), weights, background)
        tiles = (
            starts.astype(np.int64),
            firsts.astype(np.int64),
            np.nonzero(mask)[1].astype(np.int64),
        )
        return replace(self.em, block=sorted_block, tiles=tiles)


def bounds_of(constraints: Constraints, size: int) -> tuple[Array, Array, Array]:
    """Return the roots of the floor (D,), and the target of the prior and its factor, (D, D)."""
    prior, floor = constraints.prior, np.broadcast_to(constraints.floor, size)
    if isinstance(constraints.structure, Spherical):
        floor = np.full(size, floor.max())
    if not prior.is_active:
        return np.sqrt(floor), np.eye(size), np.eye(size)
    assert prior.target is not None
    target, factor = (np.ascontiguousarray(whole(m[None])[0]) for m in (prior.target, prior.factor))
    return np.sqrt(floor), target, factor


def settings_of(
    constraints: Constraints, layout: Layout, limits: Limits, stands_for: float
) -> Array:
    """Return settings of a climb.

    The scale of the prior is that for rows of weight 1 in all, and the count that is dead that for
    rows of weight 1 each.
    """
    prior, settings = constraints.prior, np.zeros(layouts.N_SETTINGS)
    settings[layouts.TOL], settings[layouts.GOAL] = limits.tol, limits.goal
    settings[layouts.GRACE], settings[layouts.ALL_LIVE] = limits.grace, limits.all_live
    settings[layouts.HOPE], settings[layouts.PATIENCE] = HOPE, limits.patience
    settings[layouts.FORM], settings[layouts.DEAD] = _FORMS[type(constraints.structure)], DEAD_ROWS
    settings[layouts.N_SUMS], settings[layouts.ACCELERATE] = layout.n_sums, True
    if prior.is_active:
        settings[layouts.PSEUDO_ROWS] = prior.rows * prior.thinning
        settings[layouts.PRIOR_SCALE] = prior.rows / stands_for
    return settings


@dataclass(frozen=True, eq=False)
class Climbed:
    """What compiled steps came to."""

    start: Components
    arrays: tuple[Array, Array, Array]
    out: Array
    trail: tuple[Array, ...]
    dead: float

    @property
    def is_sound(self) -> bool:
        """Whether no covariance was broken by rounding."""
        return bool(np.isfinite(self.out[layouts.BEST]))

    @property
    def objective(self) -> float:
        """The best one."""
        return float(self.out[layouts.BEST])

    @property
    def best(self) -> Components:
        """The components of the best objective."""
        found = Components(*self.arrays, self.start.shapes, self.start.family)
        return found.in_blocks(self.start.block_size)

    @property
    def passes(self) -> int:
        """E-steps made."""
        return int(self.out[layouts.STEPS])

    @property
    def raised(self) -> int:
        """Eigenvalues raised."""
        return int(self.out[layouts.RAISED])

    @property
    def left(self) -> float:
        """Bounds the gain that EM still has after the last point."""
        return float(self.out[layouts.REMAINS])

    @property
    def points_passed(self) -> int:
        """Points, the start included."""
        return int(self.out[layouts.POINTS])

    @property
    def has_ended(self) -> bool:
        """Whether it is done, or given up."""
        return bool(self.out[layouts.ENDED])

    def points(self) -> Iterator[Seen]:
        """Yield the points that were kept."""
        numbers, counts, weights, means, covariances = self.trail
        shapes, family = self.start.shapes, self.start.family
        passes = raised = 0
        for i in range(min(self.points_passed, len(numbers))):
            value, log_likelihood, left, so_far, lifted = numbers[i].tolist()
            components = Components(weights[i], means[i], covariances[i], shapes, family)
            yield Seen(
                components.in_blocks(self.start.block_size),
                value,
                log_likelihood,
                left,
                counts[i] > self.dead,
                int(so_far) - passes,
                int(lifted) - raised,
            )
            passes, raised = int(so_far), int(lifted)
