"""All pairs of some features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, IntArray
from biglearn.model.checks import Feature
from biglearn.model.mixture import Mixture
from biglearn.plots.base import (
    MOST_NAMED,
    Display,
    colour_of,
    columns_of,
    distribution_of,
    labelled,
    mixture_of,
    name_of,
    rows_of,
    span,
)
from biglearn.plots.density import draw_marginal
from biglearn.plots.outlines import outlines

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class PairsDisplay(Display):
    """Every pair of some features, with ellipses, and every one with its marginal density.

    Parameters
    ----------
    mixture : Mixture
    rows : array of shape (n, D) or None
    labels : array of shape (n,) or None
        Component of each row, -1 for noise.
    columns : sequence of int
        Of the features.

    Attributes
    ----------
    axes_ : array of shape (d, d)
        The axes: marginals on the diagonal, pairs below it, None above.
    ax_, figure_ : matplotlib Axes and Figure
        The first of them, and the whole.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import Mixture
    >>> from biglearn.plots import PairsDisplay
    >>> mixture = Mixture([0.5, 0.5], [[0.0, 0.0, 1.0], [3.0, 1.0, 0.0]], [np.eye(3), np.eye(3)])
    >>> X, _ = mixture.sample(200, 0)
    >>> display = PairsDisplay.from_estimator(mixture, X, figure=Figure())
    >>> display.axes_.shape, len(display.axes_[2, 0].patches)
    ((3, 3), 2)
    """

    def __init__(
        self, mixture: Mixture, rows: Array | None, labels: IntArray | None, columns: Sequence[int]
    ) -> None:
        self.mixture, self.rows, self.labels = mixture, rows, labels
        self.columns = list(columns)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        features: Sequence[Feature] | None = None,
        figure: Any = None,
    ) -> Self:
        """Draw the pairs of a fitted estimator or mixture.

        Parameters
        ----------
        estimator : fitted estimator or Mixture
        X : array-like of shape (N, D), default=None
            Rows to draw, coloured by component; of more than 5000, evenly spaced ones.
        features : sequence of int or str, default=None
            None takes the four whose means differ most between components.
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.
        """
        mixture = mixture_of(estimator)
        columns = columns_of(mixture, features, 4)
        if X is None:
            return cls(mixture, None, None, columns).plot(figure=figure)
        rows = rows_of(X, mixture)
        return cls(mixture, rows, distribution_of(estimator).labels(rows), columns).plot(
            figure=figure
        )

    def plot(self, *, figure: Any = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        size = len(self.columns)
        side = max(2.0 * size, 6.0)
        figure = self._figure(figure, (side, side))
        self.axes_ = np.full((size, size), None, dtype=object)
        for i in range(size):
            for j in range(i + 1):
                above = self.axes_[j, j] if i > j else None
                axes = self.axes_[i, j] = figure.add_subplot(
                    size, size, i * size + j + 1, sharex=above
                )
                self._panel(axes, i, j)
        self.ax_, self.figure_ = self.axes_[0, 0], figure
        self._name(figure)
        return self

    def _panel(self, axes: Axes, i: int, j: int) -> None:
        up, across = self.columns[i], self.columns[j]
        if i == j:
            draw_marginal(axes, self.mixture, self.rows, across)
            axes.set(yticks=[])
        else:
            if self.rows is not None and self.labels is not None:
                colours = [colour_of(k) for k in self.labels]
                right, high = self.rows[:, [across, up]].T
                axes.scatter(right, high, s=3, c=colours, alpha=0.5, linewidths=0)
            outlines(axes, self.mixture.marginal([across, up]), is_coloured=True)
            axes.set(ylim=span(self.mixture, self.rows, up))
        last = i == len(self.columns) - 1
        axes.set(
            xlabel=name_of(self.mixture, across) if last else "",
            ylabel=name_of(self.mixture, up) if j == 0 and i > 0 else "",
        )
        axes.tick_params(labelsize=7, labelbottom=last, labelleft=j == 0 and i > 0)

    def _name(self, figure: Any) -> None:
        """Draw the legend of the heaviest components, in the empty corner above the diagonal."""
        from matplotlib.lines import Line2D

        heaviest = np.argsort(-self.mixture.weights, kind="stable")[:MOST_NAMED]
        handles = [
            Line2D([], [], color=colour_of(k), label=labelled(self.mixture.weights, k))
            for k in heaviest
        ]
        if self.labels is not None and (self.labels < 0).any():
            handles.append(Line2D([], [], color=colour_of(-1), label="noise"))
        small = len(self.columns) < 3
        figure.legend(
            handles=handles,
            loc="outside upper center" if small else "upper right",
            ncols=2 if small else 1,
            fontsize="small",
        )
