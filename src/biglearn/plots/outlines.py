"""Components as ellipses in two features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array
from biglearn.model.mixture import Mixture
from biglearn.plots.base import colour_of, columns_of, current_axes, name_of, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def ellipses(
    mixture: Mixture,
    X: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    features: Sequence[int | str] = (0, 1),
    labels: ArrayLike | None = None,
    deviations: float = 2.0,
) -> Axes:
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
    >>> from biglearn.plots import ellipses
    >>> mixture = Mixture([0.5, 0.5], [[0.0, 0.0], [3.0, 1.0]], [np.eye(2), np.eye(2)])
    >>> ax = ellipses(mixture, ax=Figure().subplots())
    >>> len(ax.patches)
    2
    """
    if len(features) != 2:
        raise ValueError(f"features must name two features, got {list(features)}")
    shadow = mixture.marginal(features)
    axes, columns = current_axes(ax), columns_of(mixture, features, 2)
    if X is not None:
        _points(axes, np.asarray(X), columns, labels)
    outlines(axes, shadow, deviations)
    across, up = (name_of(mixture, column) for column in columns)
    axes.set(xlabel=across, ylabel=up)
    axes.autoscale_view()
    return axes


def _points(axes: Axes, X: Array, positions: list[int], labels: ArrayLike | None) -> None:
    shown = thinned(len(X))
    across, up = X[shown][:, positions].T
    if labels is None:
        axes.scatter(across, up, s=4, color="0.6", linewidths=0)
    else:
        codes = np.unique(np.asarray(labels), return_inverse=True)[1][shown]
        axes.scatter(across, up, s=6, c=codes, cmap="tab10", alpha=0.6, linewidths=0)


def outlines(
    axes: Axes, shadow: Mixture, deviations: float = 2.0, *, is_coloured: bool = False
) -> None:
    """Draw the components of a mixture in two features; heavier ones have stronger lines.

    Parameters
    ----------
    axes : matplotlib Axes
    shadow : Mixture
        Of two features.
    deviations : float
        Size of the ellipses.
    is_coloured : bool
        Whether each has its component's colour, and its number at the mean.
    """
    from matplotlib.patches import Ellipse

    values, vectors = np.linalg.eigh(shadow.covariances)
    lengths = 2 * deviations * np.sqrt(np.maximum(values, 0))
    angles = np.degrees(np.arctan2(vectors[:, 1, 1], vectors[:, 0, 1]))
    strength = 0.35 + 0.65 * shadow.weights / shadow.weights.max()
    for k, (mean, (minor, major), angle, alpha) in enumerate(
        zip(shadow.means, lengths, angles, strength, strict=True)
    ):
        outline = Ellipse(
            (mean[0], mean[1]),
            major,
            minor,
            angle=angle,
            fill=False,
            alpha=alpha,
            edgecolor=colour_of(k) if is_coloured else "tab:red",
            linewidth=1.4,
        )
        axes.add_patch(outline)
        if is_coloured:
            number(axes, k, mean[0], mean[1])


def number(axes: Axes, k: int, across: float, up: float) -> None:
    """Write a component's number at a place, readable on whatever lies below."""
    box = {"boxstyle": "circle,pad=0.15", "fc": "white", "ec": colour_of(k), "alpha": 0.9}
    axes.text(
        across, up, str(k), ha="center", va="center", fontsize=8, bbox=box, clip_on=True, zorder=5
    )
