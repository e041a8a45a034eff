"""What a fitted estimator tells of itself: its summary, its report, its face in a notebook."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from biglearn._version import __version__
from biglearn.estimators.fitting import FittingMixin
from biglearn.report.summary import ALARMS, SETTINGS, Summary
from biglearn.search.records import Record, summarise

if TYPE_CHECKING:
    from biglearn.report.page import Report

#: Points of the curve of the likelihood that a summary keeps, at most.
_POINTS = 200


class SummaryMixin(FittingMixin):
    """Summary and report of a fitted mixture, and its picture in a notebook."""

    def summary(self) -> Summary:
        """Return what is known of the fit, to print or to show in a notebook.

        Per component weight, rows, means and deviations, conditioning, floor and alarms; and
        likelihood, leave-one-out likelihood, BIC, ICL, prior, what the moves and legs of the
        search gained, and what is doubtful.

        Returns
        -------
        Summary
            Its `facts`, `components`, `means()`, `moves`, `legs` and `warnings` can be asked
            for one by one, and its `info` is what a model file keeps.

        Examples
        --------
        >>> import numpy as np
        >>> from biglearn import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(200, 2)) + [[0, 0], [8, 0]] * 100
        >>> summary = GaussianMixture(2, random_state=0).fit(X).summary()
        >>> summary.title
        'Gaussian mixture of 2 full components over 2 features'
        >>> summary.components.columns["rows"]
        [100.0, 100.0]
        """
        check_is_fitted(self)
        return Summary(self.mixture_, self._info())

    def report(
        self,
        X: ArrayLike,
        *,
        heldout: ArrayLike | None = None,
        title: str | None = None,
    ) -> Report:
        """Return a page on the fit that needs no statistics to be read.

        Parameters
        ----------
        X : array-like of shape (N, D)
            Rows to show under the model, as a rule those that were fitted.
        heldout : array-like of shape (n, D), default=None
            Rows that were not fitted, to judge the fit by.
        title : str, default=None
            Heading of the page.

        Returns
        -------
        Report
            ``save("report.html")`` writes one file that needs no network; a notebook shows it.

        Raises
        ------
        ImportError
            If matplotlib (extra `plots`) is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from biglearn import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(200, 2)) + [[0, 0], [8, 0]] * 100
        >>> GaussianMixture(2, random_state=0).fit(X).report(X)
        Report(... MB; save it with .save('report.html'))
        """
        from biglearn.report.page import report_of

        check_is_fitted(self)
        rows, whole = self._fitted(X)
        held = None if heldout is None else self._fitted(heldout)[0]
        return report_of(self.summary(), rows, held, distribution=whole, title=title)

    def _info(self) -> dict[str, Any]:
        """Return what is known of the fit, in values that JSON can hold but for NaN."""
        settings = {name: _setting(getattr(self, name)) for name in SETTINGS}
        if not hasattr(self, "history_"):  # built from parameters
            return {"biglearn": __version__, **settings}
        outlook = self.outlook_
        return {
            "biglearn": __version__,
            "method": _setting(self.method),
            "n_rows": int(self.n_samples_seen_),
            "seconds": round(self.history_[-1].seconds, 3) if self.history_ else None,
            **settings,
            **self._judged(),
            "objective": float(self.lower_bound_),
            "n_parameters": int(self._n_parameters()),
            "prior_rows": float(self.prior_rows_),
            "converged": bool(self.converged_),
            "n_iter": int(self.n_iter_),
            "n_reseeded": int(self.n_reseeded_),
            "n_raised": int(self.n_raised_),
            "passes": int(self.history_[-1].passes) if self.history_ else None,
            "outlook": None if outlook is None else str(outlook),
            "legs": [] if outlook is None else [asdict(leg) for leg in outlook.by_leg],
            "history": [asdict(move) for move in summarise(self.history_)],
            "curve": _curve(self.history_),
        }

    def _judged(self) -> dict[str, Any]:
        """Return likelihoods, criteria, and rows and alarms of every component."""
        verdict, noise = self._verdict, getattr(self, "noise_", None)
        more = {} if noise is None else {"noise_weight": float(noise.weight)}
        if verdict is None:
            return more
        n_rows = self._fitted_rows.total / self._fitted_rows.unit
        log_likelihood = n_rows * verdict.log_likelihood
        bic = self._bic_of(n_rows, log_likelihood)
        flags = {words: getattr(verdict, name) for name, words in ALARMS.items()}
        return {
            **more,
            "log_likelihood": verdict.log_likelihood,
            "loo": verdict.loo,
            "bic": bic,
            "icl": bic + 2 * n_rows * verdict.entropy,
            "aic": 2 * self._n_parameters() - 2 * log_likelihood,
            "rows": (n_rows * np.asarray(self.weights_, dtype=np.float64)).tolist(),
            "gaps": verdict.gaps.tolist(),
            "doubts": list(self.doubts_),
            "alarms": [
                [words for words, raised in flags.items() if raised[k]]
                for k in range(self.mixture_.n_components)
            ],
        }

    @property
    def _repr_html_(self) -> Any:
        """The diagram of scikit-learn, and below it the summary once there is a fit."""
        diagram = super()._repr_html_  # no attribute where scikit-learn is not to draw
        return lambda: diagram() + self._below()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += self._below()
        return bundle

    def _below(self) -> str:
        return self.summary()._repr_html_() if hasattr(self, "mixture_") else ""


def _setting(value: Any) -> Any:
    """Return a setting as JSON can hold it: an object or array as the text that shows it."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    shape = getattr(value, "shape", None)
    return repr(value) if shape is None else f"array of shape {tuple(shape)}"


def _curve(history: list[Record]) -> Mapping[str, list[Any]]:
    """Return seconds, passes, best likelihood and move of at most so many steps."""
    known = [record for record in history if math.isfinite(record.best)]
    places = np.unique(np.linspace(0, len(known) - 1, min(len(known), _POINTS)).astype(int))
    kept = [known[i] for i in places] if known else []
    return {
        name: [getattr(r, name) for r in kept] for name in ("seconds", "passes", "best", "move")
    }
