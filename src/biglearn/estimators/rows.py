"""Rows under a fitted mixture, wherever they live: the estimator's other half."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from biglearn._types import Array, FloatArray, IntArray
from biglearn.engines import RowOptions, Source, open_source
from biglearn.engines.rows.totals import totals
from biglearn.estimators.columns import check_columns, check_dense
from biglearn.estimators.frames import like
from biglearn.model.leave_one_out import FittedRows, LeaveOneOut
from biglearn.model.mixture import Mixture
from biglearn.model.noise import Noise, NoisyMixture


def open_rows(
    model: RowsMixin,
    X: Any,
    sample_weight: ArrayLike | None = None,
    *,
    labels: ArrayLike | None = None,
    reset: bool = False,
) -> Source:
    """Open checked rows, and the engine for them, as an estimator's parameters say.

    Parameters
    ----------
    model : estimator
        With the parameters `engine`, `n_threads`, `noise` and `verbose`.
    X : array-like of shape (N, D), or whatever else an engine takes
    sample_weight, labels : array-like of shape (N,), optional
    reset : bool, default=False
        Whether to learn the columns of X, or check that they are those learnt before.
    """
    names = None if reset else getattr(model, "feature_names_in_", None)
    options = RowOptions(
        engine=model.engine,
        sample_weight=sample_weight,
        labels=labels,
        noise=model.noise,
        features=None if names is None else tuple(names),
        n_threads=model.n_threads,
    )
    check_dense(model, X)
    source = open_source(X, options)
    check_columns(model, source.header, reset=reset)
    if model.verbose and reset:
        print(f"engine: {source.label}")
    return source


class RowsMixin(OneToOneFeatureMixin, TransformerMixin):  # type: ignore[misc]
    """Methods that score, label and complete rows under a fitted mixture."""

    engine: Any
    n_threads: int | None
    verbose: int
    random_state: Any
    mixture_: Mixture
    noise: bool
    noise_: Noise
    _dtype: np.dtype[Any]
    _free: int
    _fitted_rows: FittedRows

    def _fitted(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[Source, Mixture | NoisyMixture]:
        """Return checked rows and the distribution, or say that there is none yet."""
        check_is_fitted(self)
        return open_rows(self, X, sample_weight), self._distribution

    @property
    def _distribution(self) -> Mixture | NoisyMixture:
        """The mixture, with its noise if it has any."""
        noise = getattr(self, "noise_", None)
        return self.mixture_ if noise is None else NoisyMixture(self.mixture_, noise)

    def score_samples(self, X: ArrayLike) -> Any:
        """Return the log-density of each row, shape (N,)."""
        source, mixture = self._fitted(X)
        dtype = source.dtype  # and not the source, for rules travel to where the rows are

        def rule(rows: FloatArray) -> FloatArray:
            with np.errstate(over="ignore"):  # values too low for float32 are -inf
                return mixture.log_density(rows).astype(dtype)

        return source.map(rule)

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean log-likelihood per row.

        Parameters
        ----------
        X : array-like of shape (N, D)
        y : ignored
        sample_weight : array-like of shape (N,), default=None
            0 is an absent row, an integer a repeated one.
        """
        n_rows, log_likelihood, _ = self._totals(X, sample_weight)
        return float(log_likelihood / n_rows)

    def loo_score_samples(self, X: ArrayLike) -> Any:
        """Return the log-density of each fitted row under the fit without it, shape (N,).

        In closed form, with all other responsibilities as they are; exact above the floor,
        but for covariance type "factor", where the covariances stay as they are.  Labels that
        a fit was given are not known here.

        Parameters
        ----------
        X : array-like of shape (N, D)
            The rows that were fitted, each of weight 1.
        """
        loo = leave_one_out_of(self)
        source = open_rows(self, X)
        return source.map(lambda rows: loo.log_density(rows).astype(source.dtype))

    def loo_score(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean leave-one-out log-likelihood per fitted row.

        Far below `score` it tells that components follow single rows.

        Parameters
        ----------
        X : array-like of shape (N, D)
            The rows that were fitted.
        sample_weight : array-like of shape (N,), default=None
            Their weights in the fit.
        """
        loo = leave_one_out_of(self)

        def summary(rows: FloatArray, weights: Array | None) -> Array:
            ours = np.ones(len(rows)) if weights is None else weights
            return np.array([ours @ loo.log_density(rows, weights), ours.sum()])

        log_likelihood, weight = open_rows(self, X, sample_weight).total(summary)
        return float(log_likelihood / weight)

    def predict(self, X: ArrayLike) -> Any:
        """Return the component of largest responsibility of each row, shape (N,).

        It is -1 for a row that is more likely noise.
        """
        source, mixture = self._fitted(X)
        return source.map(lambda rows: mixture.labels(rows))

    def predict_proba(self, X: ArrayLike) -> Any:
        """Return the responsibilities, shape (N, K), or (N, K + 1) with the noise last."""
        source, mixture = self._fitted(X)
        dtype = source.dtype
        return source.map(lambda rows: mixture.responsibilities(rows).astype(dtype))

    def impute(self, X: ArrayLike, how: str = "mean", n: int = 1, random_state: Any = None) -> Any:
        """Fill the missing values of rows from the mixture, given their other values.

        Parameters
        ----------
        X : array-like of shape (N, D)
            NaN is missing; everything else is returned untouched.
        how : {"mean", "mode", "sample"}, default="mean"
            The conditional expectation, the conditional mean within the component
            most responsible for the row, or a draw; see `Mixture.impute`.
        n : int, default=1
            Number of draws, for multiple imputation.
        random_state : int, RandomState instance or None, default=None
            Of the draws; that of the estimator where left out.

        Returns
        -------
        array of shape (N, D), or (n, N, D) for draws
            In a data frame of the kind of X, where that is one in memory; draws are arrays.
        """
        filled = self._filled(X, how, n, random_state)
        return filled if how == "sample" else like(X, filled)

    def transform(self, X: ArrayLike) -> Any:
        """Fill the missing values of rows by their conditional expectation, shape (N, D).

        It is `impute` for a `Pipeline` and a `ColumnTransformer`: `set_output` chooses the
        container, and an array is the default.
        """
        return self._filled(X, "mean", 1, None)

    def _filled(self, X: ArrayLike, how: str, n: int, random_state: Any) -> Any:
        source, _ = self._fitted(X)
        mixture = self.mixture_  # nothing tells the missing values of noise
        state = self.random_state if random_state is None else random_state
        rng = np.random.default_rng(check_random_state(state).randint(2**31, size=4))

        def rule(rows: FloatArray) -> FloatArray:
            filled = mixture.impute(rows, how=how, n=n, rng=rng).astype(source.dtype)
            return np.moveaxis(filled, 0, 1) if how == "sample" else filled

        filled = source.map(rule)
        return filled.swapaxes(0, 1) if how == "sample" else filled

    def sample(self, n_samples: int = 1) -> tuple[FloatArray, IntArray]:
        """Draw rows, ordered by component as in scikit-learn.

        Returns
        -------
        X : array of shape (n_samples, D)
        y : array of shape (n_samples,)
            Component of each row, -1 for noise.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, int | np.integer) or n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples!r}. The sampling requires at least "
                "one sample."
            )
        rows, labels = self._distribution.sample(int(n_samples), self._generator())
        order = np.argsort(labels, kind="stable")
        return rows[order].astype(self._dtype), labels[order]

    def _totals(
        self, X: ArrayLike, sample_weight: ArrayLike | None, *, entropy: bool = False
    ) -> Array:
        """Return N, the log-likelihood and (if asked) the entropy of the responsibilities."""
        return totals(*self._fitted(X, sample_weight), entropy=entropy)

    def _n_parameters(self) -> int:
        """Return the free numbers of the mixture, as scikit-learn calls it."""
        return self._free

    def bic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the Bayesian information criterion on X; lower is better.

        Weights are those of `score`: rows with their numbers as weights have the criterion of
        the repeated rows.
        """
        return self._bic_of(*self._totals(X, sample_weight)[:2])

    def _bic_of(self, n_rows: float, log_likelihood: float) -> float:
        return float(self._n_parameters() * np.log(n_rows) - 2 * log_likelihood)

    def aic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the Akaike information criterion on X, with weights as in `bic`."""
        _, log_likelihood, _ = self._totals(X, sample_weight)
        return float(2 * self._n_parameters() - 2 * log_likelihood)

    def icl(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the integrated completed likelihood on X; lower is better.

        BIC plus twice the entropy of the responsibilities, so that overlapping
        components cost (Biernacki, Celeux and Govaert, IEEE PAMI 22, 2000).
        """
        n_rows, log_likelihood, spread = self._totals(X, sample_weight, entropy=True)
        return self._bic_of(n_rows, log_likelihood) + 2 * float(spread)

    def _generator(self) -> np.random.Generator:
        state = check_random_state(self.random_state)
        return np.random.default_rng(state.randint(2**31, size=4))


def leave_one_out_of(model: RowsMixin) -> LeaveOneOut:
    """Return the leave-one-out densities of the rows that an estimator was fitted on."""
    check_is_fitted(model, "_fitted_rows")
    noise = getattr(model, "noise_", None)
    return LeaveOneOut(model.mixture_, noise=noise, **model._fitted_rows._asdict())
