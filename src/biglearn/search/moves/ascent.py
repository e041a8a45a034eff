"""Joint EM to convergence: plain EM, the polish, and what every other move ends with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from biglearn._types import BoolArray
from biglearn.model.mixture import Mixture
from biglearn.model.moments import Moments
from biglearn.model.student import LEAST, MOST
from biglearn.search.moves.matching import m_step
from biglearn.search.records import Record
from biglearn.search.run import Run, Trace


def remaining_gain(trace: Sequence[float]) -> float:
    """Aitken's estimate of what a linearly converging sequence will still gain.

    With the last gain g and the ratio c of the last two gains, g c / (1 - c);
    infinite while it cannot be told.

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
    """A mixture whose joint log-likelihood is known, and the moments that told it.

    `left` bounds the gain that EM still has: the larger of its last gain and of
    Aitken's estimate, infinite where neither is known.
    """

    mixture: Mixture
    log_likelihood: float
    moments: Moments
    left: float = float("inf")

    def can_reach(self, goal: float, *, hope: float = 2.0) -> bool:
        """Whether EM may still climb to `goal`, with `hope` times what it has left."""
        return not self.log_likelihood + hope * self.left < goal


def climb(run: Run, mixture: Mixture, *, accelerate: bool = False) -> Iterator[Point]:
    """Yield the points of joint EM, without end; the log-likelihood never falls.

    With `accelerate` every third step extrapolates the last two (SQUAREM, Varadhan
    and Roland, Scand. J. Statist. 35, 2008); where the jump loses likelihood
    EM goes on from before it, at the price of one pass.
    """
    first = point = _evaluate(run, mixture, [])
    trace = [point.log_likelihood]  # of plain steps, the only ones that Aitken understands
    yield point
    while True:
        second = first
        for _ in range(2):
            second, point = point, _evaluate(run, m_step(run, point.mixture, point.moments), trace)
            yield point
        if accelerate:
            point, jumped = _jump(run, first, second, point, trace)
            if jumped:
                trace = [point.log_likelihood]
            yield point
        first = point
        del trace[:-3]


def _evaluate(run: Run, mixture: Mixture, trace: list[float]) -> Point:
    """Evaluate a mixture, as the next plain step after those of the trace."""
    moments = run.expect(mixture)
    value = moments.mean_log_likelihood
    gain = value - trace[-1] if trace else float("inf")
    trace.append(value)
    return Point(mixture, value, moments, max(gain, remaining_gain(trace)))


def _jump(
    run: Run, first: Point, second: Point, third: Point, trace: list[float]
) -> tuple[Point, bool]:
    """Extrapolate three points; where that loses likelihood, make a plain step."""
    jump = extrapolate(run, first.mixture, second.mixture, third.mixture)
    if jump is not None:
        point = _evaluate(run, jump, [])
        if point.log_likelihood > third.log_likelihood:
            return point, True
    return _evaluate(run, m_step(run, third.mixture, third.moments), trace), False


def extrapolate(run: Run, first: Mixture, second: Mixture, third: Mixture) -> Mixture | None:
    """Return SQUAREM's jump from three successive EM points, or None for none.

    Steps are measured in log-weights, and in means and covariances whitened by the
    third point, so that the length of the jump does not depend on units.
    """
    log_weights = [np.log(np.maximum(m.weights, 1e-12)) for m in (first, second, third)]
    whitening = third.whitening

    def step(a: Mixture, b: Mixture, change: np.ndarray) -> np.ndarray:
        means = np.einsum("kij,kj->ki", whitening, b.means - a.means)
        spread = whitening @ (b.covariances - a.covariances) @ np.swapaxes(whitening, 1, 2)
        scale = np.sqrt(third.weights)
        tails = np.zeros(0)
        if a.dof is not None and b.dof is not None:
            tails = scale * np.log(b.dof / a.dof)
        return np.concatenate(
            [
                tails,
                (scale * change).ravel(),
                (scale[:, None] * means).ravel(),
                (scale[:, None, None] * spread).ravel(),
            ]
        )

    r = step(first, second, log_weights[1] - log_weights[0])
    v = step(second, third, log_weights[2] - log_weights[1]) - r
    norm = np.sqrt(v @ v)
    if not norm > 0:
        return None
    length = min(np.sqrt(r @ r) / norm, 64.0)
    while length > 1.0:
        a, b, c = (1 - length) ** 2, 2 * length * (1 - length), length**2
        covariances = a * first.covariances + b * second.covariances + c * third.covariances
        if np.linalg.eigvalsh(covariances)[:, 0].min() > 0:
            means = a * first.means + b * second.means + c * third.means
            logs = a * log_weights[0] + b * log_weights[1] + c * log_weights[2]
            weights = np.exp(logs - logs.max())
            weights /= weights.sum()
            dof = None
            if first.dof is not None and second.dof is not None and third.dof is not None:
                logs = a * np.log(first.dof) + b * np.log(second.dof) + c * np.log(third.dof)
                dof = np.exp(np.clip(logs, np.log(LEAST), np.log(MOST)))
            return run.regularise(weights, means, covariances, weights, dof=dof)
        length = 1.0 + (length - 1.0) / 2 if length > 1.1 else 1.0
    return None


