"""What must hold of every fit: a sentence that refuses it, or a sound model."""

from __future__ import annotations

import re
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import biglearn
from biglearn import BigLearnAnomalyDetector, BigLearnRegressor, GaussianMixture

from .cases import Case

#: Folders in which an error may be raised: ours, and where scikit-learn checks arrays.
_OURS = str(Path(biglearn.__file__).parent)
_CHECKS = ("validation.py", "_param_validation.py")

#: Warnings that are documented.
_WARNINGS = [
    r"components .* (stand on the floor|hold fewer rows|follow single rows)",
    r"columns? .* (cannot be|can hardly be) resolved",
    r"components .* were re-seeded",
    r"Best performing initialization did not converge",
    r".* does not support missing values",
]

#: Seconds of the processor that a fit may take.
SLOW = 20.0


@dataclass
class Outcome:
    """What became of a case.

    Attributes
    ----------
    case : Case
    faults : list of str
        Kind and details of each, "kind: details".
    refusal : str or None
        Message of the error that refused it.
    seconds : float
    """

    case: Case
    faults: list[str] = field(default_factory=list)
    refusal: str | None = None
    seconds: float = 0.0

    def expect(self, holds: Any, kind: str, details: Any = "") -> None:
        """Take note of a fault where something does not hold."""
        if not holds:
            self.faults.append(f"{kind}: {details}")


def check(case: Case, *, refit: bool = True) -> Outcome:
    """Fit a case, and look at everything that must hold.

    Parameters
    ----------
    case : Case
    refit : bool, default=True
        Whether to fit again, for the same result.
    """
    outcome = Outcome(case)
    began = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _USES[case.use](case, outcome, refit)
        except Exception as error:
            _judge(outcome, error)
    outcome.seconds = time.process_time() - began
    for warning in caught:
        ours = any(re.match(pattern, str(warning.message)) for pattern in _WARNINGS)
        place = f"{Path(warning.filename).name}:{warning.lineno}"
        outcome.expect(ours, "leaked warning", f"{warning.message} at {place}")
    outcome.expect(outcome.seconds < SLOW, "slow", f"{outcome.seconds:.1f} s")
    outcome.expect(
        case.refused is None or outcome.refusal, "not refused", f"{case.refused} of {case}"
    )
    return outcome


