"""The one judge of every contender: polish by joint EM under the floor, then measure.

It shares no code with the library, so that an error there cannot flatter the library here.

>>> from benchmarks.studies import problems
>>> problem = problems.make("elongated", 0)
>>> verdict = judge(problem, problem.truth)
>>> verdict.ari > 0.5, verdict.n_alive
(True, 8)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from benchmarks.studies.problems import Problem
from benchmarks.studies.simulated import Array, Parameters

LOG_2PI = float(np.log(2 * np.pi))
BLOCK_BYTES = 2**26
"""Size of one block of quadratic features."""
KEEP_BYTES = 2**29
"""Blocks are kept between passes up to this size in all, else made anew."""


class HasParameters(Protocol):
    """Anything with weights (K,), means (K, D) and covariances (K, D, D)."""

    @property
    def weights(self) -> Array: ...
    @property
    def means(self) -> Array: ...
    @property
    def covariances(self) -> Array: ...


@dataclass(frozen=True)
class Verdict:
    """What the judge measured.

    Parameters
    ----------
    log_likelihood : float
        Mean per training row after the polish, in nats.
    held_out : float
        Mean per held-out row of the polished model.
    unpolished : float
        Mean per training row as handed in (after the floor).
    ari, nmi, accuracy : float
        Of the most probable components against the classes on the training rows; nan without
        classes. Accuracy is that of the best one-to-one matching.
    ari_test, nmi_test, accuracy_test : float
        The same on the held-out rows.
    smallest : float
        Expected training rows of the smallest component.
    n_alive : int
        Components with at least one expected row.
    iterations : int
        EM steps of the polish.
    converged : bool
    """

    log_likelihood: float
    held_out: float
    unpolished: float
    ari: float
    nmi: float
    accuracy: float
    ari_test: float
    nmi_test: float
    accuracy_test: float
    smallest: float
    n_alive: int
    iterations: int
    converged: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary for JSON."""
        return asdict(self)


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


def clip(covariances: Array, floor: float) -> Array:
    """Raise the eigenvalues of symmetric matrices to ``floor``.

    Of all matrices with eigenvalues of at least ``floor`` the result maximises the expected
    log-likelihood, so this is the exact constrained M-step.

    Parameters
    ----------
    covariances : (K, D, D) array
    floor : float

    Returns
    -------
    (K, D, D) array

    Examples
    --------
    >>> clip(np.diag([4.0, 0.0])[None], 0.5)[0]
    array([[4. , 0. ],
           [0. , 0.5]])
    """
    values, vectors = np.linalg.eigh((covariances + covariances.transpose(0, 2, 1)) / 2)
    clipped: Array = np.einsum(
        "kij,kj,klj->kil", vectors, np.maximum(values, floor), vectors, optimize=True
    )
    return clipped


def log_joint(X: Array, mixture: HasParameters) -> Array:
    """Return log(weight × density) of every row under every component.

    Parameters
    ----------
    X : (N, D) array
    mixture : HasParameters

    Returns
    -------
    (N, K) array

    Examples
    --------
    >>> one = Parameters(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
    >>> log_joint(np.zeros((1, 1)), one).round(4)
    array([[-0.9189]])
    """
    N, D = X.shape
    result: Array = np.empty((N, len(mixture.weights)))
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights)
    for k, (mean, covariance) in enumerate(zip(mixture.means, mixture.covariances, strict=True)):
        factor = np.linalg.cholesky(covariance)
        inverse = solve_triangular(factor, np.eye(D), lower=True)
        white = (X - mean) @ inverse.T
        result[:, k] = -0.5 * np.einsum("nd,nd->n", white, white) - np.log(np.diag(factor)).sum()
    result += log_weights - 0.5 * D * LOG_2PI
    return result


def log_likelihood(X: Array, mixture: HasParameters) -> float:
    """Return the mean log-density per row, in nats.

    Parameters
    ----------
    X : (N, D) array
    mixture : HasParameters

    Returns
    -------
    float
    """
    return float(np.mean(logsumexp(log_joint(X, mixture), axis=1)))


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
    """One joint EM step: the log-likelihood of ``p`` and the next parameters."""
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
    p = _checked(X, mixture, floor)
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
    """Whether the log-likelihood still to be gained is below ``tol``."""
    if len(history) < 3:
        return False
    before, gain = history[-2] - history[-3], history[-1] - history[-2]
    if gain <= 1e-12:
        return True
    rate = gain / before if before > 0 else 1.0
    return rate < 1 and gain < tol and gain * rate / (1 - rate) < tol


