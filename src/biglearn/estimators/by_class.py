"""A mixture per class: one prior for all of them, what they are worth, rows without a class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from biglearn._types import Array
from biglearn.estimators.fitting import DoubtfulFitWarning
from biglearn.estimators.mixture import GaussianMixture
from biglearn.estimators.rows import leave_one_out_of
from biglearn.model.prior import CovariancePrior

#: Pseudo-rows of the common covariance to try, in units of D + 1: from next to classes of their own
#: to next to one covariance for all.
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)

#: Rounds of EM over rows without a class, steps of each, and the gain per row that ends them.
_ROUNDS, _STEPS, _GAIN = 100, 10, 1e-5

#: Smallest log-probability of a class that counts: one row should not outweigh all others.
_WORST = float(np.log(np.finfo(np.float64).tiny))


@dataclass(frozen=True, eq=False)
class Group:
    """The rows of one class, and their weights."""

    rows: Array
    weights: Array

    @classmethod
    def of(cls, rows: Array, weights: Array) -> Group:
        """Return the rows of a class; a single one as two halves, since a mixture asks for two."""
        if len(rows) > 1:
            return cls(rows, weights)
        return cls(np.repeat(rows, 2, axis=0), np.repeat(weights, 2) / 2)

    @property
    def total(self) -> float:
        """Weight of the rows."""
        return float(self.weights.sum())

    def fitted(self, model: GaussianMixture) -> GaussianMixture:
        """Fit a mixture to them; what is doubtful of it stays in its `doubts_`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", DoubtfulFitWarning)
            return model.fit(self.rows, sample_weight=self.weights)


@dataclass(frozen=True, eq=False)
class Candidate:
    """Mixtures of the classes, and what they are worth.

    Attributes
    ----------
    models : list of GaussianMixture
    prior : CovariancePrior or None
        The one that they have in common.
    log_joint : array of shape (N, n_classes)
        log π_c p(x_n | c) of the rows, class after class, each under its own class without it.
    loss : float
        Mean of -log p(c_n | x_n) from them.
    """

    models: list[GaussianMixture]
    prior: CovariancePrior | None
    log_joint: Array
    loss: float


def judged(
    groups: Sequence[Group],
    models: list[GaussianMixture],
    priors: Array,
    prior: CovariancePrior | None = None,
) -> Candidate:
    """Return what mixtures are worth on their rows, each left out of its own class."""
    parts = []
    for c, (own, group) in enumerate(zip(models, groups, strict=True)):
        part = joint_of(models, priors, group.rows)
        with np.errstate(divide="ignore"):
            alone = leave_one_out_of(own).log_density(group.rows, group.weights)
            part[:, c] = alone + np.log(priors[c])
        parts.append(part)
    log_joint = np.concatenate(parts)
    codes = np.repeat(np.arange(len(groups)), [len(group.rows) for group in groups])
    logs = posteriors_of(log_joint, priors)[np.arange(len(codes)), codes]
    weights = np.concatenate([group.weights for group in groups])
    loss = -float(weights @ np.maximum(logs, _WORST) / weights.sum())
    return Candidate(models, prior, log_joint, loss)


def with_common_prior(
    groups: Sequence[Group], bases: Sequence[GaussianMixture], priors: Array
) -> Candidate:
    """Return mixtures under the one prior for all classes that has the lowest loss.

    Its covariance is the average within the components of all classes, and each mixture is
    fitted under it from where it is.
    """
    target = pooled_covariance(groups, bases)
    candidates = []
    for strength in STRENGTHS:
        prior = CovariancePrior(target, rows=strength * (len(target) + 1))
        models = [
            group.fitted(going_on(base, prior, group))
            for group, base in zip(groups, bases, strict=True)
        ]
        candidates.append(judged(groups, models, priors, prior))
    return min(candidates, key=lambda one: one.loss)


def pooled_covariance(groups: Sequence[Group], models: Sequence[GaussianMixture]) -> Array:
    """Return the average covariance within components, by the weight of their rows, (D, D)."""
    shares = np.array([group.total for group in groups])
    within = [
        np.tensordot(model.mixture_.weights, model.mixture_.covariances, axes=1) for model in models
    ]
    return np.tensordot(shares / shares.sum(), within, axes=1)


def going_on(
    model: GaussianMixture,
    prior: CovariancePrior | None,
    group: Group,
    max_iter: int | None = None,
) -> GaussianMixture:
    """Return an estimator that begins with the parameters of a fitted one, under a prior.

    Pseudo-rows count as rows of weight 1 whatever the weights of the group are; a fit by itself
    would scale them down where the mean weight is below 1.
    """
    new: GaussianMixture = clone(model)
    new.set_params(
        n_components=model.mixture_.n_components,
        method="em",
        n_init=1,
        weights_init=model.mixture_.weights,
        means_init=model.means_,
        precisions_init=model.precisions_,
    )
    if max_iter is not None:
        new.set_params(max_iter=max_iter)
    if prior is not None:
        unit = min(1.0, float(group.weights[group.weights > 0].mean()))
        new.set_params(prior=CovariancePrior(prior.target, rows=float(prior.rows) / unit))
    return new


def learn(
    groups: Sequence[Group],
    rest: Group,
    start: Candidate,
    priors: Array,
    *,
    priors_are_given: bool,
) -> tuple[list[GaussianMixture], Array]:
    """Go on by EM over all rows: those without a class count for each by its posterior.

    Parameters
    ----------
    groups : sequence of Group
        Rows with a class.
    rest : Group
        Rows without one.
    start : Candidate
    priors : array of shape (n_classes,)
    priors_are_given : bool
        Whether they stay.

    Returns
    -------
    models : list of GaussianMixture
    priors : array of shape (n_classes,)
    """
    models, last = start.models, -np.inf
    total = sum(group.total for group in groups) + rest.total
    for _ in range(_ROUNDS):
        log_joint = joint_of(models, priors, rest.rows)
        known = [
            group.weights @ joint_of(models, priors, group.rows)[:, c]
            for c, group in enumerate(groups)
        ]
        unknown = rest.weights @ np.asarray(logsumexp(log_joint, axis=1))
        now = float(unknown + sum(known)) / total
        if now - last < _GAIN:
            break
        last, posteriors = now, np.exp(posteriors_of(log_joint, priors))
        joined = [
            Group(
                np.concatenate([group.rows, rest.rows]),
                np.concatenate([group.weights, rest.weights * posteriors[:, c]]),
            )
            for c, group in enumerate(groups)
        ]
        models = [
            group.fitted(going_on(model, start.prior, group, max_iter=_STEPS))
            for group, model in zip(joined, models, strict=True)
        ]
        if not priors_are_given:
            priors = np.array([group.total for group in joined]) / total
    return models, priors


def joint_of(models: Sequence[GaussianMixture], priors: Array, rows: Array) -> Array:
    """Return log π_c p(x_n | c), shape (N, n_classes)."""
    densities = np.column_stack([model.mixture_.log_density(rows) for model in models])
    with np.errstate(divide="ignore"):  # a prior may be 0
        return np.asarray(densities + np.log(priors))


def posteriors_of(log_joint: Array, priors: Array) -> Array:
    """Return log p(c | x_n), shape (N, n_classes); the prior where all densities are 0."""
    lost = np.asarray(np.isneginf(log_joint)).all(axis=1)
    with np.errstate(divide="ignore"):
        kept = np.where(np.reshape(lost, (-1, 1)), np.log(priors), log_joint)
    return np.asarray(kept - logsumexp(kept, axis=1, keepdims=True))
