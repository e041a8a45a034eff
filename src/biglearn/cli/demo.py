"""The study behind ``biglearn demo``: plain EM against big learning on two problems.

The simulation is the paper's: 25 equal Gaussians on a grid, and plain EM starting from N(0, I).
Since users rarely start there, EM from the best of 20 k-means++ starts takes part as well, ours
and scikit-learn's, whose likelihood is the level that the others are timed to. All contenders work
in the same units under the same eigenvalue floor and look for likelihood alone, without which
their likelihoods could not be compared; the last is what users get by default, and its objective,
with a prior, is none to compare.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from biglearn._version import __version__
from biglearn.estimators.mixture import BigLearnGaussianMixture
from biglearn.io import save_model
from biglearn.model.mixture import Mixture
from biglearn.plots import ellipses, likelihood
from biglearn.search.methods import Paper
from biglearn.search.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: For any one fit, so that the demo ends within two minutes on a slow machine too.
_MOST_SECONDS = 20.0

#: For the search, which uses all the time it is given, where the others end by themselves.
_SEARCH_SECONDS = 5.0

#: Starts of those who restart, and log-likelihoods per row this close are the same level.
_STARTS, _CLOSE = 20, 1e-3

#: Of each of the 25 Gaussians in both directions, as in the authors' notebook.
_GRID_VARIANCE = 0.1


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows to fit, rows held out with their true classes, and the settings all methods share."""

    name: str
    title: str
    train: NDArray[np.float64]
    test: NDArray[np.float64]
    test_labels: NDArray[np.int64]
    n_components: int
    reg_covar: float
    scaling: str
    paper: Paper
    feature_names: tuple[str, ...]
    truth: Mixture | None = None


@dataclass(frozen=True)
class Outcome:
    """Result of one method on one problem; log-likelihoods are means per row.

    `level_seconds` are those until the likelihood was what scikit-learn's restarts end with, None
    where it never was, and where that is not known.
    """

    problem: str
    method: str
    train_log_likelihood: float
    test_log_likelihood: float
    test_ari: float
    smallest_weight: float
    seconds: float
    mixture: Mixture = field(repr=False)
    level_seconds: float | None = None
    history: Sequence[Record] = field(repr=False, default=())

    def figures(self) -> dict[str, Any]:
        """Return the numbers, without the model and its history."""
        left_out = {"mixture", "history"}
        fields = [f.name for f in dataclasses.fields(self) if f.name not in left_out]
        return {name: getattr(self, name) for name in fields}


def grid25(rng: np.random.Generator) -> Problem:
    """Draw the paper's simulation: 2000 rows to fit and 5000 held out."""
    axis = np.linspace(-4, 4, 5)
    means = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    covariances = np.tile(_GRID_VARIANCE * np.eye(2), (25, 1, 1))
    truth = Mixture(np.full(25, 1 / 25), means, covariances, feature_names=["x", "y"])
    train, _ = truth.sample(2000, rng)
    test, labels = truth.sample(5000, rng)
    return Problem(
        name="grid25",
        title="25 Gaussians",
        train=train,
        test=test,
        test_labels=labels,
        n_components=25,
        reg_covar=1e-5,
        scaling="none",  # as published; it is N(0, I) in these units that misleads plain EM
        paper=Paper(steps=2000, pseudo_count="1/sqrt(K)", size=1),
        feature_names=("x", "y"),
        truth=truth,
    )


