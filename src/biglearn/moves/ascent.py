"""Joint EM to convergence: the polish, and plain EM itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from biglearn._linalg import BoolArray
from biglearn.mixture import Mixture
from biglearn.moves.matching import m_step
from biglearn.records import Record
from biglearn.search import Run, Trace
from biglearn.views import View


def remaining_gain(trace: Sequence[float]) -> float:
    """Aitken's estimate of what a linearly converging sequence will still gain.

    With the last gain g and the ratio c of the last two gains, g c / (1 - c);
    infinite while it cannot be told.

    Examples
    --------
    >>> from biglearn.moves.ascent import remaining_gain
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


def has_converged(trace: Sequence[float], tol: float) -> bool:
    """Whether neither the last gain nor the gain that is left exceeds `tol`."""
    return len(trace) > 1 and trace[-1] - trace[-2] <= tol and remaining_gain(trace) <= tol


def reseed(run: Run, mixture: Mixture, dead: BoolArray) -> Mixture:
    """Give every dead component half of a live one.

    The heaviest component is cut across its longest axis: both halves keep its
    weight, mean and covariance in sum.
    """
    weights, means, covariances = (
        mixture.weights.copy(),
        mixture.means.copy(),
        mixture.covariances.copy(),
    )
    for k in np.flatnonzero(dead):
        donor = int(weights.argmax())
        values, vectors = np.linalg.eigh(covariances[donor])
        # Halves of N(0, λ) have means ±√(2λ/π) and variance λ(1 - 2/π).
        step = np.sqrt(2 / np.pi * values[-1]) * vectors[:, -1]
        weights[[k, donor]] = weights[donor] / 2
        means[k], means[donor] = means[donor] + step, means[donor] - step
        covariances[donor] -= np.outer(step, step)
        covariances[k] = covariances[donor]
    run.reseeded += int(dead.sum())
    return run.regularise(weights / weights.sum(), means, covariances, weights)


@dataclass(frozen=True)
class Ascent:
    """Joint EM from the run's mixture until it converges.

    Under the floor the M-step is exact, so the log-likelihood never falls.  A
    component that loses its rows is re-seeded, at most K times.

    Parameters
    ----------
    name : str
        What the history calls the steps.
    tol, max_iter : optional
        Those of the run's settings if left out.
    """

    name: str = "em"
    tol: float | None = None
    max_iter: int | None = None

    def __call__(self, run: Run) -> Iterator[Record]:
        """Climb, one record for each step."""
        tol = run.settings.tol if self.tol is None else self.tol
        limit = run.settings.max_iter if self.max_iter is None else self.max_iter
        joint = View.joint(run.engine.n_features)
        run.ascent = Trace()
        reseeds = run.settings.n_components
        since_reseed = 0
        for step in range(limit + 1):
            moments = run.expect(run.mixture)
            run.ascent.log_likelihoods.append(run.log_likelihood)
            yield run.record(self.name)
            dead = ~moments.alive
            climbing = run.ascent.log_likelihoods[since_reseed:]
            if has_converged(climbing, tol) and not (dead.any() and reseeds):
                run.converged = run.converged or run.best_ascent is run.ascent
                break
            if step == limit:
                break
            run.mixture = m_step(run, moments, joint)
            if dead.any() and reseeds:
                run.mixture = reseed(run, run.mixture, dead)
                run.ascent.reseeded += np.flatnonzero(dead).tolist()
                reseeds = max(0, reseeds - int(dead.sum()))
                since_reseed = len(run.ascent.log_likelihoods)
