"""Gaussian mixture regression: one model of X and y, of which the prediction is a conditional."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, check_X_y

from biglearn._types import Array, IntArray
from biglearn.engines.rows.checks import check_weights
from biglearn.estimators.columns import check_features, is_sparse_friendly
from biglearn.estimators.mixture import GaussianMixture
from biglearn.model.conditional import ConditionalMixture
from biglearn.model.gaps import find_patterns
from biglearn.model.mixture import Mixture
from biglearn.model.views import View
from biglearn.tables.containers import as_array


class BigLearnRegressor(RegressorMixin, MultiOutputMixin, BaseEstimator):
    """Regression by a Gaussian mixture of X and y together.

    The prediction is p(y | x) of the mixture: its mean, its deviation, or all of it, with
    several humps and a spread that depends on x where the data say so.  With one component
    the mean is that of linear least squares.

    Parameters
    ----------
    n_components : int, default=1
        Number of components K.
    covariance_type : {"full", "tied", "diag", "spherical", "factor"}, default="full"
    method : {"search", "paper", "em"} or a method, default="search"
    reg_covar : float or "auto", default="auto"
    n_init : int, default=1
    max_iter : int, default=1000
    max_time : float, default=None
    random_state : int, RandomState instance or None, default=None
        All as in `GaussianMixture`.
    mixture_params : dict, default=None
        Its further parameters, such as ``{"tol": 1e-6, "n_threads": 1}``.

    Attributes
    ----------
    mixture_ : Mixture
        The joint distribution, the features before the targets.
    model_ : GaussianMixture
        The estimator that fitted it.
    n_iter_ : int
        EM steps of the run that reached the model.
    n_features_in_ : int
    n_outputs_ : int

    References
    ----------
    Z. Ghahramani and M. I. Jordan, "Supervised learning from incomplete data via an EM
    approach", NIPS 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import BigLearnRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-3, 3, size=(400, 1))
    >>> y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=400)
    >>> model = BigLearnRegressor(2, random_state=0).fit(X, y)
    >>> model.predict([[-2.0], [2.0]]).round(1)
    array([2., 2.])
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        method: Any = "search",
        reg_covar: float | str = "auto",
        n_init: int = 1,
        max_iter: int = 1000,
        max_time: float | None = None,
        random_state: Any = None,
        mixture_params: dict[str, Any] | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.method = method
        self.reg_covar = reg_covar
        self.n_init = n_init
        self.max_iter = max_iter
        self.max_time = max_time
        self.random_state = random_state
        self.mixture_params = mixture_params

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the joint mixture.

        Parameters
        ----------
        X : array-like of shape (N, D)
            NaN is a value missing at random.
        y : array-like of shape (N,) or (N, n_outputs)
        sample_weight : array-like of shape (N,), default=None

        Returns
        -------
        self
        """
        rows, y = check_X_y(
            check_features(self, X, reset=True),
            as_array(y, "y"),
            multi_output=True,
            y_numeric=True,
            ensure_all_finite="allow-nan",
            estimator=self,
        )
        targets = np.asarray(y, dtype=np.float64).reshape(len(rows), -1)
        self._single, self.n_outputs_ = np.ndim(y) == 1, targets.shape[1]
        mine = self.get_params(deep=False)
        more = mine.pop("mixture_params") or {}
        self.model_ = GaussianMixture(**{**mine, **more})
        self.model_.fit(np.column_stack([rows, targets]), sample_weight=sample_weight)
        self.mixture_: Mixture = self.model_.mixture_
        self.n_iter_ = self.model_.n_iter_
        return self

    def predict_distribution(self, X: ArrayLike) -> ConditionalMixture[Mixture]:
        """Return p(y | x) of each row: a mixture with weights, means and covariances.

        Parameters
        ----------
        X : array-like of shape (N, D)
            Without missing values: the pattern of gaps decides the covariances, which
            all rows share here; `predict` and `log_score` take rows with gaps.

        Returns
        -------
        ConditionalMixture
            With `mean`, `covariance`, `log_density` and `sample` over all rows.
        """
        check_is_fitted(self)
        rows = check_features(self, X, reset=False, gaps=False)
        given = np.arange(self.n_features_in_)
        return ConditionalMixture(self.mixture_, given, rows, build=Mixture.of)

    def _patterns(self, X: ArrayLike) -> Iterator[tuple[IntArray, ConditionalMixture[Mixture]]]:
        """Yield p(y | observed part of x) for the rows of each pattern of gaps."""
        check_is_fitted(self)
        rows = check_features(self, X, reset=False)
        targets = np.arange(self.n_features_in_, self.mixture_.n_features)
        for pattern in find_patterns(np.isnan(rows), View.joint(self.n_features_in_)):
            seen = np.flatnonzero(~np.isnan(rows[pattern.rows[0]]))
            known = rows[pattern.rows[:, None], seen]
            joint = self.mixture_.marginal([*seen.tolist(), *targets.tolist()])
            given = np.arange(len(seen))
            yield pattern.rows, ConditionalMixture(joint, given, known, build=Mixture.of)

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Predict E(y | x), and if asked the deviation of y about it.

        Parameters
        ----------
        X : array-like of shape (N, D)
            With NaN where a value is missing: the rest of the row predicts.
        return_std : bool, default=False

        Returns
        -------
        y : array of shape (N,) or (N, n_outputs)
        std : array of the same shape
            Only with `return_std`.
        """
        parts = list(self._patterns(X))
        order = np.argsort(np.concatenate([rows for rows, _ in parts]))
        means = np.concatenate([distribution.mean for _, distribution in parts])[order]
        if not return_std:
            return self._shaped(means)
        covariances = np.concatenate([distribution.covariance for _, distribution in parts])
        variances = np.diagonal(covariances[order], axis1=1, axis2=2)
        return self._shaped(means), self._shaped(np.sqrt(variances))

    def log_score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the mean of log p(y_n | x_n), in nats; higher is better.

        Parameters
        ----------
        X : array-like of shape (N, D)
        y : array-like of shape (N,) or (N, n_outputs)
        sample_weight : array-like of shape (N,), default=None
        """
        parts = list(self._patterns(X))
        n_rows = sum(len(rows) for rows, _ in parts)
        given = check_weights(sample_weight, n_rows)
        weights = np.ones(n_rows) if given is None else given
        targets = np.asarray(as_array(y, "y"), dtype=np.float64).reshape(n_rows, -1)
        sums = (float(weights[rows] @ p.log_density(targets[rows])) for rows, p in parts)
        return sum(sums) / float(weights.sum())

    def _shaped(self, values: Array) -> Array:
        return values[:, 0] if self._single else values

    def __sklearn_tags__(self) -> Any:
        """Say that there may be several targets, that NaN is welcome, and where sparse rows are."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = is_sparse_friendly(self)
        tags.target_tags.multi_output = True
        return tags
