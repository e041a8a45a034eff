"""From an estimator's parameters to a problem, and from a fit to its attributes."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from biglearn._types import Array, FloatArray
from biglearn.engines.rows.checks import check_labels
from biglearn.engines.rows.units import Units
from biglearn.estimators.rows import RowsMixin, open_rows
from biglearn.model.blocks import diagonals, gram, in_blocks
from biglearn.model.checks import check_choice, check_fixed, check_number
from biglearn.model.constraints import Constraints, n_parameters
from biglearn.model.factors import Factors
from biglearn.model.families import Family, family_of
from biglearn.model.leave_one_out import FittedRows
from biglearn.model.mixture import Mixture
from biglearn.model.noise import Noise
from biglearn.model.prior import CovariancePrior, prior_of
from biglearn.model.structures import Factor, Structure, structure_of
from biglearn.search.fit import Fit
from biglearn.search.methods import method_of
from biglearn.search.order import ORDERS
from biglearn.search.paper import Paper
from biglearn.search.path import Path
from biglearn.search.problem import Problem, tuning_of
from biglearn.search.records import History, Record
from biglearn.search.run import Method, Settings
from biglearn.search.scaled_rows import ScaledRows, check_extent
from biglearn.search.starts.names import InitParams
from biglearn.search.streaming import Stream
from biglearn.search.verdict import Verdict


class DoubtfulFitWarning(UserWarning):
    """A fit has components that may say more about single rows than about new ones."""


SCALINGS = ("standard", "minmax", "none")

Fitting = TypeVar("Fitting", bound="FittingMixin")


class FittingMixin(RowsMixin):
    """Parameters of an estimator as a problem, and a fit as its attributes."""

    n_components: int | str
    covariance_type: str | Structure
    n_factors: int
    family: str | Family
    method: str | Method
    tol: float
    reg_covar: float | str
    prior: str | float | CovariancePrior | None
    resolution: str | ArrayLike | None
    max_ratio: float | None
    max_iter: int
    max_time: float | None
    n_init: int
    init_params: InitParams
    weights_init: ArrayLike | None
    means_init: ArrayLike | None
    precisions_init: ArrayLike | None
    fixed: Mapping[str, ArrayLike] | None
    warm_start: bool
    verbose_interval: int
    scaling: str
    order: str | None
    checkpoint: str | os.PathLike[str] | None
    callback: Callable[[Record], None] | None
    n_features_in_: int
    _verdict: Verdict | None

    def _limits(self) -> Constraints:
        """Return the constraints that the parameters ask for; the floor is the problem's."""
        structure = structure_of(self.covariance_type, int(self.n_factors))
        if self.max_ratio is not None and isinstance(structure, Factor):
            raise ValueError(
                "max_ratio does not support covariance_type 'factor'; leave one of them out"
            )
        return Constraints(
            structure,
            family=family_of(self.family),
            max_ratio=self.max_ratio,
        )

    @property
    def factors_(self) -> Factors:
        """Loadings and noise variances of every component; of covariance type "factor" alone."""
        structure = self._limits().structure
        if not isinstance(structure, Factor):
            raise AttributeError(
                f'factors_ are those of covariance_type="factor", got {self.covariance_type!r}'
            )
        check_is_fitted(self)
        return structure.factors(self.mixture_.covariances)

    @property
    def _automatic(self) -> bool:
        return isinstance(self.n_components, str) and self.n_components == "auto"

    def _watch(self, record: Record) -> None:
        """Pass a record on to whoever watches the fit."""
        if self.callback is not None:
            self.callback(record)
        if self.verbose > 1 or (self.verbose and record.step % self.verbose_interval == 0):
            print(
                f"step {record.step:6d}  {record.move:<12} log-likelihood "
                f"{record.log_likelihood:.6f}  best {record.best:.6f}  {record.seconds:.2f} s"
            )

    def _check_parameters(self) -> None:
        if not self._automatic:
            check_number("n_components", self.n_components, low=1, integer=True)
        elif self.fixed is not None or self.noise:
            name = "noise" if self.fixed is None else "fixed"
            raise ValueError(f'{name} needs a number of components, got n_components="auto"')
        check_number("n_factors", self.n_factors, low=1, integer=True)
        check_choice("scaling", self.scaling, SCALINGS)
        check_number("tol", self.tol, low=0)
        if isinstance(self.reg_covar, str):
            check_choice("reg_covar", self.reg_covar, ("auto",))
        else:
            check_number("reg_covar", self.reg_covar, low=0)
        prior_of(self.prior)
        if isinstance(self.resolution, str):
            check_choice("resolution", self.resolution, ("auto",))
        if self.max_ratio is not None:
            check_number("max_ratio", self.max_ratio, low=1)
        # without steps a path through K has nothing to compare
        check_number("max_iter", self.max_iter, low=int(self._automatic), integer=True)
        check_number("n_init", self.n_init, low=1, integer=True)
        check_number("verbose_interval", self.verbose_interval, low=1, integer=True)
        self._limits()  # refuses unknown names
        self._check_order()
        if self.max_time is not None:
            check_number("max_time", self.max_time, low=0, above=True)
        if self.n_threads is not None:
            check_number("n_threads", self.n_threads, low=1, integer=True)

    def _check_order(self) -> None:
        if self.order is None:
            return
        check_choice("order", self.order, ORDERS)
        if self.fixed is not None:
            raise ValueError(
                f"order={self.order!r} would move the components of fixed; leave one of them out"
            )

    def _last(self) -> tuple[Mixture, Noise | None] | None:
        """Return where the last fit ended, if this one starts from there."""
        mixture = getattr(self, "mixture_", None)
        shape = (self.n_components, self.n_features_in_)
        if not self.warm_start or mixture is None or mixture.means.shape != shape:
            return None
        return mixture, getattr(self, "noise_", None)

    def _path(self, problem: Problem) -> Path:
        if self.checkpoint is not None:
            raise ValueError(
                f"a path through K keeps no checkpoint, got checkpoint={self.checkpoint!r}; "
                "leave it out"
            )
        method, rng = method_of(self.method), self._generator()
        tuning = tuning_of(method)
        # every fit of the path begins with the same randomness
        return Path(problem, method, lambda: deepcopy(rng), watch=self._watch, tuning=tuning)

    def _keep(self, fit: Fit) -> None:
        """Take over a fit."""
        self.__dict__.pop("noise_", None)
        if fit.noise is not None:
            self.noise_ = fit.noise
        self._free = fit.n_parameters
        self._keep_mixture(fit.mixture, fit.weights, fit.dtype)
        self.history_ = History(fit.history)
        self.n_samples_seen_ = fit.n_rows
        self._stream = None
        if fit.noise is None and not fit.mixture.family.has_tails:
            bound = fit.lower_bound + fit.offset
            self._stream = Stream.after(fit.units, fit.scaled, bound, fit.n_rows)
        self.lower_bound_ = fit.lower_bound
        self.lower_bounds_ = list(fit.lower_bounds)
        self.n_iter_ = fit.n_iter
        self.converged_ = fit.converged
        self.n_reseeded_ = fit.n_reseeded
        self.n_raised_ = fit.n_raised
        unit = min(1.0, fit.total / fit.n_rows)
        self.prior_rows_ = fit.pseudo_rows / unit
        self._fitted_rows = FittedRows(
            fit.total, fit.pseudo_rows, unit, self._limits().structure, fit.observed
        )
        self._verdict = fit.verdict
        self.loo_score_ = math.nan if fit.verdict is None else fit.verdict.loo
        self.doubts_, self.outlook_ = self._doubts(fit), fit.outlook
        if self.verbose and fit.outlook is not None:
            print(fit.outlook)

    def _keep_mixture(self, mixture: Mixture, weights: Array, dtype: np.dtype[Any]) -> None:
        """Store a mixture in the user's units, and scikit-learn's attributes of it."""
        last: Mixture | None = getattr(self, "mixture_", None)
        for name in () if last is None else last.named_shapes:
            self.__dict__.pop(f"{name}_", None)
        self.mixture_ = mixture
        self._dtype = dtype
        for name, column in zip(mixture.family.shape_names, mixture.shapes.T, strict=True):
            setattr(self, f"{name}_", np.array(column))
        structure, precisions = self._limits().structure, gram(mixture.whitening_blocks)
        size = structure.block_size(mixture.n_features)
        outside = _narrow if dtype == np.float32 and _fits(mixture, precisions) else np.array
        self.weights_ = outside(weights)
        self.means_ = outside(mixture.means)
        self.covariances_ = outside(structure.collapse(in_blocks(mixture.blocks, size)))
        self.precisions_ = outside(structure.collapse(in_blocks(precisions, size)))
        # scikit-learn's factor U is upper triangular with U Uᵀ = Σ⁻¹.
        factors = np.swapaxes(mixture.whitening_blocks, -1, -2)
        self.precisions_cholesky_ = outside(structure.collapse(in_blocks(factors, size)))

    def _doubts(self, fit: Fit) -> list[str]:
        """Return what is doubtful in a fit, a sentence each."""
        if fit.verdict is None:
            return []
        needed = self._limits().structure.rows_needed(fit.mixture.n_features)
        meant = not isinstance(self.reg_covar, str)
        return fit.verdict.sentences(fit.mixture.feature_names, needed, floor_is_meant=meant)

    def _warn(self, fit: Fit, method: Method) -> None:
        """Warn of doubtful or lost components, and of EM that did not converge."""
        if self.doubts_:
            warnings.warn("; ".join(self.doubts_), DoubtfulFitWarning, stacklevel=3)
        if fit.reseeded:
            warnings.warn(
                f"components {sorted(set(fit.reseeded))} lost all their rows and "
                "were re-seeded from others; fewer components may fit these rows as well",
                UserWarning,
                stacklevel=3,
            )
        # A method that returns its last point, or a fit cut short, did not promise to converge.
        promised = method.keeps_best and self.max_time is None and self.max_iter > 0
        if promised and not fit.converged:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, "
                "or increase max_iter, tol, or check for degenerate data. EM made "
                f"{fit.n_iter} steps of max_iter={self.max_iter}, with tol={self.tol}.",
                ConvergenceWarning,
                stacklevel=3,
            )


