"""Number of components and covariance structure, along one path of splits and merges."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.utils.parallel import Parallel, delayed

from biglearn._types import Array
from biglearn.display import Grid, notebook
from biglearn.estimators.fitting import adopt, check, path_of, problem_of
from biglearn.estimators.mixture import GaussianMixture
from biglearn.estimators.rows import open_rows
from biglearn.model.checks import check_choice, check_number
from biglearn.model.structures import Structure, structure_of
from biglearn.search.fit import Fit
from biglearn.search.path import CRITERIA, Candidate, Climb, Judged, preferred
from biglearn.search.starts.given import GivenComponents
from biglearn.tables.containers import as_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Selection:
    """Result of `select_mixture`.

    Attributes
    ----------
    criterion : str
    candidates : tuple of Candidate
        By covariance type, then K.
    best : Candidate
        The one that the criterion prefers.
    best_estimator_ : GaussianMixture
        Fitted; with "heldout" again on all rows.
    """

    criterion: str
    candidates: tuple[Candidate, ...]
    best: Candidate
    best_estimator_: GaussianMixture = field(repr=False)

    def table(self) -> dict[str, Array]:
        """Return the candidates by column, as `pandas.DataFrame` takes them."""
        return {
            column.name: np.array([getattr(one, column.name) for one in self.candidates])
            for column in fields(Candidate)
        }

    @property
    def listed(self) -> Grid:
        """The candidates beside each other, the chosen one marked."""
        heads = ("covariance_type", "n_components", "n_parameters", "log_likelihood", "bic", "icl")
        columns: dict[str, list[Any]] = {
            "": ["*" if one == self.best else "" for one in self.candidates]
        }
        for head in (*heads, *(["heldout"] if self.criterion == "heldout" else []), "loo"):
            columns[head.replace("_", " ")] = [getattr(one, head) for one in self.candidates]
        columns["supported"] = [one.supported for one in self.candidates]
        return Grid(columns, f"Chosen by {self.criterion} (*)")

    def __str__(self) -> str:
        return self.listed.text

    def _repr_html_(self) -> str:
        return notebook([self.listed])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the criterion over K; see `biglearn.plots.criterion`."""
        from biglearn.plots import criterion

        return criterion(self.candidates, self.criterion, best=self.best, ax=ax)


def select_mixture(
    X: ArrayLike,
    n_components: Iterable[int] = range(1, 11),
    *,
    covariance_type: str | Structure | Sequence[str | Structure] = "full",
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
    at every K, by leave-one-out likelihood under a prior.  A fit is passed over where a
    component has too few rows for its covariance or stands on the floor
    (`Candidate.supported`), since the floor alone decides its likelihood.  So K = 1..30
    costs a few times as much as one fit at K = 30, not thirty.

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
        Of `GaussianMixture`: `reg_covar`, `random_state`, ...  `method`,
        `n_init` and `init_params` rule those K alone that the method fits, and
        `max_time` bounds each fit.

    Returns
    -------
    Selection
        With a warning where the best K is at an end of those tried.

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
    kinds: list[str | Structure]
    if isinstance(covariance_type, str | Structure):
        kinds = [covariance_type]
    else:
        kinds = list(covariance_type)
    if not kinds:
        raise ValueError("covariance_type must name at least one structure, got none")
    for kind in kinds:
        structure_of(kind)
    check_choice("criterion", criterion, CRITERIA)
    if patience is not None:
        check_number("patience", patience, low=1, integer=True)
    model = GaussianMixture(sizes[0], **parameters)
    check(model)
    fitted, kept = (X, sample_weight), None
    if criterion == "heldout":
        fitted, kept = _split(X, sample_weight, heldout, parameters.get("random_state"))
    trails = Parallel(n_jobs=n_jobs)(
        delayed(_trail)(
            clone(model).set_params(covariance_type=kind),
            fitted,
            kept,
            sizes=sizes,
            criterion=criterion,
            patience=patience,
        )
        for kind in kinds
    )
    found = [judged for _, trail in trails for judged in trail]
    chosen = preferred(found, criterion)
    model, _ = next(trail for trail in trails if chosen in trail[1])
    best, fit = chosen
    _warn_at_edge(best.n_components, [one.n_components for one, _ in found])
    again = criterion == "heldout"  # on the rows that were held out too
    estimator = _again(model, fit, X, sample_weight) if again else adopt(model, fit)
    return Selection(criterion, tuple(one for one, _ in found), best, estimator)


def _warn_at_edge(chosen: int, tried: Sequence[int]) -> None:
    """Say where the best K is the largest or the smallest of several that were tried."""
    if len(set(tried)) > 1 and chosen in (max(tried), min(tried)) and chosen > 1:
        end, other = ("largest", "larger") if chosen == max(tried) else ("smallest", "smaller")
        warnings.warn(
            f"the best number of components, {chosen}, is the {end} that was tried; "
            f"try {other} ones too",
            UserWarning,
            stacklevel=3,
        )


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
    weights = np.ones(len(X)) if sample_weight is None else as_array(sample_weight)
    rows, kept, ours, theirs = train_test_split(
        X, weights, test_size=share, random_state=random_state
    )
    if sample_weight is None:
        return (rows, None), (kept, None)
    return (rows, ours), (kept, theirs)


def _trail(
    model: GaussianMixture,
    rows: tuple[Any, Any],
    kept: tuple[Any, Any] | None,
    **how: Any,
) -> tuple[GaussianMixture, list[Judged]]:
    """Follow the path of one structure: the task of a worker of joblib."""
    check(model)
    problem = problem_of(model, *rows)
    held = None if kept is None else open_rows(model, *kept)
    trail = path_of(model, problem).follow(kept=held, **how)
    return model, trail


def _again(
    model: GaussianMixture, fit: Fit, X: Any, sample_weight: ArrayLike | None
) -> GaussianMixture:
    """Fit the chosen mixture to all rows, from where it is."""
    size = fit.mixture.n_components
    problem = problem_of(model, X, sample_weight, n_components=size)
    path = path_of(model, problem)
    path.fit(size, Climb(), GivenComponents(problem.rows.units.inward(fit.mixture)))
    return adopt(model, path.fits[size])
