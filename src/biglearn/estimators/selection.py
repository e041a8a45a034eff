"""Number of components and covariance structure, along one path of splits and merges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.utils.parallel import Parallel, delayed

from biglearn._types import Array
from biglearn.engines import Source
from biglearn.engines.rows.totals import totals
from biglearn.engines.rows.units import Units
from biglearn.estimators.columns import check_columns
from biglearn.estimators.mixture import BigLearnGaussianMixture
from biglearn.model.checks import check_choice, check_number
from biglearn.model.structures import COVARIANCE_TYPES
from biglearn.search.methods import resolve
from biglearn.search.moves import Ascent, Restart
from biglearn.search.moves.resize import Neighbour
from biglearn.search.records import Record
from biglearn.search.run import Method, Move, Run, Start, search
from biglearn.search.starts.names import GivenParameters, normal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The criteria; all but the last are better where they are lower.
CRITERIA = ("bic", "icl", "aic", "heldout")

#: Up to this K, where it costs next to nothing, the model's own method searches too.
_SEARCHED = 5

#: n_components="auto" tries no larger K, and gives up after so many that did not pay.
_LARGEST, _PATIENCE = 30, 5


@dataclass(frozen=True)
class Candidate:
    """One fitted mixture of the path.

    Attributes
    ----------
    covariance_type : str
    n_components : int
        K.
    log_likelihood : float
        Mean per row, in the user's units.
    n_parameters : int
    bic, aic, icl : float
        Of the rows fitted; lower is better.
    heldout : float
        Mean log-likelihood of the rows held out; NaN where none were.
    converged : bool
    passes : int
        Over the rows, that this K cost.
    supported : bool
        Whether every component answers for enough rows to have a covariance of its
        own: D + 1 if it is full, 2 if it is diagonal or spherical.  One with fewer
        collapses to the floor, which then decides its likelihood.
    """

    covariance_type: str
    n_components: int
    log_likelihood: float
    n_parameters: int
    bic: float
    aic: float
    icl: float
    heldout: float
    converged: bool
    passes: int
    supported: bool

    def loss(self, criterion: str) -> float:
        """Return what the criterion makes small: itself, or minus `heldout`.

        It is infinite where the fit is not `supported`.
        """
        if not self.supported:
            return math.inf
        value = float(getattr(self, criterion))
        return -value if criterion == "heldout" else value


Judged = tuple[Candidate, BigLearnGaussianMixture]


@dataclass(frozen=True)
class Selection:
    """What `select_mixture` found.

    Attributes
    ----------
    criterion : str
    candidates : tuple of Candidate
        By covariance type, then K.
    best : Candidate
        The one that the criterion prefers.
    best_estimator_ : BigLearnGaussianMixture
        Fitted; with "heldout" again on all rows.
    """

    criterion: str
    candidates: tuple[Candidate, ...]
    best: Candidate
    best_estimator_: BigLearnGaussianMixture = field(repr=False)

    def table(self) -> dict[str, Array]:
        """Return the candidates by column, as `pandas.DataFrame` takes them."""
        return {
            column.name: np.array([getattr(one, column.name) for one in self.candidates])
            for column in fields(Candidate)
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the criterion over K; see `biglearn.plots.criterion`."""
        from biglearn.plots import criterion

        return criterion(self.candidates, self.criterion, best=self.best, ax=ax)


