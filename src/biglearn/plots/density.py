"""Densities over one or two features, and where the components are in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array
from biglearn.model.checks import Feature
from biglearn.model.mixture import Mixture
from biglearn.plots.base import (
    MOST_NAMED,
    Display,
    colour_of,
    columns_of,
    distribution_of,
    legend,
    mixture_of,
    name_of,
    rows_of,
    span,
)
from biglearn.plots.outlines import outlines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Points of a grid, along one axis and in the plane.
_LINE, _PLANE = 400, 160


def draw_marginal(axes: Axes, mixture: Mixture, rows: Array | None, column: int) -> None:
    """Draw one feature: its histogram, the density, and the part of every component."""
    shadow = mixture.marginal([column])
    low, high = span(mixture, rows, column)
    line = np.linspace(low, high, _LINE)
    if rows is not None:
        seen = rows[:, column]
        seen = seen[(seen >= low) & (seen <= high)]
        if len(seen):
            bins = int(np.clip(np.sqrt(len(seen)), 10, 60))
            axes.hist(seen, bins=bins, density=True, color="0.85", label="rows")
    parts = np.exp(shadow.log_joint(line[:, None]))
    for k, part in enumerate(parts.T):
        axes.plot(line, part, color=colour_of(k), linewidth=1.2, label=f"component {k}")
    axes.plot(line, parts.sum(axis=1), color="black", linewidth=1.0, alpha=0.6, label="mixture")
    axes.set(xlabel=name_of(mixture, column), ylabel="density", xlim=(low, high))


class HistogramDisplay(Display):
    """One feature of a mixture over the histogram of the rows.

    Parameters
    ----------
    mixture : Mixture
    rows : array of shape (n, D) or None
    column : int
        Of the feature.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        The lines of `ax_` are the components, by number, and then their sum.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import Mixture
    >>> from biglearn.plots import HistogramDisplay
    >>> mixture = Mixture([0.4, 0.6], [[0.0], [5.0]], [[[1.0]], [[2.0]]])
    >>> X, _ = mixture.sample(500, 0)
    >>> display = HistogramDisplay.from_estimator(mixture, X, ax=Figure().subplots())
    >>> len(display.ax_.lines)
    3
    """

    def __init__(self, mixture: Mixture, rows: Array | None, column: int) -> None:
        self.mixture, self.rows, self.column = mixture, rows, column

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        feature: Feature | None = None,
        ax: Axes | Figure | None = None,
    ) -> Self:
        """Draw a feature of a fitted estimator or mixture.

        Parameters
        ----------
        estimator : fitted estimator or Mixture
        X : array-like of shape (N, D), default=None
            Rows of the histogram.
        feature : int or str, default=None
            None takes the one whose means differ most between components.
        ax : matplotlib Axes or Figure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.
        """
        mixture = mixture_of(estimator)
        (column,) = columns_of(mixture, None if feature is None else [feature], 1)
        rows = None if X is None else rows_of(X, mixture, None)
        return cls(mixture, rows, column).plot(ax=ax)

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        axes = self._begin(ax)
        draw_marginal(axes, self.mixture, self.rows, self.column)
        if self.mixture.n_components <= MOST_NAMED:
            legend(axes, self.mixture.n_components + 2)
        return self


class _PlaneDisplay(Display):
    """A quantity over the plane of two features, with the rows and the components.

    Parameters
    ----------
    mixture : Mixture
    rows : array of shape (n, D) or None
    columns : sequence of int
        Of one or two features.
    doubt : array of shape (n,), default=None
        Of every row: 1 less its largest responsibility.
    """

    def __init__(
        self,
        mixture: Mixture,
        rows: Array | None,
        columns: Sequence[int],
        doubt: Array | None = None,
    ) -> None:
        if len(columns) not in (1, 2):
            raise ValueError(f"features must name one or two features, got {list(columns)}")
        self.mixture, self.rows, self.columns = mixture, rows, list(columns)
        self.doubt = doubt

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        features: Sequence[Feature] | None = None,
        ax: Axes | Figure | None = None,
    ) -> Self:
        """Draw two features of a fitted estimator or mixture.

        Parameters
        ----------
        estimator : fitted estimator or Mixture
        X : array-like of shape (N, D), default=None
            Rows to draw; of more than 5000, evenly spaced ones.
        features : one or two of int or str, default=None
            None takes those whose means differ most between components.
        ax : matplotlib Axes or Figure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.
        """
        mixture = mixture_of(estimator)
        columns = columns_of(mixture, features, 2)
        if X is None:
            return cls(mixture, None, columns).plot(ax=ax)
        rows = rows_of(X, mixture)
        doubt = 1 - distribution_of(estimator).responsibilities(rows).max(axis=1)
        return cls(mixture, rows, columns, doubt).plot(ax=ax)

    def _plane(self) -> tuple[Array, Array, Mixture, Array]:
        """Return the grid across and up, the marginal, and its log-joint on the grid."""
        across, up = (
            np.linspace(*span(self.mixture, self.rows, column), _PLANE) for column in self.columns
        )
        shadow = self.mixture.marginal(self.columns)
        places = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
        return across, up, shadow, shadow.log_joint(places).reshape(_PLANE, _PLANE, -1)

    def _dress(self, axes: Axes, across: Array, up: Array) -> None:
        first, second = (name_of(self.mixture, column) for column in self.columns)
        axes.set(xlabel=first, ylabel=second)
        axes.set(xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        raise NotImplementedError


class DensityDisplay(_PlaneDisplay):
    """The density of a mixture over two features, as contours, with numbered components.

    Of a mixture with one feature it is the density over that feature.

    Parameters
    ----------
    mixture : Mixture
    rows : array of shape (n, D) or None
    columns : sequence of int
        Of one or two features.
    doubt : array of shape (n,), default=None
        Not drawn here.

    Attributes
    ----------
    contours_ : matplotlib QuadContourSet
        Levels hold 10, 30, 50, 70, 90 and 99 % of the density.
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import Mixture
    >>> from biglearn.plots import DensityDisplay
    >>> mixture = Mixture([0.5, 0.5], [[0.0, 0.0], [3.0, 1.0]], [np.eye(2), np.eye(2)])
    >>> display = DensityDisplay.from_estimator(mixture, ax=Figure().subplots())
    >>> len(display.ax_.patches)
    2
    """

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        axes = self._begin(ax)
        if len(self.columns) == 1:
            draw_marginal(axes, self.mixture, self.rows, self.columns[0])
            return self
        across, up, shadow, log_joint = self._plane()
        density = np.exp(log_joint).sum(axis=-1)
        self.contours_ = axes.contourf(across, up, density, _levels(density), cmap="Blues")
        if self.rows is not None:
            right, high = self.rows[:, self.columns].T
            axes.scatter(right, high, s=3, color="0.25", alpha=0.35, linewidths=0)
        outlines(axes, shadow, is_coloured=True)
        self._dress(axes, across, up)
        return self


class UncertaintyDisplay(_PlaneDisplay):
    """Where it is in doubt to which component a row belongs: 1 less its largest responsibility.

    The ground is the doubt that the two features leave; the rows show the doubt that all
    features leave.  Of a mixture with one feature it is a line.

    Parameters
    ----------
    mixture : Mixture
    rows : array of shape (n, D) or None
    columns : sequence of int
        Of one or two features.
    doubt : array of shape (n,), default=None
        Of the rows.

    Attributes
    ----------
    mesh_ : matplotlib QuadMesh
        The ground, of two features.
    points_ : matplotlib PathCollection
        The rows, the larger the more they are in doubt.
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import Mixture
    >>> from biglearn.plots import UncertaintyDisplay
    >>> mixture = Mixture([0.5, 0.5], [[0.0, 0.0], [3.0, 1.0]], [np.eye(2), np.eye(2)])
    >>> display = UncertaintyDisplay.from_estimator(mixture, ax=Figure().subplots())
    >>> bool(display.mesh_.get_array().max() <= 0.5)
    True
    """

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        axes = self._begin(ax)
        if len(self.columns) == 1:
            self._line(axes)
            return self
        across, up, shadow, log_joint = self._plane()
        ground = _doubt(log_joint)
        most = 1 - 1 / max(self.mixture.n_components, 2)
        self.mesh_ = axes.pcolormesh(
            across, up, ground, cmap="Oranges", vmin=0, vmax=most, shading="nearest"
        )
        self.figure_.colorbar(self.mesh_, ax=axes, label="1 − largest responsibility")
        if self.rows is not None and self.doubt is not None:
            right, high = self.rows[:, self.columns].T
            doubt = np.clip(self.doubt / most, 0, 1)
            colours = np.column_stack([np.zeros((len(doubt), 3)), 0.2 + 0.8 * doubt])
            self.points_ = axes.scatter(right, high, s=3 + 30 * doubt, c=colours, linewidths=0)
        outlines(axes, shadow, is_coloured=True)
        self._dress(axes, across, up)
        return self

    def _line(self, axes: Axes) -> None:
        column = self.columns[0]
        line = np.linspace(*span(self.mixture, self.rows, column), _LINE)
        log_joint = self.mixture.marginal([column]).log_joint(line[:, None])
        axes.plot(line, _doubt(log_joint), color="black")
        axes.set(xlabel=name_of(self.mixture, column), ylabel="1 − largest responsibility")


def _doubt(log_joint: Array) -> Array:
    """Return 1 less the largest responsibility, over the last axis."""
    peak = log_joint.max(axis=-1)
    with np.errstate(under="ignore"):
        shares = np.exp(log_joint - peak[..., None])
    return np.asarray(1 - 1 / shares.sum(axis=-1))


def _levels(density: Array) -> Array:
    """Return the levels above which 99, 90, ..., 10 % of the density lie."""
    ranked = np.sort(density.ravel())[::-1]
    held = np.cumsum(ranked) / ranked.sum()
    shares = [0.99, 0.9, 0.7, 0.5, 0.3, 0.1]
    levels = ranked[np.searchsorted(held, shares).clip(0, len(ranked) - 1)]
    return np.unique([*levels, ranked[0] * (1 + 1e-9)])
