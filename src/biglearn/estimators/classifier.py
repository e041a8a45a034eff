"""Classification by a mixture per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_X_y

from biglearn._types import Array, BoolArray
from biglearn.engines.rows.checks import check_weights
from biglearn.estimators.anomaly import quantile_of
from biglearn.estimators.by_class import (
    Candidate,
    Group,
    joint_of,
    judged,
    learn,
    posteriors_of,
    with_common_prior,
)
from biglearn.estimators.columns import check_features, is_sparse_friendly
from biglearn.estimators.mixture import GaussianMixture
from biglearn.model.checks import check_number
from biglearn.model.prior import CovariancePrior


class BigLearnClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classification by Bayes' rule from a Gaussian mixture per class.

    With one component per class it is quadratic discriminant analysis.  What keeps the
    probabilities honest is a prior: pseudo-rows of the covariance within components, pooled over
    all classes, for every component.  Their number, and whether K is 1 or that of BIC, is chosen
    by leave-one-out log-loss, in closed form; many pseudo-rows are linear discriminant analysis.

    Parameters
    ----------
    n_components : int, "auto" or dict, default=1
        Components K of each class; "auto" chooses between 1 and the K of lowest BIC.  A dict has
        one of these by class.
    covariance_type : {"full", "tied", "diag", "spherical", "factor"} or dict, default="full"
        As in `GaussianMixture`, or by class.
    method : {"search", "paper", "em"} or a method, default="search"
    reg_covar : float or "auto", default="auto"
        As in `GaussianMixture`.
    prior : "auto", None, float or CovariancePrior, default="auto"
        "auto" is the common prior described above; anything else is given to the mixture of
        each class as it is.
    priors : array-like of shape (n_classes,), default=None
        Probabilities of the classes, in the order of `classes_`; by default their shares of rows.
    reject : float, default=None
        Rows whose largest posterior probability is below get `reject_label`.
    reject_density : float, default=None
        Rows less dense than this share of rows like those fitted (by their leave-one-out
        densities) get it too: they look like no class.
    reject_label : object, default=None
        Label of such rows; -1 by default, or "rejected" where classes are no numbers.
    unlabelled : object, default=None
        Label in y of rows whose class is not known, such as -1 in `sklearn.semi_supervised`: EM
        runs over all rows, and these count for each class by its posterior.  None knows no such.
    random_state : int, RandomState instance or None, default=None
    mixture_params : dict, default=None
        Further parameters of `GaussianMixture`.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
    mixtures_ : list of GaussianMixture
        One per class.
    priors_ : array of shape (n_classes,)
    prior_rows_ : float
        Pseudo-rows of the common covariance; NaN where `prior` is not "auto".
    loo_log_loss_ : float
        Mean of -log p(y | x) over the labelled rows, each under the mixtures without it (those
        fitted before rows without a class, where there are any).
    density_threshold_ : float
        Log-density below which a row is rejected; -inf without `reject_density`.
    n_features_in_ : int

    References
    ----------
    T. Hastie and R. Tibshirani, "Discriminant analysis by Gaussian mixtures", J. R. Statist. Soc.
    B 58, 1996.
    J. H. Friedman, "Regularized discriminant analysis", J. Amer. Statist. Assoc. 84, 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import BigLearnClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2)) + np.repeat([[-3, 0], [3, 0], [0, 0]], 100, axis=0)
    >>> y = np.repeat(["sides", "sides", "middle"], 100)
    >>> model = BigLearnClassifier({"sides": 2, "middle": 1}, random_state=0).fit(X, y)
    >>> model.predict([[-4.0, 0.0], [0.0, 0.0], [4.0, 0.0]]).tolist()
    ['sides', 'middle', 'sides']
    >>> model.set_params(reject=0.8).predict([[1.5, 0.0]]).tolist()
    ['rejected']
    """

    def __init__(
        self,
        n_components: int | str | Mapping[Any, int | str] = 1,
        *,
        covariance_type: Any = "full",
        method: Any = "search",
        reg_covar: float | str = "auto",
        prior: str | float | CovariancePrior | None = "auto",
        priors: ArrayLike | None = None,
        reject: float | None = None,
        reject_density: float | None = None,
        reject_label: Any = None,
        unlabelled: Any = None,
        random_state: Any = None,
        mixture_params: dict[str, Any] | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.method = method
        self.reg_covar = reg_covar
        self.prior = prior
        self.priors = priors
        self.reject = reject
        self.reject_density = reject_density
        self.reject_label = reject_label
        self.unlabelled = unlabelled
        self.random_state = random_state
        self.mixture_params = mixture_params

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit a mixture to the rows of every class.

        Parameters
        ----------
        X : array-like of shape (N, D)
            NaN is a value missing at random.
        y : array-like of shape (N,)
            Classes, and `unlabelled` where they are not known.
        sample_weight : array-like of shape (N,), default=None
            0 is an absent row, an integer a repeated one.

        Returns
        -------
        self
        """
        rows, weights, labels = self._checked(X, y, sample_weight)
        known = np.ones(len(rows), dtype=bool)
        if self.unlabelled is not None:
            # one by one, for text and numbers do not compare as arrays
            known = np.array([label != self.unlabelled for label in labels.tolist()])
        if not known.any():
            raise ValueError(f"y names no class: all rows are {self.unlabelled!r}")
        named = labels[known]
        check_classification_targets(named)
        self.classes_, codes = np.unique(named, return_inverse=True)
        groups = [
            Group.of(rows[known][codes == c], weights[known][codes == c])
            for c in range(len(self.classes_))
        ]
        shares = np.array([group.total for group in groups])
        self.priors_ = self._given_priors(shares / shares.sum())
        chosen = self._chosen(groups)
        self.mixtures_: list[GaussianMixture] = chosen.models
        self.loo_log_loss_ = chosen.loss
        self.prior_rows_ = float("nan") if chosen.prior is None else float(chosen.prior.rows)
        if not known.all():
            self.mixtures_, self.priors_ = learn(
                groups,
                Group(rows[~known], weights[~known]),
                chosen,
                self.priors_,
                priors_are_given=self.priors is not None,
            )
        self.density_threshold_ = -np.inf
        if self.reject_density is not None:
            densities = logsumexp(chosen.log_joint, axis=1)
            order = np.argsort(densities, kind="stable")
            counts = np.concatenate([group.weights for group in groups])[order]
            self.density_threshold_ = quantile_of(densities[order], counts, self.reject_density)
        return self

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[Array, Array, Any]:
        """Return the rows of positive weight, the weights, and the labels."""
        if self.reject is not None:
            check_number("reject", self.reject, low=0)
        if self.reject_density is not None:
            check_number("reject_density", self.reject_density, low=0)
            if self.reject_density >= 1:
                raise ValueError(f"reject_density must be below 1, got {self.reject_density}")
        rows, labels = check_X_y(
            check_features(self, X, reset=True),
            y,
            ensure_all_finite="allow-nan",
            estimator=self,
        )
        given = check_weights(sample_weight, len(rows))
        weights = np.ones(len(rows)) if given is None else given
        there = weights > 0
        return rows[there], weights[there], labels[there]

    def _given_priors(self, shares: Array) -> Array:
        if self.priors is None:
            return shares
        priors = np.asarray(self.priors, dtype=np.float64)
        if priors.shape != shares.shape or (priors < 0).any() or not np.isclose(priors.sum(), 1):
            raise ValueError(
                f"priors must be {len(shares)} probabilities that sum to 1, one for each of the "
                f"classes {self.classes_.tolist()}, got {self.priors!r}"
            )
        return np.asarray(priors / priors.sum())

    def _of_class(self, name: str, value: Any, c: int) -> Any:
        """Return a parameter that may be a dict by class."""
        if not isinstance(value, Mapping):
            return value
        label = self.classes_.tolist()[c]
        if label not in value:
            raise ValueError(f"{name} has no entry for class {label!r}, got {dict(value)!r}")
        return value[label]

    def _chosen(self, groups: Sequence[Group]) -> Candidate:
        """Return the mixtures of lowest leave-one-out log-loss."""
        seed = check_random_state(self.random_state).randint(2**31)
        sizes = [self._of_class("n_components", self.n_components, c) for c in range(len(groups))]
        automatic = [isinstance(size, str) for size in sizes]
        found = [[1 if auto else size for auto, size in zip(automatic, sizes, strict=True)]]
        found += [sizes] if any(automatic) else []
        return min((self._of_sizes(groups, own, seed) for own in found), key=lambda one: one.loss)

    def _of_sizes(self, groups: Sequence[Group], sizes: Sequence[Any], seed: int) -> Candidate:
        """Return the best mixtures with given numbers of components."""
        common = isinstance(self.prior, str) and self.prior == "auto"
        more = {"prior": self.prior, "method": self.method, **(self.mixture_params or {})}
        bases = []
        for c, (group, size) in enumerate(zip(groups, sizes, strict=True)):
            model = GaussianMixture(
                size,
                covariance_type=self._of_class("covariance_type", self.covariance_type, c),
                reg_covar=self.reg_covar,
                random_state=seed,
                **more,
            )
            try:
                bases.append(group.fitted(model))
            except ValueError as error:
                label = self.classes_.tolist()[c]
                raise ValueError(f"class {label!r}: {error}") from error
        if common:
            return with_common_prior(groups, bases, self.priors_)
        return judged(groups, bases, self.priors_)

    def _of_rows(self, X: ArrayLike) -> Array:
        """Return log π_c p(x_n | c), shape (N, n_classes)."""
        check_is_fitted(self)
        return joint_of(self.mixtures_, self.priors_, check_features(self, X, reset=False))

    def score_samples(self, X: ArrayLike) -> Array:
        """Return the log-density of each row over all classes, shape (N,)."""
        return np.asarray(logsumexp(self._of_rows(X), axis=1))

    def decision_function(self, X: ArrayLike) -> Array:
        """Return log π_c p(x | c), shape (N, n_classes), or the log-odds of two classes, (N,)."""
        values = self._of_rows(X)
        return np.asarray(values[:, 1] - values[:, 0]) if values.shape[1] == 2 else values

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the log of the posterior probabilities of the classes, (N, n_classes)."""
        return posteriors_of(self._of_rows(X), self.priors_)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the posterior probabilities of the classes, shape (N, n_classes)."""
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict(self, X: ArrayLike) -> Any:
        """Return the likeliest class of each row, or `reject_label`, shape (N,).

        `score` counts rejected rows as wrong.
        """
        log_joint = self._of_rows(X)
        posteriors = posteriors_of(log_joint, self.priors_)
        labels = self.classes_[posteriors.argmax(axis=1)]
        rejected = self._rejected(log_joint, posteriors)
        if rejected is None:
            return labels
        return np.where(rejected, self._reject_label(), labels)

    def _rejected(self, log_joint: Array, posteriors: Array) -> BoolArray | None:
        if self.reject is None and self.reject_density is None:
            return None
        rejected = logsumexp(log_joint, axis=1) < self.density_threshold_
        if self.reject is not None:
            rejected |= np.exp(posteriors.max(axis=1)) < self.reject
        return np.asarray(rejected)

    def _reject_label(self) -> Any:
        numbers = self.classes_.dtype.kind in "iuf"
        label = self.reject_label
        if label is None:
            label = -1 if numbers else "rejected"
        if label in self.classes_.tolist():
            raise ValueError(f"reject_label {label!r} is one of the classes; name another")
        return label

    def __sklearn_tags__(self) -> Any:
        """Say that NaN is welcome, and where sparse rows are."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        kinds = self.covariance_type
        tags.input_tags.sparse = not isinstance(kinds, Mapping) and is_sparse_friendly(self)
        return tags
