"""Reports on a model, for people and as JSON."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from biglearn._version import __version__
from biglearn.cli.messages import printable
from biglearn.io import Model
from biglearn.search.records import summarise

if TYPE_CHECKING:
    from biglearn.cli.demo import Outcome, Problem
    from biglearn.estimators.mixture import GaussianMixture

_MOST_FEATURES = 6
_SETTINGS = (
    "covariance_type",
    "n_factors",
    "family",
    "scaling",
    "init_params",
    "n_init",
    "tol",
    "reg_covar",
    "prior",
    "resolution",
    "max_ratio",
    "max_iter",
    "max_time",
)


def _plain(value: Any) -> Any:
    """Turn NaN and infinity, which JSON cannot hold, into null, however deep they lie."""
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON that every program reads, with null for NaN and infinity."""
    return json.dumps(_plain(value), indent=indent, allow_nan=False)


def describe(estimator: "GaussianMixture", **known: Any) -> dict[str, Any]:
    """Collect how a model was made, in values that JSON can hold.

    Parameters
    ----------
    estimator : GaussianMixture
        After `fit`.
    **known
        Further facts: method, seed, name of the data, rows, seconds.
    """
    fitted = {
        "log_likelihood": float(estimator.lower_bound_),
        "converged": bool(estimator.converged_),
        "n_iter": int(estimator.n_iter_),
        "n_reseeded": int(estimator.n_reseeded_),
        "n_raised": int(estimator.n_raised_),
    }
    settings = {name: getattr(estimator, name) for name in _SETTINGS}
    history = [dataclasses.asdict(move) for move in summarise(estimator.history_)]
    about = {"biglearn": __version__, **known, **settings, **fitted, "history": history}
    plain: dict[str, Any] = _plain(about)
    return plain


def as_json(model: Model) -> dict[str, Any]:
    """Return a model's parameters and its info as one JSON object."""
    mixture = model.mixture
    return {
        "n_components": mixture.n_components,
        "n_features": mixture.n_features,
        "feature_names": None if mixture.feature_names is None else list(mixture.feature_names),
        "weights": mixture.weights.tolist(),
        "means": mixture.means.tolist(),
        "covariances": mixture.covariances.tolist(),
        **{name: column.tolist() for name, column in mixture.named_shapes.items()},
        "info": model.info,
    }


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:.6g}" if isinstance(value, float) else escape(printable(str(value)))


def _facts(model: Model) -> Table:
    table = Table(show_header=False, box=None, title="Model", title_justify="left")
    table.add_row("components", str(model.mixture.n_components))
    table.add_row("features", str(model.mixture.n_features))
    for name, value in model.info.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {entry}" for key, entry in value.items())
        if not isinstance(value, list):
            table.add_row(_text(name.replace("_", " ")), _text(value))
    return table


def _components(model: Model) -> Table:
    mixture = model.mixture
    names = mixture.feature_names or tuple(f"x{j}" for j in range(mixture.n_features))
    table = Table(title="Components, heaviest first", title_justify="left", box=None)
    columns = ("k", "weight", *(f"mean {_text(name)}" for name in names[:_MOST_FEATURES]))
    for column in (*columns, *mixture.named_shapes):
        table.add_column(column, justify="right")
    for k in mixture.weights.argsort()[::-1]:
        means = [_text(float(value)) for value in mixture.means[k, :_MOST_FEATURES]]
        shapes = [_text(float(column[k])) for column in mixture.named_shapes.values()]
        table.add_row(str(k), f"{mixture.weights[k]:.4f}", *means, *shapes)
    if len(names) > _MOST_FEATURES:
        table.caption = f"{len(names) - _MOST_FEATURES} more features: see --json"
    return table


def _history(moves: list[Any]) -> Table:
    table = Table(title="Steps of the fit", title_justify="left", box=None)
    for column in ("move", "steps", "accepted", "gain", "passes", "seconds"):
        table.add_column(column, justify="left" if column == "move" else "right")
    for move in moves:
        if isinstance(move, Mapping):
            table.add_row(*(_text(move.get(column.header)) for column in table.columns))
    return table


def model_report(model: Model) -> RenderableType:
    """Lay out a model for reading."""
    parts: list[RenderableType] = [_facts(model), "", _components(model)]
    history = model.info.get("history")
    if isinstance(history, list) and history:
        parts += ["", _history(history)]
    return Group(*parts)


def contest_report(problem: "Problem", outcomes: "Sequence[Outcome]") -> RenderableType:
    """Lay out the results of every method on one problem of the demo."""
    table = Table(title=problem.title, title_justify="left")
    table.add_column("method")
    heads = ("train", "held out", "ARI", "smallest π", "seconds", "to the level")
    for head in heads:
        table.add_column(head, justify="right")
    for outcome in outcomes:
        table.add_row(
            outcome.method,
            f"{outcome.train_log_likelihood:.4f}",
            f"{outcome.test_log_likelihood:.4f}",
            f"{outcome.test_ari:.3f}",
            f"{outcome.smallest_weight:.4f}",
            f"{outcome.seconds:.1f}" if outcome.seconds else "–",
            "–" if outcome.level_seconds is None else f"{outcome.level_seconds:.2f}",
        )
    table.caption = (
        "train, held out: mean log-likelihood per row; ARI on held-out rows; to the level: "
        "seconds until train is what scikit-learn's starts end with"
    )
    return table