def reseed(run: Run, mixture: Mixture, dead: BoolArray) -> Mixture:
    """Give every dead component half of a live one.

    The heaviest component is cut across its longest axis: both halves keep its
    weight, mean and covariance in sum.
    """
    weights = mixture.weights.copy()
    means, covariances = mixture.means.copy(), mixture.covariances.copy()
    for k in np.flatnonzero(dead):
        donor = int(weights.argmax())
        step = longest_half_axis(covariances[donor])
        weights[[int(k), donor]] = weights[donor] / 2
        means[k], means[donor] = means[donor] + step, means[donor] - step
        covariances[donor] -= np.outer(step, step)
        covariances[k] = covariances[donor]
    run.reseeded += int(dead.sum())
    return run.regularise(weights / weights.sum(), means, covariances, weights, dof=mixture.dof)


def longest_half_axis(covariance: np.ndarray) -> np.ndarray:
    """Return where half of a Gaussian lies: ±√(2λ/π) along its longest axis."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(np.sqrt(2 / np.pi * max(values[-1], 0.0)) * vectors[:, -1])


@dataclass(frozen=True)
class Ascent:
    """Joint EM from the run's mixture until it converges.

    A component that loses its rows is re-seeded, at most K times.

    Parameters
    ----------
    name : str
        What the history calls the steps.
    tol, max_iter : optional
        Those of the run's settings if left out.
    accelerate : bool
        Extrapolate; plain EM does not, but for Student-t components.
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
        fixed = run.settings.fixed
        free = True if fixed is None else ~fixed.components  # a given one may well stay empty
        # the degrees of freedom of Student-t components creep without
        accelerate = self.accelerate or run.settings.dof is not None
        points = climb(run, run.mixture, accelerate=accelerate)
        try:
            while trace.points <= limit:
                point = next(points)
                run.mixture = point.mixture
                trace.log_likelihoods.append(point.log_likelihood)
                trace.points += 1
                yield run.record(self.name)
                dead = ~point.moments.alive & free
                if dead.any() and len(trace.reseeded) < run.settings.n_components:
                    trace.reseeded += np.flatnonzero(dead).tolist()
                    trace = run.ascent = Trace(reseeded=trace.reseeded, points=trace.points)
                    revived = reseed(run, m_step(run, point.mixture, point.moments), dead)
                    points = climb(run, revived, accelerate=accelerate)
                elif point.left <= tol:
                    self._conclude(
                        run, trace, point.log_likelihood >= run.best_log_likelihood - tol
                    )
                    break
                elif not point.can_reach(self.goal):
                    break
        finally:
            run.ascent = Trace()  # what other moves find is not this run's

    def _conclude(self, run: Run, trace: Trace, as_good: bool) -> None:
        """Take note that EM has converged, and whether at the best model."""
        if as_good and not run.best_ascent.log_likelihoods:
            run.best_ascent = trace  # it confirms what another move had found
        run.converged = run.converged or run.best_ascent is trace or as_good