def select_mixture(
    X: ArrayLike,
    n_components: Iterable[int] = range(1, 11),
    *,
    covariance_type: str | Sequence[str] = "full",
    criterion: str = "bic",
    sample_weight: ArrayLike | None = None,
    heldout: float = 0.2,
    patience: int | None = None,
    n_jobs: int | None = None,
    **parameters: Any,
) -> Selection:
    """Choose the number of components, and the structure of the covariances.

    The smallest and the largest K, and those up to 5, are fitted by the estimator's
    method.  One path goes up, each K from the last by the cuts that gain most, and
    down again by the merges that cost least, each followed by EM; the best is kept
    at every K.  So K = 1..30 costs a few times what one fit at K = 30 does, not
    thirty times.  A fit is passed over where a component has too few rows for its
    covariance (`Candidate.supported`), since the floor alone decides its likelihood;
    on few rows raise `reg_covar`, so that the search does not come to such fits.

    Parameters
    ----------
    X : array-like of shape (N, D)
        Or whatever else the estimator fits; "heldout" needs rows that can be split.
    n_components : iterable of int, default=range(1, 11)
        Values of K to try.
    covariance_type : str or sequence of str, default="full"
        Structures to try, each on a path of its own.
    criterion : {"bic", "icl", "aic", "heldout"}, default="bic"
        "icl" charges for overlap, so that it counts clusters rather than
        Gaussians; "heldout" is the log-likelihood of rows that were kept back.
    sample_weight : array-like of shape (N,), default=None
        For the criteria the weights are taken to sum to the number of rows.
    heldout : float, default=0.2
        Share of the rows to keep back for "heldout".
    patience : int, default=None
        The way up ends after so many K in a row that did not improve the criterion.
    n_jobs : int, default=None
        Covariance types fitted at once, as in scikit-learn.
    **parameters
        Of `BigLearnGaussianMixture`: `reg_covar`, `random_state`, ...  `method`,
        `n_init` and `init_params` rule those K alone that the method fits, and
        `max_time` bounds each fit.

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        If there is nothing to try, a K is no positive whole number or exceeds the
        number of rows, a name is unknown, or the estimator refuses X or a parameter.

    References
    ----------
    G. Schwarz, "Estimating the dimension of a model", Ann. Statist. 6, 1978 (BIC).
    C. Biernacki, G. Celeux and G. Govaert, IEEE PAMI 22, 2000 (ICL).

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import select_mixture
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]], 60, axis=0)
    >>> found = select_mixture(X + rng.normal(size=X.shape), range(1, 6), random_state=0)
    >>> found.best.n_components
    3
    >>> found.best_estimator_.means_.shape
    (3, 2)
    """
    sizes = _check_sizes(n_components)
    kinds = [covariance_type] if isinstance(covariance_type, str) else list(covariance_type)
    if not kinds:
        raise ValueError("covariance_type must name at least one structure, got none")
    for kind in kinds:
        check_choice("covariance_type", kind, COVARIANCE_TYPES)
    check_choice("criterion", criterion, CRITERIA)
    if patience is not None:
        check_number("patience", patience, low=1, integer=True)
    model = BigLearnGaussianMixture(sizes[0], **parameters)
    fitted, kept = (X, sample_weight), None
    if criterion == "heldout":
        fitted, kept = _split(X, sample_weight, heldout, parameters.get("random_state"))
    trails = Parallel(n_jobs=n_jobs)(
        delayed(_trail)(
            clone(model).set_params(covariance_type=kind),
            fitted,
            sizes=sizes,
            kept=kept,
            criterion=criterion,
            patience=patience,
        )
        for kind in kinds
    )
    found = [pair for trail in trails for pair in trail]
    best, estimator = _preferred(found, criterion)
    if kept is not None:
        estimator = _again(estimator, X, sample_weight)
    return Selection(criterion, tuple(one for one, _ in found), best, estimator)


def _check_sizes(n_components: Iterable[int]) -> list[int]:
    sizes = list(n_components) if isinstance(n_components, Iterable) else [n_components]
    for size in sizes:
        check_number("n_components", size, low=1, integer=True)
    if not sizes:
        raise ValueError("n_components must hold at least one number, got none")
    return sorted({int(size) for size in sizes})


