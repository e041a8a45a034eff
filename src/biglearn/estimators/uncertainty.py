"""How sure the parameters of a fitted mixture are."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtri
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from biglearn._types import Array, FloatArray, IntArray
from biglearn.engines.rows.checks import check_weights
from biglearn.estimators.fitting import DoubtfulFitWarning, FittingMixin
from biglearn.estimators.rows import open_rows
from biglearn.model.checks import check_choice, check_number
from biglearn.model.fixed import assigned
from biglearn.model.information import Information, Steps, sandwich
from biglearn.model.mixture import Mixture

METHODS = ("sandwich", "bootstrap")


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """Standard errors of the parameters of a mixture: see `GaussianMixture.standard_errors`.

    Attributes
    ----------
    method : str
    weights : array of shape (K,)
        Of `weights_`.
    means : array of shape (K, D)
    covariances : array of shape (K, D, D)
        Of every entry of every covariance, whatever their structure.
    n_replicates : int
        Fits of the bootstrap that succeeded; 0 for the sandwich.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import GaussianMixture
    >>> X = np.random.default_rng(0).normal(size=(400, 1))
    >>> errors = GaussianMixture(1, random_state=0).fit(X).standard_errors(X)
    >>> errors.means.round(2)  # the deviation over the root of 400
    array([[0.05]])
    >>> low, high = errors.intervals(0.9)["means"]
    >>> bool(low[0, 0] < 0 < high[0, 0])
    True
    """

    method: str
    weights: Array
    means: Array
    covariances: Array
    n_replicates: int
    _mixture: Mixture = field(repr=False)
    _shares: Array = field(repr=False)

    def intervals(self, level: float = 0.9) -> dict[str, tuple[Array, Array]]:
        """Return confidence intervals for each parameter by itself.

        Normal ones, of weights on the scale of their log-odds, so that they stay within 0 and 1.

        Parameters
        ----------
        level : float, default=0.9
            Probability that an interval holds the parameter, in (0, 1).

        Returns
        -------
        dict
            From "weights", "means" and "covariances" to the lower and the upper ends.
        """
        check_number("level", level, low=0, above=True)
        if level >= 1:
            raise ValueError(f"level must be below 1, got {level}")
        reach = float(ndtri(0.5 + level / 2))
        shares = np.clip(self._shares, 1e-12, 1 - 1e-12)
        step = reach * self.weights / (shares * (1 - shares))
        odds, found = logit(shares), self._mixture
        return {
            "weights": (expit(odds - step), expit(odds + step)),
            "means": (found.means - reach * self.means, found.means + reach * self.means),
            "covariances": (
                found.covariances - reach * self.covariances,
                found.covariances + reach * self.covariances,
            ),
        }


class UncertaintyMixin(FittingMixin):
    """The method of an estimator that says how sure its parameters are."""

    def standard_errors(
        self,
        X: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        method: str = "sandwich",
        n_replicates: int = 200,
        random_state: Any = None,
    ) -> StandardErrors:
        """Return standard errors of weights, means and covariances.

        They are about the optimum that was found: that another one may be better is not in
        them, nor is the choice of K.

        Parameters
        ----------
        X : array-like of shape (N, D)
            The rows that were fitted, gaps and all.
        sample_weight : array-like of shape (N,), default=None
            Their weights in the fit: an integer is a repeated row.
        method : {"sandwich", "bootstrap"}, default="sandwich"
            "sandwich" is one pass: the inverse of the observed information on both sides of
            the covariance of the rows' scores, in closed form, which also holds where the
            rows are no mixture of Gaussians.  It wants a fit that has converged, and no
            covariance on the floor.  "bootstrap" fits rows drawn anew, each time from the
            fitted parameters, and finds the components again by their means; it knows every
            family and structure.
        n_replicates : int, default=200
            Fits of the bootstrap.
        random_state : int, RandomState instance or None, default=None
            Of the bootstrap; that of the estimator where left out.

        Returns
        -------
        StandardErrors

        Raises
        ------
        ValueError
            If the sandwich does not know the family or the structure, or the information is
            singular, as with more components than the rows tell apart.

        References
        ----------
        T. A. Louis, "Finding the observed information matrix when using the EM algorithm",
        J. R. Statist. Soc. B 44, 1982.
        H. White, "Maximum likelihood estimation of misspecified models", Econometrica 50, 1982.
        """
        check_choice("method", method, METHODS)
        source, _ = self._fitted(X, sample_weight)
        if method == "bootstrap":
            check_number("n_replicates", n_replicates, low=2, integer=True)
            state = self.random_state if random_state is None else random_state
            rng = np.random.default_rng(check_random_state(state).randint(2**31, size=4))
            return self._bootstrap(
                X, check_weights(sample_weight, source.n_given), n_replicates, rng
            )
        self._check_sandwich()
        steps = Steps(self._distribution, self._limits().structure.name)

        def summary(rows: FloatArray, weights: Array | None) -> Information:
            return steps.information(np.asarray(rows, dtype=np.float64), weights)

        fitted = getattr(self, "_fitted_rows", None)
        pseudo_rows = 0.0 if fitted is None else fitted.pseudo_rows
        try:
            found = sandwich(steps, source.total(summary), pseudo_rows)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"the rows do not tell all parameters of {self.mixture_.n_components} components "
                'apart: the information is singular; fit fewer, or use method="bootstrap"'
            ) from None
        size = self.mixture_.n_components
        variances = np.diagonal(found.means, axis1=1, axis2=2)
        parts = [np.diag(found.weights)[:size], variances, found.variances]
        weights, means, covariances = (np.sqrt(np.maximum(part, 0.0)) for part in parts)
        return self._errors(method, weights, means, covariances, 0)

    def _check_sandwich(self) -> None:
        structure = self._limits().structure
        faults = {
            f"family {self.mixture_.family.name!r}": self.mixture_.family.has_tails,
            f"covariance_type {structure.name!r}": structure.name
            not in ("full", "tied", "diag", "spherical"),
            "fixed parameters": self.fixed is not None,
            f"max_ratio={self.max_ratio}": self.max_ratio is not None,
        }
        for name, unknown in faults.items():
            if unknown:
                raise ValueError(
                    f'method="sandwich" does not support {name}; use method="bootstrap"'
                )

    def _bootstrap(
        self, X: ArrayLike, weights: Array | None, n_replicates: int, rng: np.random.Generator
    ) -> StandardErrors:
        """Fit rows drawn anew, and look at the spread of the parameters."""
        ours = np.ones(open_rows(self, X).n_given) if weights is None else weights
        present = ours > 0
        unit = min(1.0, float(ours[present].mean()))
        n_rows = max(1, round(float(ours.sum()) / unit))
        found = []
        for _ in range(n_replicates):
            drawn = rng.multinomial(n_rows, ours / ours.sum())
            try:
                found.append(self._replicate(X, drawn, int(rng.integers(2**31))))
            except ValueError:  # such as a column that has no value left; counted
                continue
        if len(found) < 2:
            raise ValueError(
                f"only {len(found)} of {n_replicates} replicates could be fitted; there are too "
                f"few rows for a bootstrap of {self.mixture_.n_components} components"
            )
        weights, means, covariances = (
            np.asarray(np.std(part, axis=0, ddof=1)) for part in zip(*found, strict=True)
        )
        return self._errors("bootstrap", weights, means, covariances, len(found))

    def _replicate(self, X: ArrayLike, drawn: IntArray, seed: int) -> tuple[Array, Array, Array]:
        """Return weights, means and covariances of a fit of drawn rows, in our order."""
        ours = self.mixture_
        model = clone(self).set_params(
            n_components=ours.n_components,
            method="em",
            n_init=1,
            weights_init=ours.weights,
            means_init=self.means_,
            precisions_init=self.precisions_,
            random_state=seed,
            checkpoint=None,
            callback=None,
            verbose=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", DoubtfulFitWarning)
            model.fit(X, sample_weight=drawn)
        theirs = model.mixture_
        steps = theirs.means[None] - ours.means[:, None]  # (ours, theirs, D)
        away = np.einsum("kij,klj->kli", ours.whitening, steps)
        order = assigned((away**2).sum(axis=2), np.arange(ours.n_components))
        return model.weights_[order], theirs.means[order], theirs.covariances[order]

    def _errors(
        self, method: str, weights: Array, means: Array, covariances: Array, n_replicates: int
    ) -> StandardErrors:
        return StandardErrors(
            method=method,
            weights=weights,
            means=means,
            covariances=covariances,
            n_replicates=n_replicates,
            _mixture=self.mixture_,
            _shares=np.asarray(self.weights_, dtype=np.float64),
        )