def _checked(X: Array, mixture: HasParameters, floor: float) -> Parameters:
    weights = np.asarray(mixture.weights, dtype=float)
    means = np.asarray(mixture.means, dtype=float)
    covariances = np.asarray(mixture.covariances, dtype=float)
    K, D = len(weights), X.shape[1]
    if means.shape != (K, D) or covariances.shape != (K, D, D):
        raise ValueError(
            f"the model does not fit {D} features: weights {weights.shape}, means {means.shape}, "
            f"covariances {covariances.shape}; hand in (K,), (K, {D}) and (K, {D}, {D})"
        )
    for name, values in (("weights", weights), ("means", means), ("covariances", covariances)):
        if not np.all(np.isfinite(values)):
            raise ValueError(f"the model's {name} hold NaN or infinity; count it as a failure")
    if np.any(weights < 0) or weights.sum() <= 0:
        raise ValueError(f"weights must not be negative and not all zero, got {weights}")
    return Parameters(weights / weights.sum(), means, clip(covariances, floor))


def accuracy(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return the share of rows that the best one-to-one matching of clusters to classes gets right.

    Parameters
    ----------
    labels, predicted : (N,) arrays of int
        Non-negative.

    Returns
    -------
    float

    Examples
    --------
    >>> accuracy(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 2]))
    0.75
    """
    counts = np.zeros((labels.max() + 1, predicted.max() + 1), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(labels))


def agreement(
    labels: NDArray[np.int64] | None, predicted: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Return ARI, NMI and best-matching accuracy; nan where there are no labels.

    Parameters
    ----------
    labels : (N,) array of int or None
    predicted : (N,) array of int

    Returns
    -------
    tuple of three floats
    """
    if labels is None or len(labels) == 0:
        return (float("nan"),) * 3
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    return (
        float(adjusted_rand_score(labels, predicted)),
        float(normalized_mutual_info_score(labels, predicted)),
        accuracy(labels, predicted),
    )


def judge(
    problem: Problem,
    mixture: HasParameters,
    *,
    polished: bool = True,
    tol: float = 1e-7,
    max_iter: int = 3000,
) -> Verdict:
    """Judge a model on a problem.

    Parameters
    ----------
    problem : Problem
    mixture : HasParameters
        In the problem's units, for example a `biglearn.Mixture` or `Parameters`.
    polished : bool, default=True
        Whether to polish first; without it the floor alone is applied.
    tol, max_iter
        As in `polish`.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If the model is not finite or does not fit.
    """
    start = _checked(problem.X, mixture, problem.floor)
    joint = log_joint(problem.X, start)
    unpolished = float(np.mean(logsumexp(joint, axis=1)))
    final, iterations, converged = start, 0, not polished
    if polished:
        result = polish(problem.X, start, floor=problem.floor, tol=tol, max_iter=max_iter)
        final, converged = result.parameters, result.converged
        iterations = len(result.log_likelihoods) - 1
        # the final figures come from the direct form, not from the one that the polish uses
        joint = log_joint(problem.X, final)
    densities = logsumexp(joint, axis=1, keepdims=True)
    expected = np.exp(joint - densities).sum(axis=0)
    joint_test = log_joint(problem.X_test, final)
    train = agreement(problem.y, joint.argmax(axis=1))
    test = agreement(problem.y_test, joint_test.argmax(axis=1))
    return Verdict(
        log_likelihood=float(np.mean(densities)),
        held_out=float(np.mean(logsumexp(joint_test, axis=1))),
        unpolished=unpolished,
        ari=train[0],
        nmi=train[1],
        accuracy=train[2],
        ari_test=test[0],
        nmi_test=test[1],
        accuracy_test=test[2],
        smallest=float(expected.min()),
        n_alive=int(np.sum(expected >= 1)),
        iterations=iterations,
        converged=converged,
    )
