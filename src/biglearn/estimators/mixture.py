"""The scikit-learn face: a drop-in for `sklearn.mixture.GaussianMixture`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin

from biglearn.estimators.adaptation import AdaptationMixin
from biglearn.estimators.clusters import ClustersMixin
from biglearn.estimators.columns import is_sparse_friendly
from biglearn.estimators.fitting import (
    adopt_mixture,
    check,
    limits_of,
    names_of,
    path_of,
    problem_of,
)
from biglearn.estimators.summary import SummaryMixin
from biglearn.estimators.uncertainty import UncertaintyMixin
from biglearn.model.checks import check_structure
from biglearn.model.families import Family, family_of
from biglearn.model.mixture import Mixture
from biglearn.model.prior import CovariancePrior
from biglearn.model.structures import Structure
from biglearn.search.methods import method_of
from biglearn.search.path import choose_size
from biglearn.search.problem import solve
from biglearn.search.records import Record
from biglearn.search.run import Method
from biglearn.search.starts.names import InitParams, normal


class GaussianMixture(
    SummaryMixin, ClustersMixin, UncertaintyMixin, AdaptationMixin, DensityMixin, BaseEstimator
):
    """Gaussian mixture that looks for the good optimum.

    Takes the parameters of scikit-learn's `GaussianMixture` and gives its
    attributes.  It differs on purpose in four things: rows are standardised
    inside, so that a change of units never changes the clusters; a `prior` and the
    `resolution` of the columns keep components from following single rows;
    `reg_covar` is a floor under the eigenvalues of the covariances in those
    standardised units, not a constant added to them; and EM stops when both its last
    gain and its estimated remaining gain are below `tol`.

    Parameters
    ----------
    n_components : int or "auto", default=1
        Number of components K; "auto" takes the K ≤ 30 of lowest BIC, on one path
        that ends when five more components did not lower it (see `select_mixture`).
    covariance_type : {"full", "tied", "diag", "spherical", "factor"} or Structure, default="full"
        Structure of the covariances; "factor" is low rank plus diagonal, for wide data.
    n_factors : int, default=1
        Common factors of each component, for "factor".
    family : {"gaussian", "student"} or Family, default="gaussian"
        Family of the components; "student" has heavy tails, with degrees of freedom that
        are estimated for each, and `covariances_` are its scale matrices.
    method : {"search", "paper", "em"} or a method, default="search"
        "em" is plain EM from `n_init` starts, "paper" big-learning EM as
        published, "search" the library's own search.  A method
        object sets every constant of a method.
    tol : float, default=1e-5
        EM stops when both its last gain in mean log-likelihood per row and Aitken's
        estimate of its remaining gain are at most `tol`.
    reg_covar : float or "auto", default="auto"
        Smallest eigenvalue of a covariance, in the units of `scaling`; "auto" is 1e-6, and
        next to nothing in columns whose `resolution` is the floor.  0 asks for the likeliest
        parameters: `prior` and `resolution` "auto" mean None then.  What rounding cannot
        resolve (1e-12 of the variance; 1e-6 in float32) is raised in any case.
    prior : "auto", None, float or CovariancePrior, default="auto"
        Pseudo-rows of a common covariance for every component, which keep it from
        collapsing on a few rows: their number, "auto" for a number chosen by leave-one-out
        likelihood, or a `CovariancePrior`; None is maximum likelihood.  Under a prior
        leave-one-out likelihood chooses between the optima that a fit finds.  Likelihoods
        such as `score` and `bic` stay without it.  Method "paper" ignores "auto".
    resolution : "auto", None or array-like of shape (D,), default="auto"
        Unit to which each column is rounded, in the user's units: no component is narrower
        than a cell of this width.  "auto" reads it from the rows.
    max_ratio : float, default=None
        Largest eigenvalue of any covariance over the smallest of any, at least 1, in the
        units of `scaling`: for clusters of similar size rather than the best density.
    max_iter : int, default=1000
        Most steps of one EM run; 0 leaves the parameters as initialised, and below 10 a
        search is one climb.
    max_time : float, default=None
        Seconds after which the fit ends with the best model so far.
    n_init : int, default=1
        Number of independent runs of the method.
    init_params : str, array-like or callable, default="kmeans"
        "kmeans", "kmeans-own-units" (as in scikit-learn), "k-means++", "ward" (of at most
        1000 rows), "random_from_data" (centres, each row given to the nearest), "random"
        (random responsibilities), "normal" (the paper's N(0, I)), labels of shape (N,),
        responsibilities of shape (N, K), or a callable ``(X, n_components, rng)`` that
        returns either.
    weights_init : array-like of shape (K,), default=None
        Starting weights.
    means_init : array-like of shape (K, D), default=None
        Starting means, in the user's units.
    precisions_init : array-like, default=None
        Starting precisions, in the shape of `precisions_`.
    fixed : dict, default=None
        Parameters that stay as given: "weights" of shape (K,), "means" (K, D) and
        "covariances" in the shape of `covariances_`.  Set every entry of a component to NaN
        to have it estimated.
    noise : bool, default=False
        Whether there is a further component, of constant density over the box that
        holds the rows, for those that belong to no cluster (Banfield and Raftery,
        Biometrics 49, 1993).  `predict` calls them -1, `predict_proba` has a last
        column for them.  For rows in memory.
    random_state : int, RandomState instance or None, default=None
        The same value, data and parameters give the same model, whatever the
        number of threads (without `max_time`).
    warm_start : bool, default=False
        Start from the last fit's mixture.
    verbose : int, default=0
        1 prints every `verbose_interval`-th step, 2 every step.
    verbose_interval : int, default=10
        Steps between two printed lines.
    scaling : {"standard", "minmax", "none"}, default="standard"
        Units inside: unit variance, unit range (the paper's, for real data),
        or the user's own.  With "spherical" all columns share one unit.
    order : {None, "weights", "means"}, default=None
        Order of the fitted components: the heaviest first, or by the mean of the first
        column (then the second, ...).  None leaves it to chance.
    n_threads : int, default=None
        Threads; by default as many as BLAS uses.
    engine : {"auto", "memory", "chunked", "torch", "dask"}, callable or object, default="auto"
        Where the rows live while they are fitted.  "auto" goes by the type and
        size of X, and `verbose` prints the choice; a callable is an engine's
        factory, ``(rows, *, weights, units, n_threads)``.
    checkpoint : path, default=None
        File that keeps the moments of every pass, so that a fit that was killed and is made
        again goes on where it stopped, to the same model.
    callback : callable, default=None
        Called with each `Record` of the fit.

    Attributes
    ----------
    weights_ : array of shape (K,)
        They sum to 1, or to 1 less the weight of the noise.
    means_ : array of shape (K, D)
    covariances_, precisions_, precisions_cholesky_ : array
        Of shape (K, D, D), (D, D), (K, D) or (K,) by covariance type.
    dof_ : array of shape (K,)
        Degrees of freedom, of family "student" alone.
    factors_ : tuple of array of shape (K, D, n_factors) and (K, D)
        `loadings` and `noise` variances, of covariance type "factor" alone.
    mixture_ : Mixture
        The fitted distribution; with `noise`, the mixture without the noise component.
    noise_ : Noise
        With `noise` alone: its `weight`, and the sides `low` and `high` of its box.
    converged_ : bool
        Whether the EM run that reached or confirmed the model converged.
    n_iter_ : int
        EM steps of that run, at most `max_iter`.
    lower_bound_ : float
        Mean log-likelihood per training row, with the log-density of the prior.
    loo_score_ : float
        Mean log-likelihood per training row under the fit without it, in closed form; far
        below `lower_bound_` where components follow single rows.
    doubts_ : list of str
        What is doubtful in the fit, a sentence each; `fit` warns of it (`DoubtfulFitWarning`).
    outlook_ : Outlook or None
        What more time might bring: legs of the search, how often fresh starts found the best
        again, and the chance that one more improves it, which `max_time` or `effort` buys.
    lower_bounds_ : list of float
        The same over the EM run that reached the model, or confirmed what
        another move had found: at its start, or since it last re-seeded
        components, and after each step.  It never falls but for rounding, and
        ends at `lower_bound_`; where no EM run came to the model, that is all.
    history_ : list of Record
        Record of every step of the fit; it shows itself as a table by kind of move.
    n_reseeded_ : int
        Components re-seeded during the fit because they lost their rows.
    n_raised_ : int
        Eigenvalues raised to the floor during the fit, in starts and rejected trials too.
    prior_rows_ : float
        Pseudo-rows of the prior; 0 for maximum likelihood.
    n_samples_seen_ : int
        Rows with a positive weight, over all blocks of a stream.
    n_features_in_ : int
    feature_names_in_ : array of shape (D,)
        Where X has string column names.

    References
    ----------
    Y. Cong and S. Li, "Big Learning Expectation Maximization", AAAI 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> model = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> sorted(model.means_[:, 0].round(1).tolist())
    [1.0, 10.0]
    >>> bool(model.predict([[0, 0]]) != model.predict([[12, 3]]))
    True
    """

    lower_bounds_: list[float]
    n_iter_: int
    n_raised_: int

    def __init__(
        self,
        n_components: int | str = 1,
        *,
        covariance_type: str | Structure = "full",
        n_factors: int = 1,
        family: str | Family = "gaussian",
        method: str | Method = "search",
        tol: float = 1e-5,
        reg_covar: float | str = "auto",
        prior: str | float | CovariancePrior | None = "auto",
        resolution: str | ArrayLike | None = "auto",
        max_ratio: float | None = None,
        max_iter: int = 1000,
        max_time: float | None = None,
        n_init: int = 1,
        init_params: InitParams = "kmeans",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        fixed: Mapping[str, ArrayLike] | None = None,
        noise: bool = False,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        scaling: str = "standard",
        order: str | None = None,
        n_threads: int | None = None,
        engine: Any = "auto",
        checkpoint: str | os.PathLike[str] | None = None,
        callback: Callable[[Record], None] | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.n_factors = n_factors
        self.family = family
        self.method = method
        self.tol = tol
        self.reg_covar = reg_covar
        self.prior = prior
        self.resolution = resolution
        self.max_ratio = max_ratio
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.fixed = fixed
        self.noise = noise
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.scaling = scaling
        self.order = order
        self.n_threads = n_threads
        self.engine = engine
        self.checkpoint = checkpoint
        self.callback = callback

    @classmethod
    def from_parameters(
        cls,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        *,
        covariance_type: str | Structure = "full",
        dof: ArrayLike | None = None,
        shapes: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        **params: Any,
    ) -> Self:
        """Return an estimator with known parameters, ready for everything but `partial_fit`.

        Attributes that only a fit can set, such as `lower_bound_` and `history_`, are missing.
        With ``warm_start=True`` among the parameters, `fit` starts from the given mixture.

        Parameters
        ----------
        weights : array-like of shape (K,)
        means : array-like of shape (K, D)
        covariances : array-like
            Of shape (K, D, D), (D, D), (K, D) or (K,) by covariance type.
        covariance_type : {"full", "tied", "diag", "spherical", "factor"}, default="full"
        dof : array-like of shape (K,), default=None
            Degrees of freedom of Student-t components: short for ``family="student"`` with
            these shapes.
        shapes : array-like of shape (K, S), default=None
            Shapes of the components of another family.
        feature_names : sequence of D str, default=None
            Names that data frames have to have.
        **params
            Further parameters of the estimator.

        Returns
        -------
        GaussianMixture

        Raises
        ------
        ValueError
            If shapes do not agree, or the parameters are not those of a Gaussian mixture.

        Examples
        --------
        >>> from biglearn import GaussianMixture
        >>> model = GaussianMixture.from_parameters(
        ...     [0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0], covariance_type="spherical"
        ... )
        >>> model.predict([[-1.0], [5.0]]).tolist()
        [0, 1]
        """
        centres = np.array(means, dtype=np.float64)
        if centres.ndim != 2:
            raise ValueError(f"means must have shape (K, D), got {centres.shape}")
        n_components, n_features = shape = centres.shape
        if dof is not None:
            params.setdefault("family", "student")
        model = cls(n_components, covariance_type=covariance_type, **params)
        check(model)
        limits = limits_of(model)
        matrices = check_structure("covariances", covariances, limits.structure, shape)
        names = None if feature_names is None else tuple(feature_names)
        mixture = Mixture(
            weights,
            centres,
            matrices,
            feature_names=names,
            dof=dof,
            shapes=shapes,
            family=limits.family,
        )
        model.n_features_in_ = n_features
        if names is not None:
            model.feature_names_in_ = np.array(names, dtype=object)
        adopt_mixture(model, mixture)
        return model

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        labels: ArrayLike | None = None,
    ) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X : array-like of shape (N, D)
            Array or data frame of numbers, or whatever else an engine takes.
            NaN is a value missing at random; a row of nothing but NaN is absent.
        y : ignored
        sample_weight : array-like of shape (N,), default=None
            0 is an absent row, as is one below 1e-30 of the largest, an integer a repeated one.
            Weights that are all below 1, such as those that sum to 1, count by their ratios.
        labels : array-like of shape (N,), default=None
            Component of each row where it is known, from 0 to K - 1, and -1 where it
            is not.  A row with a label belongs to that component alone, and counts by
            log π_k N(x; μ_k, Σ_k) in the likelihood.  For rows in memory.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X is empty, holds text or infinity, has a column without any
            value or fewer rows than components, or if a parameter is out of its range.
        KeyboardInterrupt
            After Ctrl-C; the best model so far is kept, and ready to use.
        """
        self._check_parameters()
        method = method_of(self.method)
        if labels is not None and self.order is not None:
            raise ValueError(
                f"order={self.order!r} would move the components that labels name; leave one out"
            )
        if self._automatic:
            if labels is not None:
                raise ValueError('labels need a number of components, got n_components="auto"')
            problem = problem_of(self, X, sample_weight, n_components=1)
            self._keep(choose_size(path_of(self, problem)))
            return self
        problem = problem_of(self, X, sample_weight, labels=labels)
        fit = solve(
            problem,
            method,
            self._generator(),
            watch=self._watch,
            checkpoint=self.checkpoint,
            seeded=self.random_state is not None,
            keep=self._keep,
        )
        self._keep(fit)
        self._warn(fit, method)
        return self

    def partial_fit(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn from one block of a stream of rows, and forget it.

        The first block is fitted as by `fit`, and its units stay; a model that
        has been fitted goes on from there.  Every further block makes one step
        of stepwise EM, with the step size (t + 2)^-0.6 at the t-th block of its
        size: at block t the model rests on about the last t^0.6 blocks.

        Parameters
        ----------
        X : array-like of shape (n, D)
            The block; the first needs as many rows as there are components.
        y : ignored
        sample_weight : array-like of shape (n,), default=None
            Within the block.

        Returns
        -------
        self

        References
        ----------
        O. Cappé and E. Moulines, "On-line expectation–maximization algorithm for
        latent data models", J. R. Statist. Soc. B 71, 2009.

        Examples
        --------
        >>> import numpy as np
        >>> from biglearn import GaussianMixture
        >>> rng = np.random.default_rng(0)
        >>> model = GaussianMixture(2, random_state=0)
        >>> for _ in range(20):
        ...     block = rng.normal(size=(200, 1)) + rng.choice([0.0, 9.0], size=(200, 1))
        ...     model = model.partial_fit(block)
        >>> sorted(np.abs(model.means_.round()).ravel().tolist())
        [0.0, 9.0]
        """
        stream = getattr(self, "_stream", None)
        family = family_of(self.family)
        if self.noise or family.has_tails:
            what = "noise" if self.noise else f"family {family.name!r}"
            raise ValueError(f"partial_fit() does not support {what}; leave it out, or use fit()")
        if stream is None:
            return self.fit(X, y, sample_weight)
        self._check_parameters()
        size = self.mixture_.n_components
        problem = problem_of(self, X, sample_weight, n_components=size, units=stream.units)
        run = problem.run(self._generator(), normal)
        with run.engine.running():
            self._stream = stream = stream.step(run)
        run.components = stream.components
        self.history_.append(run.record("block"))
        mixture = Mixture.of(stream.units.outward(stream.components), names_of(self))
        self._keep_mixture(mixture, mixture.weights, problem.rows.source.dtype)
        self.lower_bound_ = stream.moments.mean_log_likelihood - run.offset
        self.lower_bounds_.append(self.lower_bound_)
        self.n_iter_ += 1
        self.n_samples_seen_, self._verdict = stream.seen, None
        self.converged_ = False
        self.n_raised_ += run.counters.repairs.raised
        return self

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Fit, and return the component of each row, shape (N,)."""
        return self.fit(X, y, sample_weight).predict(X)

    def __sklearn_tags__(self) -> Any:
        """Say that NaN is welcome, and where sparse rows are."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = is_sparse_friendly(self)
        return tags


#: The name before version 0.2.
BigLearnGaussianMixture = GaussianMixture