def problem_of(
    model: FittingMixin,
    X: Any,
    sample_weight: ArrayLike | None = None,
    *,
    labels: ArrayLike | None = None,
    n_components: int | None = None,
    units: Units | None = None,
) -> Problem:
    """Return the problem that an estimator's parameters and rows make, as values.

    Parameters
    ----------
    model : GaussianMixture
        It learns the columns of X, or with `units` checks them.
    X, sample_weight, labels
        See `GaussianMixture.fit`.
    n_components : int, optional
        In place of the estimator's.
    units : Units, optional
        Those of an earlier block of a stream.
    """
    source = open_rows(model, X, sample_weight, labels=labels, reset=units is None)
    size = int(model.n_components) if n_components is None else n_components
    check_labels(labels, source.n_given, size)
    if units is None:
        check_extent(source.extent, size, names_of(model))
        structure = model._limits().structure
        # variances that depend on each other, as the one of "spherical", need one unit
        one_scale = structure.block_size(2) == 1 and not structure.is_separable
        units = Units.measure(source, scaling=model.scaling, one_scale=one_scale)
    return Problem(
        ScaledRows(source, units, names_of(model)),
        size,
        limits=model._limits(),
        reg_covar=model.reg_covar,
        prior=prior_of(None if _is_left_out(model, "prior") else model.prior),
        resolution=None if _is_left_out(model, "resolution") else model.resolution,
        has_unit_spread=model.scaling != "none",
        fixed=model.fixed,
        has_noise=model.noise,
        labels=labels,
        settings=Settings(
            size,
            tol=float(model.tol),
            max_iter=int(model.max_iter),
            max_time=model.max_time,
            n_init=int(model.n_init),
        ),
        init_params=model.init_params,
        order=model.order,
        weights_init=model.weights_init,
        means_init=model.means_init,
        precisions_init=model.precisions_init,
        last=model._last() if n_components is None else None,
    )