def _split(
    X: Any, sample_weight: ArrayLike | None, share: float, random_state: Any
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return the rows to fit and the rows to keep back, each with their weights."""
    check_number("heldout", share, low=0, above=True)
    if share >= 1:
        raise ValueError(f"heldout must be below 1, got {share}")
    if not (hasattr(X, "__getitem__") and hasattr(X, "__len__")) or isinstance(X, str):
        raise ValueError(
            f'criterion="heldout" needs rows that can be split, got {type(X).__name__}; '
            'use criterion="bic", or an array'
        )
    weights = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight)
    rows, kept, ours, theirs = train_test_split(
        X, weights, test_size=share, random_state=random_state
    )
    if sample_weight is None:
        return (rows, None), (kept, None)
    return (rows, ours), (kept, theirs)


@dataclass(frozen=True)
class Climb:
    """Accelerated EM from the run's start.

    Parameters
    ----------
    goal : float
        The climb is given up where it cannot reach this.
    """

    goal: float = -math.inf

    @property
    def keeps_best(self) -> bool:
        """The best point is returned."""
        return True

    def schedule(self, run: Run) -> Iterator[Move]:
        """Climb, while the goal can be reached."""
        yield Restart()
        yield Ascent("em", accelerate=True, goal=self.goal)


class _Path:
    """Fits of one structure that share their rows, units and engine."""

    def __init__(self, model: BigLearnGaussianMixture, rows: tuple[Any, Any]) -> None:
        model._check_parameters()
        if model.noise:
            raise ValueError("a path through K knows no noise; leave noise out")
        if model.checkpoint is not None:
            raise ValueError(
                f"a path through K keeps no checkpoint, got checkpoint={model.checkpoint!r}; "
                "leave it out"
            )
        self.model = model
        self.source: Source = model._open(*rows, reset=True)
        self.units = Units.measure(self.source, scaling=model.scaling)
        self.runs: dict[int, Run] = {}
        self.histories: dict[int, list[Record]] = {}
        self.passes: dict[int, int] = {}
        self._engine = self.source.engine(self.units)

    def follow(
        self,
        sizes: Sequence[int],
        *,
        kept: tuple[Any, Any] | None = None,
        criterion: str = "bic",
        patience: int | None = None,
    ) -> list[Judged]:
        """Go up through K and down again; return what is kept at every K."""
        self.model_of(sizes[-1])._check_size(self.source.extent)
        lowest, misses = math.inf, 0
        self.fit(sizes[0], resolve(self.model.method))
        for near, size in pairwise(sizes):
            self.fit(size, Climb(), self.near(near))
            if size <= _SEARCHED:
                self.fit(size, resolve(self.model.method))
            if patience is not None:
                loss = self.candidate(size, kept)[0].loss(criterion)
                lowest, misses = min(lowest, loss), 0 if loss < lowest else misses + 1
                if misses >= patience:
                    break
        if len(self.runs) > 1 and max(self.runs) > _SEARCHED:
            self.fit(max(self.runs), resolve(self.model.method))
        for near, size in pairwise(sorted(self.runs, reverse=True)):
            self.fit(size, Climb(goal=self.runs[size].log_likelihood), self.near(near))
        return [self.candidate(size, kept) for size in sorted(self.runs)]

    def fit(self, size: int, method: Method, start: Start | None = None) -> None:
        """Fit one K, from the model's own start if none is given; keep the better."""
        model = self.model_of(size)
        own = start or model._start(self.source, self.units)
        run = model._run(self.source, self.units, own, self._engine)
        history = list(model._follow(search(run, method)))
        self.passes[size] = self.passes.get(size, 0) + int(run.passes)
        if size not in self.runs or run.log_likelihood > self.runs[size].log_likelihood:
            self.runs[size], self.histories[size] = run, history

    def near(self, size: int) -> Start:
        """Return the start from the best mixture of another K."""
        return Neighbour(self.runs[size].mixture)

    def candidate(self, size: int, kept: tuple[Any, Any] | None = None) -> Judged:
        """Judge the fit at one K, and hand it over."""
        run, model = self.runs[size], self.model_of(size)
        model._keep(run, self.units, self.source.dtype)
        model.history_ = self.histories[size]
        n_rows, log_likelihood, entropy = totals(self.source, model.mixture_, entropy=True)
        n_parameters = model._n_parameters()
        bic = n_parameters * math.log(n_rows) - 2 * log_likelihood
        unseen = math.nan
        if kept is not None:
            n_kept, unseen, _ = totals(model._open(*kept), model.mixture_)
            unseen = float(unseen / n_kept)
        return Candidate(
            covariance_type=model.covariance_type,
            n_components=size,
            log_likelihood=float(log_likelihood / n_rows),
            n_parameters=n_parameters,
            bic=float(bic),
            aic=float(2 * n_parameters - 2 * log_likelihood),
            icl=float(bic + 2 * entropy),
            heldout=unseen,
            converged=run.converged,
            passes=self.passes[size],
            supported=bool(model.weights_.min() * n_rows > self._needed() - 0.5),
        ), model

    def _needed(self) -> int:
        """Return how many rows a component needs for its covariance."""
        return self.model._structure.rows_needed(self.model.n_features_in_)

    def model_of(self, size: int) -> BigLearnGaussianMixture:
        """Return the model with another K, not fitted yet."""
        model: BigLearnGaussianMixture = clone(self.model).set_params(n_components=size)
        check_columns(model, self.source.header, reset=True)
        return model


def _trail(model: BigLearnGaussianMixture, rows: tuple[Any, Any], **how: Any) -> list[Judged]:
    """Follow the path of one structure: what a worker of joblib does."""
    return _Path(model, rows).follow(**how)


def choose_size(
    model: BigLearnGaussianMixture, X: Any, sample_weight: ArrayLike | None
) -> BigLearnGaussianMixture:
    """Return what ``n_components="auto"`` means: the fit of lowest BIC."""
    path = _Path(clone(model).set_params(n_components=1), (X, sample_weight))
    sizes = range(1, min(_LARGEST, path.source.extent.n_rows) + 1)
    trail = path.follow(sizes, patience=_PATIENCE)
    return _preferred(trail, "bic")[1]


def _preferred(found: list[Judged], criterion: str) -> Judged:
    """Return the best supported fit, or the smallest model where none is."""
    return min(found, key=lambda pair: (pair[0].loss(criterion), pair[0].n_parameters))


def _again(
    chosen: BigLearnGaussianMixture, X: Any, sample_weight: ArrayLike | None
) -> BigLearnGaussianMixture:
    """Fit the chosen mixture to all rows, from where it is."""
    path = _Path(chosen, (X, sample_weight))
    last, size = path.units.inward(chosen.mixture_), chosen.n_components
    start = GivenParameters(normal, last.weights, last.means, last.covariances, last.dof)
    path.fit(size, Climb(), start)
    return path.candidate(size)[1]
