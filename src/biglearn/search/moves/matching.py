"""EM steps in a view, and the lifts that carry them back to the joint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from biglearn._types import Array
from biglearn.model.linalg import symmetrise
from biglearn.model.mixture import Mixture
from biglearn.model.moments import Moments, map_weights
from biglearn.model.student import update
from biglearn.model.views import View
from biglearn.search.records import Record
from biglearn.search.run import Run


def block_gain(mixture: Mixture, view: View) -> Array:
    """Replace the view's blocks of μ and Σ and keep all others: G = Bᵀ.

    The published lift.  Next to old cross-covariances a new block can leave
    Σ indefinite; the eigenvalue floor then repairs it, and is counted.
    """
    return np.broadcast_to(view.basis.T, (mixture.n_components, *view.basis.T.shape))


def regression_gain(mixture: Mixture, view: View) -> Array:
    """Keep p(the rest | view, k) as it is: G = Σ Bᵀ (B Σ Bᵀ)⁻¹.

    Always positive definite.
    """
    cross = mixture.covariances @ view.basis.T
    projected = mixture.project(view)
    whitening = projected.whitening
    return (cross @ np.swapaxes(whitening, 1, 2)) @ whitening


#: The lifts by name.
LIFTS: dict[str, Callable[[Mixture, View], Array]] = {
    "block": block_gain,
    "regression": regression_gain,
}


def lift(
    mixture: Mixture, view: View, means: Array, covariances: Array, gain: Array
) -> tuple[Array, Array]:
    """Give the mixture new means m and covariances C in a view.

    Both lifts are μ + G(m - Bμ) and Σ + G(C - BΣBᵀ)Gᵀ, and leave the view's
    marginal exactly as asked; they differ in the gain G alone.

    Returns
    -------
    means : array of shape (K, D)
    covariances : array of shape (K, D, D)
    """
    projected = mixture.project(view)
    shift = np.einsum("kij,kj->ki", gain, means - projected.means)
    change = gain @ (covariances - projected.covariances) @ np.swapaxes(gain, 1, 2)
    return mixture.means + shift, symmetrise(mixture.covariances + change)


def m_step(
    run: Run,
    mixture: Mixture,
    moments: Moments,
    *,
    view: View | None = None,
    lift_name: str = "block",
    pseudo_count: float = 0.0,
) -> Mixture:
    """Turn the moments of a view (the joint, if left out) into new parameters.

    In the joint and without pseudo-counts this maximises the expected
    log-likelihood under structure and floor.  A component without rows keeps
    its mean and covariance.
    """
    if not moments.total:  # no row shows anything of the view
        return mixture
    seen = mixture if view is None else mixture.project(view)
    alive = moments.alive
    means = np.where(alive[:, None], moments.means, seen.means)
    covariances = np.where(alive[:, None, None], moments.covariances, seen.covariances)
    if view is not None:
        gain = LIFTS[lift_name](mixture, view)
        means, covariances = lift(mixture, view, means, covariances, gain)
    weights = map_weights(moments.counts, moments.total, pseudo_count)
    shares = moments.counts / moments.total
    if mixture.dof is None or moments.scales is None:
        return run.regularise(weights, means, covariances, shares)
    dof = np.where(alive, update(moments.counts, *moments.scales.T), mixture.dof)
    pull = np.where(alive, moments.pull, 1.0)
    return run.regularise(weights, means, covariances, shares, dof=dof, pull=pull)


@dataclass(frozen=True)
class Matching:
    """Match the mixture to the rows in one view: some EM steps, each lifted.

    Parameters
    ----------
    view : View
    inner_steps : int
        EM steps, 5 in the paper.
    lift : {"block", "regression"}
        How the rest of each component follows.
    pseudo_count : float
        α of the MAP weights, π_k ∝ n_k/N + α.
    """

    view: View
    inner_steps: int = 5
    lift: str = "block"
    pseudo_count: float = 0.0

    def __call__(self, run: Run) -> Iterator[Record]:
        """Make the steps; the run goes on from where they end."""
        view = None if self.view.is_joint else self.view
        rows = None if view is None else run.engine.project(view)
        for _ in range(self.inner_steps):
            seen = run.mixture if view is None else run.mixture.project(view)
            moments = run.expect(seen, rows)
            run.mixture = m_step(
                run,
                run.mixture,
                moments,
                view=view,
                lift_name=self.lift,
                pseudo_count=self.pseudo_count,
            )
        # What a pass tells is the value before its M-step; after the last it is not known.
        yield run.record(self.view.name, log_likelihood=float("nan"))