def digits(rng: np.random.Generator) -> Problem:
    """Prepare scikit-learn's handwritten digits: 12 principal components, two thirds to fit."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    images, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(images))
    train, test = order[:1200], order[1200:]
    # Only the training rows may shape the axes and their scale.
    axes = PCA(12, whiten=True, svd_solver="full").fit(images[train])
    return Problem(
        name="digits",
        title="Handwritten digits, 12 principal components",
        train=axes.transform(images[train]),
        test=axes.transform(images[test]),
        test_labels=labels[test].astype(np.int64),
        n_components=10,
        reg_covar=1e-2,
        scaling="standard",
        paper=Paper(steps=2000, pseudo_count="1/K"),
        feature_names=tuple(f"principal component {j}" for j in range(1, 13)),
    )


def contenders(problem: Problem, max_time: float) -> dict[str, dict[str, Any]]:
    """Name the methods and the parameters in which they differ."""
    search: dict[str, Any] = {"method": "search", "max_time": min(max_time, _SEARCH_SECONDS)}
    likeliest: dict[str, dict[str, Any]] = {
        "EM, N(0, I) start": {"method": "em", "init_params": "normal"},
        "EM, 20 k-means++ starts": {"method": "em", "init_params": "k-means++", "n_init": _STARTS},
        "paper": {"method": problem.paper, "init_params": "normal"},
        "search": search,
    }
    alone = {"prior": None, "resolution": None}
    found = {name: alone | own for name, own in likeliest.items()}
    return found | {"search, with a prior": search}


def _judge(problem: Problem, method: str, mixture: Mixture, seconds: float) -> Outcome:
    from sklearn.metrics import adjusted_rand_score

    labels = mixture.responsibilities(problem.test).argmax(axis=1)
    return Outcome(
        problem=problem.name,
        method=method,
        train_log_likelihood=float(mixture.log_density(problem.train).mean()),
        test_log_likelihood=float(mixture.log_density(problem.test).mean()),
        test_ari=float(adjusted_rand_score(problem.test_labels, labels)),
        smallest_weight=float(mixture.weights.min()),
        seconds=seconds,
        mixture=mixture,
    )


def contest(
    problem: Problem,
    *,
    seed: int = 0,
    max_time: float = _MOST_SECONDS,
    watch: Callable[[Record], None] | None = None,
) -> Iterator[Outcome]:
    """Fit one problem by every method in turn, and judge each on the held-out rows.

    Parameters
    ----------
    problem : Problem
        Problem to fit.
    seed : int, default=0
        Seed of every fit.
    max_time : float, default=20
        Seconds that any one fit may take.
    watch : callable, default=None
        Called with every record of every fit.

    Yields
    ------
    Outcome
        One for each method as soon as it is known; the truth first, where it is known.
    """
    if problem.truth is not None:
        yield _judge(problem, "(the true mixture)", problem.truth, 0.0)
    restarted = _restarted(problem, seed)
    level = restarted.train_log_likelihood - _CLOSE
    yield restarted
    for method, parameters in contenders(problem, max_time).items():
        estimator = BigLearnGaussianMixture(
            problem.n_components,
            reg_covar=problem.reg_covar,
            scaling=problem.scaling,
            random_state=seed,
            callback=watch,
            **({"max_time": max_time} | parameters),
        )
        began = perf_counter()
        estimator.fit(problem.train)
        seconds = perf_counter() - began
        fitted = estimator.mixture_
        named = Mixture(
            fitted.weights,
            fitted.means,
            fitted.covariances,
            feature_names=problem.feature_names,
        )
        outcome = _judge(problem, method, named, seconds)
        compared = () if estimator.prior_rows_ else tuple(estimator.history_)
        reached = [record.seconds for record in compared if record.best >= level]
        first = min(reached, default=None)
        yield dataclasses.replace(outcome, history=compared, level_seconds=first)


def _restarted(problem: Problem, seed: int) -> Outcome:
    """Fit by scikit-learn, from 20 k-means++ starts."""
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        problem.n_components,
        n_init=_STARTS,
        init_params="k-means++",
        reg_covar=problem.reg_covar,
        max_iter=1000,
        random_state=seed,
    )
    began = perf_counter()
    model.fit(problem.train)
    seconds = perf_counter() - began
    mixture = Mixture(
        model.weights_, model.means_, model.covariances_, feature_names=problem.feature_names
    )
    outcome = _judge(problem, f"scikit-learn, {_STARTS} k-means++ starts", mixture, seconds)
    return dataclasses.replace(outcome, level_seconds=seconds)


def draw_ellipses(problem: Problem, outcomes: Sequence[Outcome]) -> "Figure":
    """Draw the fitted ellipses of every method beside the held-out rows."""
    columns = 3 if len(outcomes) > 4 else 2
    figure = _figure(len(outcomes), columns, shared=True)
    labels = None if problem.truth is not None else problem.test_labels
    for axes, outcome in zip(figure.axes, outcomes, strict=True):
        ellipses(outcome.mixture, problem.test, axes, labels=labels)
        axes.set_title(f"{outcome.method}: {outcome.test_log_likelihood:.3f}", fontsize="medium")
        axes.set_aspect("equal")
        axes.tick_params(labelbottom=True, labelleft=True)  # of inner panels too
    figure.suptitle(f"{problem.title}: held-out rows and their log-likelihood per row")
    return figure


def draw_likelihood(problem: Problem, outcomes: Sequence[Outcome]) -> "Figure":
    """Draw the best training log-likelihood of every method over time."""
    figure = _figure(1, 1, width=7.0)
    (axes,) = figure.axes
    fits = [outcome for outcome in outcomes if outcome.history]
    likelihood({outcome.method: outcome.history for outcome in fits}, axes)
    reached = [outcome.train_log_likelihood for outcome in fits]
    # Starts lie far below; the ends of the methods matter.
    margin = max(max(reached) - min(reached), 0.02)
    lowest = min(reached) - margin
    axes.set_ylim(lowest, max(reached) + 0.25 * margin)
    shown = [record.seconds for fit in fits for record in fit.history if record.best >= lowest]
    axes.set_xlim(left=0.8 * min(shown))
    axes.set_title(f"{problem.title}: training rows")
    return figure


def _figure(panels: int, columns: int, *, width: float = 4.4, shared: bool = False) -> "Figure":
    from matplotlib.figure import Figure

    rows = -(-panels // columns)
    figure = Figure(figsize=(width * columns, 4.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared)
    for axes in grid.flat[panels:]:
        axes.remove()
    return figure


def write_results(
    folder: Path, results: Mapping[str, tuple[Problem, Sequence[Outcome]]], *, seed: int
) -> list[Path]:
    """Write pictures, the model of `search` for each problem, and all figures as JSON.

    Parameters
    ----------
    folder : Path
        Where to write; it has to exist.
    results : mapping of str to (Problem, outcomes)
        By name of the problem.
    seed : int
        The seed of the whole demo, for the record.

    Returns
    -------
    list of Path
        The files written.
    """
    files = []
    figures: dict[str, Any] = {"biglearn": __version__, "seed": seed, "outcomes": []}
    for name, (problem, outcomes) in results.items():
        for kind, draw in (("ellipses", draw_ellipses), ("likelihood", draw_likelihood)):
            files.append(folder / f"{name}-{kind}.png")
            draw(problem, outcomes).savefig(files[-1], dpi=110)
        best = next(outcome for outcome in outcomes if outcome.method == "search")
        files.append(folder / f"{name}-search.npz")
        save_model(files[-1], best.mixture, info=best.figures() | {"seed": seed})
        figures["outcomes"] += [outcome.figures() for outcome in outcomes]
    files.append(folder / "results.json")
    files[-1].write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return files
