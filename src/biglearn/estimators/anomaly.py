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
from sklearn.utils.validation import check_is_fitted, validate_data

from biglearn._types import Array, IntArray
from biglearn.estimators.fitting import DoubtfulFitWarning
from biglearn.estimators.mixture import BigLearnGaussianMixture
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
        All as in `BigLearnGaussianMixture`.
    random_state : int, RandomState instance or None, default=None
    mixture_params : dict, default=None
        Further parameters of `BigLearnGaussianMixture`.

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

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit the mixture, and calibrate its threshold out of fold.

        Parameters
        ----------
        X : array-like of shape (N, D)
            NaN is missing at random.
        y : ignored

        Returns
        -------
        self
        """
        check_number("alarm_rate", self.alarm_rate, low=0, above=True)
        if self.alarm_rate > 0.5:
            raise ValueError(f"alarm_rate must be at most 0.5, got {self.alarm_rate}")
        check_number("n_components", self.n_components, low=1, integer=True)
        check_number("n_folds", self.n_folds, low=2, integer=True)
        rows = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2
        )
        seed = int(check_random_state(self.random_state).randint(2**31))
        model = self._fitted(rows, seed)
        self.mixture_ = model.mixture_
        self.fitted_scores_: Array = model.loo_score_samples(rows)
        scores = np.empty(len(rows))
        folds = min(self.n_folds, len(rows))
        if len(rows) - -(-len(rows) // folds) < max(2, self.n_components):
            scores = self.mixture_.log_density(rows)  # too few rows to leave any out
        else:
            for seen, unseen in KFold(folds, shuffle=True, random_state=seed).split(rows):
                scores[unseen] = self._fitted(rows[seen], seed).score_samples(rows[unseen])
        self.calibration_scores_: Array = np.sort(scores)
        self.offset_ = float(np.quantile(scores, self.alarm_rate))
        return self

    def _fitted(self, rows: Array, seed: int) -> BigLearnGaussianMixture:
        model = BigLearnGaussianMixture(
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
            return model.fit(rows)

    def score_samples(self, X: ArrayLike) -> Array:
        """Return the log-density of each row, shape (N,); lower is more unusual."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False, ensure_all_finite="allow-nan")
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
        below = np.searchsorted(self.calibration_scores_, scores, side="right")
        return np.asarray((1.0 + below) / (1.0 + len(self.calibration_scores_)))

    def __sklearn_tags__(self) -> Any:
        """Say that NaN is welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
