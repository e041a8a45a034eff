"""Anomaly scores with thresholds that hold on rows that were not fitted."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from biglearn._types import Array, IntArray
from biglearn.engines.rows.checks import check_weights
from biglearn.estimators.columns import check_features, is_sparse_friendly
from biglearn.estimators.fitting import DoubtfulFitWarning
from biglearn.estimators.mixture import GaussianMixture
from biglearn.estimators.rows import leave_one_out_of
from biglearn.model.checks import check_number


class BigLearnAnomalyDetector(OutlierMixin, BaseEstimator):
    """Outlier detection by the density of a Gaussian mixture.

    A model is too sure of the rows it was fitted to, so that a threshold taken from their
    own densities raises too many alarms on new ones.  Here the threshold comes from
    out-of-fold densities: each row is scored by a mixture that did not see it.  The fitted
    rows themselves are scored by their leave-one-out densities, in closed form.

    Parameters
    ----------
    n_components : int, default=1
        Number of components K.
    alarm_rate : float, default=0.05
        Share of new rows like the fitted ones that are to be called outliers, in (0, 0.5].
        scikit-learn's `contamination` is the share of the fitted rows themselves.
    n_folds : int, default=5
        Folds of the calibration; fewer where a fold would leave too few rows to fit.
    covariance_type : {"full", "tied", "diag", "spherical", "factor"}, default="full"
    method : {"search", "paper", "em"} or a method, default="em"
    reg_covar : float or "auto", default="auto"
        All as in `GaussianMixture`.
    random_state : int, RandomState instance or None, default=None
    mixture_params : dict, default=None
        Further parameters of `GaussianMixture`.

    Attributes
    ----------
    mixture_ : Mixture
        Fitted to all rows.
    calibration_scores_ : array of shape (N,)
        Out-of-fold log-densities of the fitted rows, ascending.
    fitted_scores_ : array of shape (N,)
        Log-density of each fitted row under the mixture without it.
    offset_ : float
        Log-density below which a row is an outlier.
    n_features_in_ : int

    References
    ----------
    R. Laxhammar and G. Falkman, "Conformal prediction for distribution-independent anomaly
    detection in streaming vessel data", 2010 (p-values from calibration scores).

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import BigLearnAnomalyDetector
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> detector = BigLearnAnomalyDetector(alarm_rate=0.01, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0], [6.0, 6.0]])
    array([ 1, -1])
    >>> bool(detector.p_values([[6.0, 6.0]])[0] < 0.01)
    True
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        alarm_rate: float = 0.05,
        n_folds: int = 5,
        covariance_type: str = "full",
        method: Any = "em",
        reg_covar: float | str = "auto",
        random_state: Any = None,
        mixture_params: dict[str, Any] | None = None,
    ) -> None:
        self.n_components = n_components
        self.alarm_rate = alarm_rate
        self.n_folds = n_folds
        self.covariance_type = covariance_type
        self.method = method
        self.reg_covar = reg_covar
        self.random_state = random_state
        self.mixture_params = mixture_params

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture, and calibrate its threshold out of fold.

        Parameters
        ----------
        X : array-like of shape (N, D)
            NaN is missing at random.
        y : ignored
        sample_weight : array-like of shape (N,), default=None
            0 is an absent row, an integer a repeated one.

        Returns
        -------
        self
        """
        check_number("alarm_rate", self.alarm_rate, low=0, above=True)
        if self.alarm_rate > 0.5:
            raise ValueError(f"alarm_rate must be at most 0.5, got {self.alarm_rate}")
        check_number("n_components", self.n_components, low=1, integer=True)
        check_number("n_folds", self.n_folds, low=2, integer=True)
        rows = check_features(self, X, reset=True, least=2)
        given = check_weights(sample_weight, len(rows))
        weights = np.ones(len(rows)) if given is None else given
        seed = int(check_random_state(self.random_state).randint(2**31))
        model = self._fitted(rows, weights, seed)
        self.mixture_ = model.mixture_
        self.fitted_scores_: Array = leave_one_out_of(model).log_density(rows, weights)
        there = weights > 0
        rows, weights = rows[there], weights[there]
        scores = self._out_of_fold(rows, weights, seed)
        order = np.argsort(scores, kind="stable")
        self.calibration_scores_: Array = scores[order]
        self._calibration_weights: Array = weights[order] / min(1.0, weights.mean())
        self.offset_ = quantile_of(
            self.calibration_scores_, self._calibration_weights, self.alarm_rate
        )
        return self

    def _out_of_fold(self, rows: Array, weights: Array, seed: int) -> Array:
        """Return the log-density of each row under a mixture that did not see it or its like."""
        # equal rows share a fold: one that is fitted would tell of the others
        _, groups = np.unique(rows, axis=0, return_inverse=True)
        groups = groups.reshape(-1)
        n_groups = int(groups.max()) + 1
        folds = min(self.n_folds, n_groups)
        if n_groups - -(-n_groups // folds) < max(2, self.n_components):
            return self.mixture_.log_density(rows)  # too few rows to leave any out
        scores = np.empty(len(rows))
        for _, left_out in KFold(folds, shuffle=True, random_state=seed).split(range(n_groups)):
            unseen = np.isin(groups, left_out)
            model = self._fitted(rows[~unseen], weights[~unseen], seed)
            scores[unseen] = model.score_samples(rows[unseen])
        return scores

    def _fitted(self, rows: Array, weights: Array, seed: int) -> GaussianMixture:
        model = GaussianMixture(
            self.n_components,
            covariance_type=self.covariance_type,
            method=self.method,
            reg_covar=self.reg_covar,
            random_state=seed,
            **(self.mixture_params or {}),
        )
        with warnings.catch_warnings():  # a threshold does not need the last digit
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", DoubtfulFitWarning)
            return model.fit(rows, sample_weight=None if (weights == 1).all() else weights)

    def score_samples(self, X: ArrayLike) -> Array:
        """Return the log-density of each row, shape (N,); lower is more unusual."""
        check_is_fitted(self)
        rows = check_features(self, X, reset=False)
        return self.mixture_.log_density(rows)

    def decision_function(self, X: ArrayLike) -> Array:
        """Return how far each row is above the threshold, shape (N,); negative is an outlier."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> IntArray:
        """Return 1 for each inlier and -1 for each outlier, shape (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: ArrayLike) -> Array:
        """Return how probable a row at least as unusual is, shape (N,).

        The share (1 + #{calibration rows at most as likely}) / (1 + N): for a row like
        those fitted it is at most p with a probability of about p.
        """
        scores = self.score_samples(X)
        sums = np.concatenate([[0.0], np.cumsum(self._calibration_weights)])
        below = sums[np.searchsorted(self.calibration_scores_, scores, side="right")]
        return np.asarray((1.0 + below) / (1.0 + sums[-1]))

    def __sklearn_tags__(self) -> Any:
        """Say that NaN is welcome, and where sparse rows are."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = is_sparse_friendly(self)
        return tags


def quantile_of(values: Array, weights: Array, share: float) -> float:
    """Return the quantile of ascending values, interpolated as for rows repeated by weight."""
    last = np.cumsum(weights) - 1.0  # place of the last copy of each value
    place = share * last[-1]
    firsts = last - weights + 1.0
    places = np.column_stack([firsts, last]).ravel()
    return float(np.interp(place, places, np.repeat(values, 2)))
