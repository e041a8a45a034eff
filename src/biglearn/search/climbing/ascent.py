"""Joint EM to convergence: plain EM, the polish, and the end of every other move."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from biglearn import kernels
from biglearn._types import Array, BoolArray
from biglearn.model.blocks import each, eigh, times
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints, Fitted, Repairs
from biglearn.model.m_step import m_step, reseed
from biglearn.model.moments import Moments
from biglearn.search.climbing.compiled import CompiledEM, loops_know
from biglearn.search.climbing.limits import Limits
from biglearn.search.records import Record
from biglearn.search.run import Run
from biglearn.search.stands import Trace

#: A climb without end.
UNENDING = Limits()

#: Largest ratio of two gains that is believed, and the one of a first gain.
_SLOWEST = 0.9999


def remaining_gain(trace: Sequence[float]) -> float:
    """Estimate the remaining gain of a linearly converging sequence, after Aitken.

    With the last gain g and the ratio c of the last two gains, at most 0.9999, g c / (1 - c).
    Of a first gain c is taken to be 0.9999; before it the estimate is infinite.

    Examples
    --------
    >>> from biglearn.search.climbing.ascent import remaining_gain
    >>> remaining_gain([0.0, 0.5, 0.75, 0.875])
    0.125
    """
    if len(trace) < 2:
        return float("inf")
    last = trace[-1] - trace[-2]
    if last <= 0:
        return 0.0
    rate = _SLOWEST
    if len(trace) > 2 and trace[-2] > trace[-3]:
        rate = min(last / (trace[-2] - trace[-3]), _SLOWEST)
    return last * rate / (1.0 - rate)


@dataclass(frozen=True)
class Point:
    """Components whose joint objective is known.

    `left` bounds the gain that EM still has: the larger of its last gain and of
    Aitken's estimate, infinite where neither is known.  `alive`, shape (K,), says which
    components hold enough weight to be estimated.  `steps` are those since the point before.
    """

    components: Components
    objective: float
    alive: BoolArray
    left: float = float("inf")
    moments: Moments | None = None
    steps: int = 1

    @property
    def lives(self) -> bool:
        """Whether no component has lost its rows."""
        return bool(self.alive.all())


def climb(
    run: Run,
    components: Components,
    limits: Limits = UNENDING,
    *,
    accelerate: bool = False,
) -> Iterator[Point]:
    """Yield the points of joint EM up to its limits; the objective never falls.

    With `accelerate` every third step extrapolates the last two (SQUAREM, Varadhan
    and Roland, Scand. J. Statist. 35, 2008); where the jump loses
    EM goes on from before it, at the price of one pass.

    Where a pass is little work, and there are compiled loops for the constraints, many steps
    are one call, and points between which many components were looked at by few rows are not
    yielded.
    """
    step = 0
    for way in _ways(run, components):
        rest = replace(limits, patience=limits.patience - step)
        for point in way(run, components, rest, accelerate):
            step, components = step + point.steps, point.components
            yield point
            if limits.stops(step, point.objective, point.left, lives=point.lives):
                return
        # rounding broke a covariance, with which LAPACK can still go on


#: A way to climb: yields points, the first of them the start.
Way = Callable[[Run, Components, Limits, bool], Iterator[Point]]


def _ways(run: Run, components: Components) -> list[Way]:
    """Return the ways to climb from components, each to be followed where the one before ends."""
    n_components, tuning, found = components.n_components, run.tuning, []
    if loops_know(run.constraints, components.n_features):
        works = ((_tiled, tuning.tiled_work), (_compiled, tuning.small_work))
        for way, work in works:
            enough = way is not _tiled or n_components >= tuning.tiled_components
            block = run.engine.block(n_components, work) if enough else None
            loops = None if block is None else kernels.climbs()
            if block is not None and loops is not None:
                em = CompiledEM(loops, block, run.constraints, run.row_stands_for)
                found.append(partial(way, em))
    return [*found, _steps]


def _tiled(
    em: CompiledEM, run: Run, components: Components, limits: Limits, accelerate: bool
) -> Iterator[Point]:
    """Yield the points of climbs in which rows meet the components near to them alone.

    Each begins with a look at all components.  Where one has little left to gain, it is the
    turn of steps on all pairs, since a component cannot reach for rows that it does not see.
    """
    tuning, steps, before = run.tuning, 0, -np.inf
    left, ended = float("inf"), False
    while True:
        look = em.look(components, tuning.near_share)
        if not np.isfinite(look.objective) or look.objective <= before:
            return
        run.counters.passes += run.cost * tuning.look_cost
        run.see(components, look.log_likelihood, em.block.total, look.objective)
        run.check_budget()
        # what it sees may be all but done, the whole is not known to be
        left = max(left, 1.01 * limits.tol)
        yield Point(components, look.objective, look.alive, left, steps=steps)
        tiled = look.tiled()
        share = len(tiled.tiles[2]) / (len(tiled.tiles[0]) * components.n_components)
        if ended or share > tuning.near_most:
            return
        limits = replace(limits, patience=limits.patience - steps)
        most = max(
            tuning.tiled_steps // 2,
            int(tuning.tiled_work / (share * em.work_of(components.n_components))),
        )
        patience = int(min(tuning.tiled_steps, most, limits.patience))
        climbed = tiled.climb(components, limits, patience, accelerate=accelerate)
        run.counters.repairs += Repairs(raised=climbed.raised)
        run.counters.passes += run.cost * climbed.passes * share
        if not climbed.is_sound:
            return
        before, left, ended = look.objective, climbed.left, climbed.has_ended
        components, steps = climbed.best, climbed.points_passed - 1


def _compiled(
    em: CompiledEM, run: Run, components: Components, limits: Limits, accelerate: bool
) -> Iterator[Point]:
    """Yield the points of compiled steps, without end while covariances are sound."""
    done, most = 0, em.steps_at_once(components.n_components)
    point: Point | None = None
    while True:
        # few at first, since most climbs are asked for their first points alone
        patience = int(min(most, limits.patience - done))
        now = replace(limits, grace=max(0, limits.grace - done))
        climbed = em.climb(components, now, patience, accelerate=accelerate, keep=patience + 1)
        if not climbed.is_sound:
            return
        for i, seen in enumerate(climbed.points()):
            run.counters.repairs += Repairs(raised=seen.raised)
            run.counters.passes += run.cost * seen.passes
            run.see(seen.components, seen.log_likelihood, em.block.total, seen.objective)
            run.check_budget()
            if i > 0 or done == 0:  # a later call begins where the one before ended
                new = Point(
                    seen.components, seen.objective, seen.alive, seen.left, steps=int(i > 0)
                )
                point = new if point is None else _no_lower(run, point, new)
                components = point.components
                yield point
        done += patience


def _steps(run: Run, components: Components, limits: Limits, accelerate: bool) -> Iterator[Point]:
    """Yield the points of EM, pass by pass, without end."""
    first = point = replace(_evaluate(run, components, []), steps=0)
    trace = [point.objective]  # of plain steps, the only ones that Aitken understands
    yield point
    while True:
        second = first
        for _ in range(2):
            second, point = point, _step(run, point, trace)
            yield point
        if accelerate:
            point, jumped = _jump(run, first, second, point, trace)
            if jumped:
                trace = [point.objective]
            yield point
        first = point
        del trace[:-3]


def _step(run: Run, point: Point, trace: list[float]) -> Point:
    """Make one M-step from a point, and evaluate the result."""
    assert point.moments is not None
    fitted = m_step(run.constraints, point.components, point.moments)
    new = _no_lower(run, point, _evaluate(run, run.note(fitted), trace))
    trace[-1] = new.objective
    return new


def _no_lower(run: Run, point: Point, new: Point) -> Point:
    """Return a new point, or where its objective is lower the one before, with no gain left.

    EM never falls but for rounding, and where an M-step is not exact, as under a ratio of
    eigenvalues beside the floors of single columns.
    """
    if new.objective >= point.objective:
        return new
    run.objective = point.objective
    return replace(point, left=0.0, steps=new.steps)


def _evaluate(run: Run, components: Components, trace: list[float]) -> Point:
    """Evaluate components, as the next plain step after those of the trace."""
    moments = run.expect(components)
    value = run.objective
    gain = value - trace[-1] if trace else float("inf")
    trace.append(value)
    left = max(gain, remaining_gain(trace))
    return Point(components, value, moments.alive, left, moments)


def _jump(
    run: Run, first: Point, second: Point, third: Point, trace: list[float]
) -> tuple[Point, bool]:
    """Extrapolate three points; where that loses, make a plain step."""
    jump = extrapolate(run.constraints, *(p.components for p in (first, second, third)))
    if jump is not None:
        point = _evaluate(run, run.note(jump), [])
        if point.objective > third.objective:
            return point, True
    return _step(run, third, trace), False


def extrapolate(
    constraints: Constraints, first: Components, second: Components, third: Components
) -> Fitted | None:
    """Return SQUAREM's jump from three successive EM points, or None for none.

    Steps are measured in log-weights, in the shapes' coordinates, and in means and
    covariances whitened by the third point, so that the length of the jump does not depend
    on units.
    """
    points = (first, second, third)
    log_weights = [np.log(np.maximum(one.weights, 1e-12)) for one in points]
    coordinates = [third.family.coordinates(one.shapes) for one in points]
    whitening, scale = third.whitening_blocks, np.sqrt(third.weights)

    def step(i: int) -> Array:
        a, b = points[i], points[i + 1]
        means = times(whitening, b.means - a.means)
        spread = whitening @ (b.blocks - a.blocks) @ np.swapaxes(whitening, -1, -2)
        changes = [
            scale[:, None] * (coordinates[i + 1] - coordinates[i]),
            scale * (log_weights[i + 1] - log_weights[i]),
            scale[:, None] * means,
            each(scale, spread) * spread,
        ]
        return np.concatenate([change.ravel() for change in changes])

    r = step(0)
    v = step(1) - r
    norm = np.sqrt(v @ v)
    if not norm > 0:
        return None
    length = min(float(np.sqrt(r @ r) / norm), 64.0)
    while length > 1.0:
        shares = (1 - length) ** 2, 2 * length * (1 - length), length**2

        def along(values: Sequence[Array], shares: Sequence[float] = shares) -> Array:
            return shares[0] * values[0] + shares[1] * values[1] + shares[2] * values[2]

        covariances = along([one.blocks for one in points])
        if eigh(covariances)[0].min() > 0:
            logs = along(log_weights)
            weights = np.exp(logs - logs.max())
            weights /= weights.sum()
            return constraints.impose(
                weights,
                along([one.means for one in points]),
                covariances,
                shapes=third.family.from_coordinates(along(coordinates)),
                memo=third.memo,
            )
        length = 1.0 + (length - 1.0) / 2 if length > 1.1 else 1.0
    return None


@dataclass(frozen=True)
class Ascent:
    """Joint EM from the run's components until it converges.

    A component that loses its rows is re-seeded, at most K times.

    Parameters
    ----------
    name : str
        Name of the steps in the history.
    tol, max_iter : optional
        Those of the run's settings if left out.
    accelerate : bool
        Extrapolate, as families with tails always do.
    goal : float
        Give up where EM can hardly climb this high any more.
    """

    name: str = "em"
    tol: float | None = None
    max_iter: int | None = None
    accelerate: bool = False
    goal: float = float("-inf")

    def __call__(self, run: Run) -> Iterator[Record]:
        """Climb, one record for each step."""
        tol = run.settings.tol if self.tol is None else self.tol
        limit = run.settings.max_iter if self.max_iter is None else self.max_iter
        trace = run.ascent = Trace()
        held = run.constraints.held
        free = True if held is None else ~held  # a given one may well stay empty
        # shapes such as degrees of freedom creep without
        accelerate = self.accelerate or run.constraints.family.has_tails
        start = run.components
        try:
            while trace.points <= limit:
                may_reseed = len(trace.reseeded) < run.settings.n_components
                all_live = may_reseed and held is None
                limits = Limits(tol, limit - trace.points, self.goal, all_live=all_live)
                trace.points += 1
                for point in climb(run, start, limits, accelerate=accelerate):
                    run.components = point.components
                    trace.objectives.append(point.objective)
                    trace.points += point.steps
                    yield run.record(self.name)
                    dead = ~point.alive & free
                    if dead.any() and may_reseed:
                        break
                else:
                    if point.left <= tol:
                        self._conclude(run, trace, point.objective >= run.best_objective - tol)
                    break
                trace.reseeded += np.flatnonzero(dead).tolist()
                trace = run.ascent = Trace(reseeded=trace.reseeded, points=trace.points)
                moments = run.expect(point.components)
                moved = run.note(m_step(run.constraints, point.components, moments))
                start = run.note(reseed(run.constraints, moved, dead))
        finally:
            run.ascent = Trace()  # results of other moves are not this run's

    def _conclude(self, run: Run, trace: Trace, as_good: bool) -> None:
        """Take note that EM has converged, and whether at the best components."""
        if as_good and not run.best_ascent.objectives:
            run.best_ascent = trace  # it confirms the result of another move
        run.converged = run.converged or run.best_ascent is trace or as_good
