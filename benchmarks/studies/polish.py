"""The judge's polish: joint EM under the floor, with the rows as quadratic features.

It shares no code with the library, so that an error there cannot flatter the library here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.studies.densities import LOG_2PI, HasParameters, checked, clip
from benchmarks.studies.simulated import Array, Parameters

#: Size of one block of quadratic features.
BLOCK_BYTES = 2**26
#: Blocks are kept between passes up to this size in all, else made anew.
KEEP_BYTES = 2**29


@dataclass(frozen=True)
class Polished:
    """A polished model with its history.

    Parameters
    ----------
    parameters : Parameters
    log_likelihoods : list of float
        Mean per row before every step and after the last.
    converged : bool
    """

    parameters: Parameters
    log_likelihoods: list[float]
    converged: bool


class _Rows:
    """Rows as quadratic features (x_i x_j for i ≤ j, x, 1), block by block."""

    def __init__(self, X: Array) -> None:
        self.centre = X.mean(axis=0)
        self.N, self.D = X.shape
        self.upper = np.triu_indices(self.D)
        n_features = len(self.upper[0]) + self.D + 1
        step = max(1, BLOCK_BYTES // (8 * n_features))
        self._blocks = [X[start : start + step] - self.centre for start in range(0, self.N, step)]
        keep = 8 * n_features * self.N <= KEEP_BYTES
        self._kept = [self._features(block) for block in self._blocks] if keep else None

    def _features(self, block: Array) -> Array:
        products = block[:, self.upper[0]] * block[:, self.upper[1]]
        return np.hstack([products, block, np.ones((len(block), 1))])

    def __iter__(self) -> Iterator[Array]:
        if self._kept is not None:
            yield from self._kept
        else:
            yield from map(self._features, self._blocks)

    def coefficients(self, p: Parameters) -> Array:
        """Return Θ (P, K) with features @ Θ = log joint."""
        precisions = np.linalg.inv(p.covariances)
        means = p.means - self.centre
        linear = np.einsum("kij,kj->ki", precisions, means)
        with np.errstate(divide="ignore"):
            # an empty component stays empty, as in exact EM
            log_weights = np.maximum(np.log(p.weights), -1e30)
        constant = (
            log_weights
            - 0.5 * self.D * LOG_2PI
            - 0.5 * np.linalg.slogdet(p.covariances)[1]
            - 0.5 * np.einsum("ki,ki->k", means, linear)
        )
        quadratic = -precisions[:, self.upper[0], self.upper[1]]
        quadratic[:, self.upper[0] == self.upper[1]] *= 0.5
        return np.hstack([quadratic, linear, constant[:, None]]).T


def _step(rows: _Rows, p: Parameters, floor: float) -> tuple[float, Parameters]:
    """One joint EM step: the log-likelihood of `p` and the next parameters."""
    theta = rows.coefficients(p)
    total = 0.0
    sums = np.zeros((theta.shape[1], theta.shape[0]))
    for features in rows:
        joint = features @ theta
        top = joint.max(axis=1, keepdims=True)
        joint -= top
        np.exp(joint, out=joint)
        scale = joint.sum(axis=1, keepdims=True)
        joint /= scale
        total += float(np.sum(np.log(scale)) + np.sum(top))
        sums += joint.T @ features
    counts = sums[:, -1]
    alive = counts > 1e-10
    safe = np.where(alive, counts, 1.0)[:, None]
    means = sums[:, -1 - rows.D : -1] / safe
    second = np.zeros((len(counts), rows.D, rows.D))
    second[:, rows.upper[0], rows.upper[1]] = sums[:, : len(rows.upper[0])] / safe
    second[:, rows.upper[1], rows.upper[0]] = second[:, rows.upper[0], rows.upper[1]]
    covariances = clip(second - means[:, :, None] * means[:, None, :], floor)
    return total / rows.N, Parameters(
        counts / counts.sum(),
        np.where(alive[:, None], means + rows.centre, p.means),
        np.where(alive[:, None, None], covariances, p.covariances),
    )


def polish(
    X: Array, mixture: HasParameters, *, floor: float, tol: float = 1e-7, max_iter: int = 3000
) -> Polished:
    """Run joint EM under the floor to convergence.

    Parameters
    ----------
    X : (N, D) array
    mixture : HasParameters
        The start; its eigenvalues are raised to the floor first.
    floor : float
    tol : float, default=1e-7
        Stop when the gain still to come, by Aitken's estimate from three successive
        log-likelihoods, is below this many nats per row three times running. Plateaus of EM on
        overlapping clusters gain 1e-6 a step for hundreds of steps and more after them.
    max_iter : int, default=3000

    Returns
    -------
    Polished

    Raises
    ------
    ValueError
        If the mixture is not finite or does not fit the rows.
    """
    p = checked(X, mixture, floor)
    rows = _Rows(X)
    history: list[float] = []
    quiet = 0
    for _ in range(max_iter):
        value, following = _step(rows, p, floor)
        history.append(value)
        quiet = quiet + 1 if _settled(history, tol) else 0
        if quiet == 3:
            break
        p = following
    else:
        history.append(_step(rows, p, floor)[0])
    return Polished(p, history, quiet == 3)


def _settled(history: list[float], tol: float) -> bool:
    """Whether the log-likelihood still to be gained is below `tol`."""
    if len(history) < 3:
        return False
    before, gain = history[-2] - history[-3], history[-1] - history[-2]
    if gain <= 1e-12:
        return True
    rate = gain / before if before > 0 else 1.0
    return rate < 1 and gain < tol and gain * rate / (1 - rate) < tol