def _judge(outcome: Outcome, error: Exception) -> None:
    """See whether an error is a documented one."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    ours = last.filename.startswith(_OURS) or Path(last.filename).name in _CHECKS
    place = f"{Path(last.filename).name}:{last.lineno}"
    message = str(error)
    kind = type(error) in (ValueError, TypeError)  # and not LinAlgError, which is a ValueError
    if kind and ours and len(message.split()) > 3:
        outcome.refusal = f"{type(error).__name__} {message} at {place}"
    else:
        outcome.faults.append(f"undocumented error: {type(error).__name__} {message} at {place}")


def _fit(case: Case, outcome: Outcome, refit: bool) -> None:
    model = GaussianMixture(**case.params).fit(case.X, **case.arguments)
    _check_all(case, outcome, model)
    if refit and "max_time" not in case.params:
        again = GaussianMixture(**case.params).fit(case.X, **case.arguments)
        for name in ("weights_", "means_", "covariances_", "lower_bound_"):
            ours, theirs = getattr(model, name), getattr(again, name)
            outcome.expect(np.array_equal(ours, theirs), "not the same again", name)


def _warm(case: Case, outcome: Outcome, refit: bool) -> None:
    params = {**case.params, "warm_start": True}
    model = GaussianMixture(**params).fit(case.X, **case.arguments)
    first, rows = model.lower_bound_, model.prior_rows_
    model.fit(case.X, **case.arguments)
    _check_all(case, outcome, model)
    # a prior is chosen anew, and then likelihoods do not compare
    same = rows == model.prior_rows_ == 0 and case.params["n_components"] != "auto"
    if same and getattr(case.params["method"], "keeps_best", True):
        fell = model.lower_bound_ < first - 1e-6 * (1 + abs(first)) - _blur(model, case.X)
        outcome.expect(not fell, "worse after a warm start", f"{first} {model.lower_bound_}")


def _stream(case: Case, outcome: Outcome, refit: bool) -> None:
    arguments = {name: value for name, value in case.arguments.items() if name != "labels"}
    model = GaussianMixture(**case.params)
    for _ in range(3):
        model.partial_fit(case.X, **arguments)
    _check_model(case, outcome, model)


def _detector(case: Case, outcome: Outcome, refit: bool) -> None:
    params = dict(case.params)
    own = {name: params.pop(name) for name in ("n_components", "method", "random_state")}
    params = {name: params[name] for name in ("prior", "scaling", "noise") if name in params}
    model = BigLearnAnomalyDetector(**own, mixture_params=params).fit(case.X)
    outcome.expect(np.isfinite(model.offset_), "not finite", "offset_")
    outcome.expect(not np.isnan(model.score_samples(case.X)).any(), "not finite", "scores")
    outcome.expect(set(model.predict(case.X)) <= {-1, 1}, "labels", "of the detector")


def _regressor(case: Case, outcome: Outcome, refit: bool) -> None:
    params = dict(case.params)
    own = {name: params.pop(name) for name in ("n_components", "method", "random_state")}
    params = {name: params[name] for name in ("prior", "scaling") if name in params}
    X = case.X if case.X.shape[1] > 1 else np.column_stack([case.X, case.X])
    model = BigLearnRegressor(**own, mixture_params=params).fit(X[:, :-1], X[:, -1])
    y, deviation = model.predict(X[:, :-1], return_std=True)
    outcome.expect(np.isfinite(y).all(), "not finite", "predictions")
    outcome.expect(np.isfinite(deviation).all(), "not finite", "deviations")


_USES = {
    "fit": _fit,
    "warm": _warm,
    "stream": _stream,
    "detector": _detector,
    "regressor": _regressor,
}


def _check_all(case: Case, outcome: Outcome, model: Any) -> None:
    _check_model(case, outcome, model)
    _check_bounds(case, outcome, model)


def _check_model(case: Case, outcome: Outcome, model: Any) -> None:
    """Finite, positive definite, weights that sum to one, and rows that can be judged."""
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        outcome.expect(np.isfinite(getattr(model, name)).all(), "not finite", name)
    share = getattr(model, "noise_", None)
    total = float(model.weights_.sum()) + (0.0 if share is None else share.weight)
    near = 1e-6 if model.weights_.dtype == np.float32 else 1e-9
    outcome.expect(abs(total - 1) < near, "weights", f"sum to {total}")
    outcome.expect(model.weights_.min() >= 0, "weights", model.weights_.min())
    try:
        np.linalg.cholesky(model.mixture_.covariances)
    except np.linalg.LinAlgError:
        outcome.faults.append("not positive definite: covariances")
    scores, shares = model.score_samples(case.X), model.predict_proba(case.X)
    outcome.expect(not np.isnan(scores).any(), "not finite", "score_samples")
    outcome.expect(np.allclose(shares.sum(axis=1), 1, atol=1e-5), "shares", "do not sum to one")
    outcome.expect(np.isfinite(model.sample(7)[0]).all(), "not finite", "sample")
    labels = model.predict(case.X)
    inside = (labels >= -1).all() and (labels < len(model.weights_)).all()
    outcome.expect(inside, "labels", "out of range")


def _check_bounds(case: Case, outcome: Outcome, model: Any) -> None:
    """The bound never falls, ends where it says, and is the score of the rows."""
    bounds, last = np.array(model.lower_bounds_), model.lower_bound_
    size = 1 + abs(last)
    outcome.expect(np.isfinite(bounds).all(), "not finite", f"lower_bounds_ {bounds[:4]}")
    near = 1e-5 if case.X.dtype == np.float32 else 1e-9
    if len(bounds) > 1:
        fall = float(-np.diff(bounds).min())
        outcome.expect(fall <= near * size, "bound falls", f"by {fall:.3g} of {last:.6g}")
    outcome.expect(abs(bounds[-1] - last) <= 1e-12 * size, "bound ends elsewhere", bounds[-1])
    most = case.params.get("max_iter", 1000)
    outcome.expect(model.n_iter_ <= max(most, 0), "n_iter_", f"{model.n_iter_} of {most}")
    empty = np.isnan(case.X).all(axis=1).any()
    if model.prior_rows_ == 0 and not case.arguments and not empty:
        score = model.score(case.X)
        allowed = 1e2 * near * size + _blur(model, case.X)
        outcome.expect(abs(score - last) <= allowed, "score", f"{score} and bound {last}")


def _blur(model: Any, X: Any) -> float:
    """Return how much rounding a model to the user's units may move a log-density.

    Rows and means by a cell of their floats; entries of the covariances by one part in 2⁵³, which
    moves the smallest eigenvalue of a correlation matrix, and with it log |Σ|, by so much more.
    """
    mixture = model.mixture_
    deviations = np.sqrt(np.diagonal(mixture.covariances, axis1=1, axis2=2))
    correlations = mixture.covariances / deviations[:, :, None] / deviations[:, None, :]
    least = np.linalg.eigvalsh(correlations)[:, 0].min()
    turned = X.shape[1] * np.finfo(float).eps / max(least, np.finfo(float).tiny)
    roots = np.sqrt(np.diagonal(mixture.precisions, axis1=1, axis2=2))
    with np.errstate(invalid="ignore"):
        size = np.nanmax(np.abs(np.asarray(X, dtype=float)), axis=0)
    largest = np.maximum(size, np.abs(mixture.means).max(axis=0))
    cell = np.spacing(largest.astype(X.dtype)).astype(float)  # engines keep rows as they are given
    blur = float((cell * roots).max())
    return 2 * X.shape[1] * (blur + blur**2) + turned
