"""Pictures of mixtures and fits, drawn with matplotlib (extra `plots`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from biglearn.model.mixture import Mixture
from biglearn.search.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from biglearn.search.path import Candidate

__all__ = ["criterion", "ellipses", "likelihood"]

_MOST_POINTS = 5000  # more than this only makes a picture slow and black


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    require_matplotlib()
    from matplotlib import pyplot

    return pyplot.gca()


def require_matplotlib() -> None:
    """Say which extra brings matplotlib, where it is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'biglearn-em[plots]'") from error


def ellipses(
    mixture: Mixture,
    X: ArrayLike | None = None,
    ax: "Axes | None" = None,
    *,
    features: Sequence[int | str] = (0, 1),
    labels: ArrayLike | None = None,
    deviations: float = 2.0,
) -> "Axes":
    """Draw every component's marginal in two features as an ellipse, beside the data.

    Parameters
    ----------
    mixture : Mixture
        D ≥ 2 features.
    X : array-like of shape (N, D), default=None
        Rows to draw as points; of more than 5000, evenly spaced ones are drawn.
    ax : matplotlib Axes, default=None
        Where to draw; None takes pyplot's current axes.
    features : two of int or str, default=(0, 1)
        The features across and up.
    labels : array-like of shape (N,), default=None
        Classes of the rows, which colour the points.
    deviations : float, default=2
        Size of the ellipses in standard deviations; at 2 an ellipse holds 86 % of its component.

    Returns
    -------
    matplotlib Axes
        The ellipses are its `patches`; the heavier the component, the stronger the line.

    Raises
    ------
    ValueError
        If `features` are not two different features of the mixture.
    ImportError
        If matplotlib is needed and not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import Mixture
    >>> mixture = Mixture([0.5, 0.5], [[0.0, 0.0], [3.0, 1.0]], [np.eye(2), np.eye(2)])
    >>> ax = ellipses(mixture, ax=Figure().subplots())
    >>> len(ax.patches)
    2
    """
    if len(features) != 2:
        raise ValueError(f"features must name two features, got {list(features)}")
    shadow = mixture.marginal(features)
    axes = _axes(ax)
    if X is not None:
        _points(axes, np.asarray(X), _positions(mixture, features), labels)
    _outlines(axes, shadow, deviations)
    across, up = (
        feature if isinstance(feature, str) else _name(mixture, feature) for feature in features
    )
    axes.set(xlabel=across, ylabel=up)
    axes.autoscale_view()
    return axes


def _name(mixture: Mixture, feature: int) -> str:
    return mixture.feature_names[feature] if mixture.feature_names else f"feature {feature}"


def _positions(mixture: Mixture, features: Sequence[int | str]) -> list[int]:
    names = mixture.feature_names or ()
    return [names.index(name) if isinstance(name, str) else name for name in features]


def _points(axes: "Axes", X: np.ndarray, positions: list[int], labels: ArrayLike | None) -> None:
    shown = np.linspace(0, len(X) - 1, min(len(X), _MOST_POINTS)).astype(int)
    across, up = X[shown][:, positions].T
    if labels is None:
        axes.scatter(across, up, s=4, color="0.6", linewidths=0)
    else:
        codes = np.unique(np.asarray(labels), return_inverse=True)[1][shown]
        axes.scatter(across, up, s=6, c=codes, cmap="tab10", alpha=0.6, linewidths=0)


def _outlines(axes: "Axes", shadow: Mixture, deviations: float) -> None:
    from matplotlib.patches import Ellipse

    values, vectors = np.linalg.eigh(shadow.covariances)
    lengths = 2 * deviations * np.sqrt(np.maximum(values, 0))
    angles = np.degrees(np.arctan2(vectors[:, 1, 1], vectors[:, 0, 1]))
    strength = 0.35 + 0.65 * shadow.weights / shadow.weights.max()
    for mean, (minor, major), angle, alpha in zip(
        shadow.means, lengths, angles, strength, strict=True
    ):
        outline = Ellipse(
            (mean[0], mean[1]),
            major,
            minor,
            angle=angle,
            fill=False,
            alpha=alpha,
            edgecolor="tab:red",
            linewidth=1.4,
        )
        axes.add_patch(outline)


def likelihood(histories: Mapping[str, Iterable[Record]], ax: "Axes | None" = None) -> "Axes":
    """Draw the best log-likelihood so far over the seconds of one or more fits.

    Parameters
    ----------
    histories : mapping of str to records
        `estimator.history_` of each fit under the name to show.
    ax : matplotlib Axes, default=None
        Where to draw; None takes pyplot's current axes.

    Returns
    -------
    matplotlib Axes
        One line for each fit, in the order given.

    Raises
    ------
    ImportError
        If matplotlib is needed and not installed.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> steps = [Record(0, "em", -3.0, -3.0, True, 1, 0, 0, 0.1),
    ...          Record(1, "em", -2.5, -2.5, True, 2, 0, 0, 0.2)]
    >>> ax = likelihood({"plain EM": steps}, Figure().subplots())
    >>> [line.get_label() for line in ax.lines]
    ['plain EM']
    """
    axes = _axes(ax)
    for name, history in histories.items():
        known = [(r.seconds, r.best) for r in history if np.isfinite(r.best)]
        seconds, best = np.array(known).reshape(-1, 2).T
        end = [len(best) - 1] if len(best) else []
        axes.plot(seconds, best, drawstyle="steps-post", marker="o", markevery=end, label=name)
    axes.set(xlabel="seconds", ylabel="best log-likelihood per row", xscale="log")
    axes.legend()
    return axes


def criterion(
    candidates: "Iterable[Candidate]",
    name: str = "bic",
    *,
    best: "Candidate | None" = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a criterion over the number of components, one line for each structure.

    Parameters
    ----------
    candidates : iterable of Candidate
        Those of a `Selection`.
    name : {"bic", "icl", "aic", "heldout", "log_likelihood"}, default="bic"
        Criterion to draw.
    best : Candidate, default=None
        The one to mark.
    ax : matplotlib Axes, default=None
        Where to draw; None takes pyplot's current axes.

    Returns
    -------
    matplotlib Axes
        The lines come in the order of the structures, the mark last.

    Raises
    ------
    ImportError
        If matplotlib is needed and not installed.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> from biglearn import select_mixture
    >>> X = np.random.default_rng(0).normal(size=(60, 1))
    >>> ax = criterion(select_mixture(X, [1, 2]).candidates, ax=Figure().subplots())
    >>> ax.lines[0].get_xdata().tolist()
    [1, 2]
    """
    axes = _axes(ax)
    lines: dict[str, list[tuple[int, float]]] = {}
    for one in candidates:
        lines.setdefault(one.covariance_type, []).append((one.n_components, getattr(one, name)))
    for kind, points in lines.items():
        across, up = zip(*points, strict=True)
        axes.plot(across, up, marker="o", markersize=3, label=kind)
    if best is not None:
        axes.plot([best.n_components], [getattr(best, name)], "k*", markersize=12, label="chosen")
    axes.set(xlabel="components K", ylabel=name.replace("_", " "))
    axes.legend()
    return axes
