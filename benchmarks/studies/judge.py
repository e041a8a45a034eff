"""The one judge of every contender: polish by joint EM under the floor, then measure.

It shares no code with the library, so that an error there cannot flatter the library here.

>>> from benchmarks.studies import problems
>>> problem = problems.make("elongated", 0)
>>> verdict = judge(problem, problem.truth)
>>> verdict.ari > 0.5, verdict.n_alive
(True, 8)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from benchmarks.studies.densities import HasParameters, checked, log_joint
from benchmarks.studies.polish import polish
from benchmarks.studies.problems import Problem


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
    start = checked(problem.X, mixture, problem.floor)
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
