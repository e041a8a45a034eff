"""Reports on a model, for people and as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table

from biglearn.io import Model, load_model
from biglearn.report.summary import Summary

if TYPE_CHECKING:
    from biglearn.cli.demo import Outcome, Problem
    from biglearn.estimators.mixture import GaussianMixture


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
        Further facts, or better ones: method, seed, name of the data, rows, seconds.
    """
    plain: dict[str, Any] = _plain({**known, **estimator.summary().info, **known})
    return plain


def summary_of(path: Path) -> Summary:
    """Read a model file as a summary."""
    loaded = load_model(path)
    return Summary(loaded.mixture, loaded.info)


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
