"""Joint EM to convergence: plain EM, the polish, and the end of every other move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from biglearn._types import Array
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints, Fitted
from biglearn.model.m_step import m_step, reseed
from biglearn.model.moments import Moments
from biglearn.search.records import Record
from biglearn.search.run import Run
from biglearn.search.stands import Trace


def remaining_gain(trace: Sequence[float]) -> float:
    """Estimate the remaining gain of a linearly converging sequence, after Aitken.

    With the last gain g and the ratio c of the last two gains, g c / (1 - c);
    infinite for fewer than three values.

    Examples
    --------
    >>> from biglearn.search.moves.ascent import remaining_gain
    >>> remaining_gain([0.0, 0.5, 0.75, 0.875])
    0.125
    """
    if len(trace) < 3:
        return float("inf")
    last, previous = trace[-1] - trace[-2], trace[-2] - trace[-3]
    if last <= 0:
        return 0.0
    rate = min(last / previous, 0.9999) if previous > 0 else 0.9999
    return last * rate / (1.0 - rate)


@dataclass(frozen=True)
class Point:
    """Components whose joint objective is known, and the moments that it came with.

    `left` bounds the gain that EM still has: the larger of its last gain and of
    Aitken's estimate, infinite where neither is known.
    """

    components: Components
    objective: float
    moments: Moments
    left: float = float("inf")

    def can_reach(self, goal: float, *, hope: float = 2.0) -> bool:
        """Whether EM may still climb to `goal`, with `hope` times its remaining gain."""
        return not self.objective + hope * self.left < goal


def climb(run: Run, components: Components, *, accelerate: bool = False) -> Iterator[Point]:
    """Yield the points of joint EM, without end; the objective never falls.

    With `accelerate` every third step extrapolates the last two (SQUAREM, Varadhan
    and Roland, Scand. J. Statist. 35, 2008); where the jump loses
    EM goes on from before it, at the price of one pass.
    """
    first = point = _evaluate(run, components, [])
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
    fitted = m_step(run.constraints, point.components, point.moments)
    return _evaluate(run, run.note(fitted), trace)


def _evaluate(run: Run, components: Components, trace: list[float]) -> Point:
    """Evaluate components, as the next plain step after those of the trace."""
    moments = run.expect(components)
    value = run.objective
    gain = value - trace[-1] if trace else float("inf")
    trace.append(value)
    return Point(components, value, moments, max(gain, remaining_gain(trace)))


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
    whitening, scale = third.whitening, np.sqrt(third.weights)

    def step(i: int) -> Array:
        a, b = points[i], points[i + 1]
        means = np.einsum("kij,kj->ki", whitening, b.means - a.means)
        spread = whitening @ (b.covariances - a.covariances) @ np.swapaxes(whitening, 1, 2)
        changes = [
            scale[:, None] * (coordinates[i + 1] - coordinates[i]),
            scale * (log_weights[i + 1] - log_weights[i]),
            scale[:, None] * means,
            scale[:, None, None] * spread,
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

        covariances = along([one.covariances for one in points])
        if np.linalg.eigvalsh(covariances)[:, 0].min() > 0:
            logs = along(log_weights)
            weights = np.exp(logs - logs.max())
            weights /= weights.sum()
            return constraints.impose(
                weights,
                along([one.means for one in points]),
                covariances,
                shapes=third.family.from_coordinates(along(coordinates)),
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
        points = climb(run, run.components, accelerate=accelerate)
        try:
            while trace.points <= limit:
                point = next(points)
                run.components = point.components
                trace.objectives.append(point.objective)
                trace.points += 1
                yield run.record(self.name)
                dead = ~point.moments.alive & free
                if dead.any() and len(trace.reseeded) < run.settings.n_components:
                    trace.reseeded += np.flatnonzero(dead).tolist()
                    trace = run.ascent = Trace(reseeded=trace.reseeded, points=trace.points)
                    moved = run.note(m_step(run.constraints, point.components, point.moments))
                    revived = run.note(reseed(run.constraints, moved, dead))
                    points = climb(run, revived, accelerate=accelerate)
                elif point.left <= tol:
                    self._conclude(run, trace, point.objective >= run.best_objective - tol)
                    break
                elif not point.can_reach(self.goal):
                    break
        finally:
            run.ascent = Trace()  # results of other moves are not this run's

    def _conclude(self, run: Run, trace: Trace, as_good: bool) -> None:
        """Take note that EM has converged, and whether at the best components."""
        if as_good and not run.best_ascent.objectives:
            run.best_ascent = trace  # it confirms the result of another move
        run.converged = run.converged or run.best_ascent is trace or as_good