def path_of(model: FittingMixin, problem: Problem) -> Path:
    """Return the path through K by an estimator's method, randomness and callback."""
    return model._path(problem)


def adopt(model: Fitting, fit: Fit) -> Fitting:
    """Return a new estimator with the parameters of another one, fitted as given.

    Parameters
    ----------
    model : GaussianMixture
        It knows the columns of the rows that were fitted.
    fit : Fit
        Its K takes the place of the model's.
    """
    new: Fitting = clone(model)
    new.n_components = fit.mixture.n_components
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(model, name):
            setattr(new, name, getattr(model, name))
    new._keep(fit)
    return new


def adopt_mixture(model: FittingMixin, mixture: Mixture) -> None:
    """Make an estimator one that has fitted a mixture of float64 rows."""
    limits, shape = model._limits(), (mixture.n_components, mixture.n_features)
    fixed = check_fixed(model.fixed, limits.structure, shape)
    model._free = n_parameters(limits, fixed, False, shape)
    model._keep_mixture(mixture, mixture.weights, np.dtype(np.float64))


def limits_of(model: FittingMixin) -> Constraints:
    """Return the constraints that an estimator's parameters ask for."""
    return model._limits()


def check(model: FittingMixin) -> None:
    """Refuse parameters of an estimator that are out of their range."""
    model._check_parameters()


def _is_left_out(model: FittingMixin, name: str) -> bool:
    """Whether "auto" means None for `prior` or `resolution`.

    The published algorithm has neither, and who sets the floor to 0 asks for the likeliest
    parameters.
    """
    if not isinstance(getattr(model, name), str):
        return False
    no_floor = not isinstance(model.reg_covar, str) and model.reg_covar == 0
    return no_floor or isinstance(method_of(model.method), Paper)


def names_of(model: FittingMixin) -> tuple[str, ...] | None:
    """Return the names of the columns that an estimator was fitted on, if they had any."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else tuple(str(name) for name in names)


def _fits(mixture: Mixture, precisions: Array) -> bool:
    """Whether float32 can hold the parameters of a mixture."""
    limits = np.finfo(np.float32)
    variances = diagonals(mixture.blocks)
    largest = max(np.abs(a).max() for a in (mixture.means, variances, precisions))
    return bool(variances.min() > limits.tiny and largest < limits.max)


def _narrow(values: Array) -> FloatArray:
    return values.astype(np.float32)
