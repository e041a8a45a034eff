"""Rows under a mixture: whose they are, how usual they are, and what follows for one feature."""

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
    plain,
    rows_of,
    span,
    thinned,
)
from biglearn.tables.containers import as_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Points of the grid across, and of that up.
_ACROSS, _UP = 120, 400


class ResponsibilitiesDisplay(Display):
    """The responsibilities of all rows, side by side: each row is a thin column of colours.

    Rows of one colour are surely a component's; where colours mix, rows are in doubt.

    Parameters
    ----------
    responsibilities : array of shape (n, K), or (n, K + 1) with noise last
    n_components : int
        K.

    Attributes
    ----------
    areas_ : list of matplotlib PolyCollection
        One for each component, and for the noise.
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import Mixture
    >>> from biglearn.plots import ResponsibilitiesDisplay
    >>> mixture = Mixture([0.5, 0.5], [[0.0], [3.0]], [[[1.0]], [[1.0]]])
    >>> X, _ = mixture.sample(200, 0)
    >>> display = ResponsibilitiesDisplay.from_estimator(mixture, X, ax=Figure().subplots())
    >>> len(display.areas_)
    2
    """

    def __init__(self, responsibilities: Array, n_components: int) -> None:
        self.responsibilities, self.n_components = responsibilities, n_components

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, *, ax: Axes | Figure | None = None
    ) -> Self:
        """Draw the responsibilities of rows under a fitted estimator or mixture.

        Parameters
        ----------
        estimator : fitted estimator or Mixture
        X : array-like of shape (N, D)
            Of more than 5000 rows evenly spaced ones are drawn.
        ax : matplotlib Axes or Figure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.
        """
        mixture = mixture_of(estimator)
        shares = distribution_of(estimator).responsibilities(rows_of(X, mixture))
        return cls(shares, mixture.n_components).plot(ax=ax)

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        axes = self._begin(ax, (7.0, 3.2))
        shares = self.responsibilities
        labels = shares.argmax(axis=1)
        order = np.lexsort([-shares.max(axis=1), labels])
        places = np.arange(len(shares) + 1)
        numbers = [k if k < self.n_components else -1 for k in range(shares.shape[1])]
        stacked = np.cumsum(shares[order], axis=1)
        floor = np.zeros(len(shares))
        self.areas_ = []
        for k, top in zip(numbers, stacked.T, strict=True):
            low, high = (np.append(edge, edge[-1:]) for edge in (floor, top))
            self.areas_.append(
                axes.fill_between(
                    places,
                    low,
                    high,
                    step="post",
                    color=colour_of(k),
                    linewidth=0,
                    hatch="///" if k >= 7 else None,
                    label="noise" if k < 0 else f"component {k}",
                )
            )
            floor = top
        axes.set(xlim=(0, len(shares)), ylim=(0, 1), xlabel="rows, by component")
        axes.set(ylabel="responsibility")
        self._number(axes, labels)
        if len(numbers) <= MOST_NAMED:
            axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
        return self

    def _number(self, axes: Axes, labels: Array) -> None:
        """Write each component's number above its rows, where there is room."""
        counts = np.bincount(labels, minlength=self.responsibilities.shape[1])
        middles = np.cumsum(counts) - counts / 2
        for k, (count, middle) in enumerate(zip(counts, middles, strict=True)):
            if count > 0.02 * len(labels) and k < self.n_components:
                axes.text(middle, 1.02, str(k), ha="center", va="bottom", fontsize=8)


class AnomaliesDisplay(Display):
    """How usual the rows are: their log-densities, and a threshold below which they are rare.

    Parameters
    ----------
    scores : array of shape (n,)
        Log-densities.
    threshold : float

    Attributes
    ----------
    line_ : matplotlib Line2D
        The threshold.
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import Mixture
    >>> from biglearn.plots import AnomaliesDisplay
    >>> mixture = Mixture([1.0], [[0.0]], [[[1.0]]])
    >>> X, _ = mixture.sample(200, 0)
    >>> display = AnomaliesDisplay.from_estimator(mixture, X, ax=Figure().subplots())
    >>> int((display.scores < display.threshold).sum())
    2
    """

    def __init__(self, scores: Array, threshold: float) -> None:
        self.scores, self.threshold = scores, threshold

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, *, share: float = 0.01, ax: Axes | Figure | None = None
    ) -> Self:
        """Draw the log-densities of rows under a fitted estimator or mixture.

        Parameters
        ----------
        estimator : fitted estimator or Mixture
        X : array-like of shape (N, D)
        share : float, default=0.01
            Share of the rows below the threshold; an anomaly detector has a threshold of its
            own, `offset_`.
        ax : matplotlib Axes or Figure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.
        """
        scores = distribution_of(estimator).log_density(rows_of(X, mixture_of(estimator), None))
        own = getattr(estimator, "offset_", None)
        threshold = float(np.quantile(scores, share) if own is None else own)
        return cls(scores, threshold).plot(ax=ax)

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        axes = self._begin(ax)
        known = self.scores[np.isfinite(self.scores)]
        low = min(float(np.quantile(known, 0.001)), self.threshold) if len(known) else 0.0
        inside = np.maximum(known, low - 0.05 * (known.max() - low) if len(known) else 0.0)
        axes.hist(inside, bins=60, color=colour_of(0), alpha=0.8)
        self.line_ = axes.axvline(self.threshold, color=colour_of(1), linestyle="--")
        below = int((self.scores < self.threshold).sum())
        told = f"{below} of {len(self.scores)} rows are below {self.threshold:.3g}"
        axes.set(xlabel="log-density of a row: the lower, the more unusual", ylabel="rows")
        axes.set(title=told, yscale="log")
        return self


class RegressionDisplay(Display):
    """What follows from one feature for another: the median, and bands that hold 50 and 90 %.

    Parameters
    ----------
    across : array of shape (n,)
        Values of the one feature.
    quantiles : array of shape (5, n)
        5, 25, 50, 75 and 95 % of the other.
    rows : array of shape (m, 2) or None
    names : pair of str

    Attributes
    ----------
    line_ : matplotlib Line2D
        The median.
    bands_ : list of matplotlib PolyCollection
        The wide one and the narrow one.
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import BigLearnRegressor
    >>> from biglearn.plots import RegressionDisplay
    >>> X = np.random.default_rng(0).uniform(-3, 3, size=(200, 1))
    >>> y = np.abs(X[:, 0]) + 0.1 * np.random.default_rng(1).normal(size=200)
    >>> model = BigLearnRegressor(2, random_state=0).fit(X, y)
    >>> display = RegressionDisplay.from_estimator(model, X, y, ax=Figure().subplots())
    >>> len(display.bands_)
    2
    """

    def __init__(
        self, across: Array, quantiles: Array, rows: Array | None, names: Sequence[str]
    ) -> None:
        self.across, self.quantiles, self.rows, self.names = across, quantiles, rows, names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        feature: Feature = 0,
        target: Feature = -1,
        ax: Axes | Figure | None = None,
    ) -> Self:
        """Draw one feature given another, under a regressor, an estimator or a mixture.

        Parameters
        ----------
        estimator : BigLearnRegressor, fitted estimator or Mixture
        X : array-like of shape (N, D)
        y : array-like of shape (N,) or (N, n_outputs), default=None
            Of a regressor, whose mixture has the targets behind the features.
        feature, target : int or str, default=0 and -1
            Columns of the mixture: what is given, and what follows.  All others are left open.
        ax : matplotlib Axes or Figure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.
        """
        mixture = mixture_of(estimator)
        columns = columns_of(mixture, [feature, target], 2)
        joint: Any = X
        if y is not None:
            values = np.asarray(as_array(X), dtype=np.float64)
            joint = np.column_stack([values, np.asarray(as_array(y, "y"), dtype=np.float64)])
        rows = rows_of(joint, mixture, None)
        low, high = span(mixture, rows, columns[0])
        line = np.linspace(low, high, _ACROSS)
        pair = mixture.marginal(columns)
        names = [name_of(mixture, column) for column in columns]
        if y is not None:
            names = _names_of(estimator, columns, names)
        found = _quantiles(pair, line, [0.05, 0.25, 0.5, 0.75, 0.95])
        return cls(line, found, rows[thinned(len(rows))][:, columns], names).plot(ax=ax)

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        axes = self._begin(ax)
        if self.rows is not None:
            axes.scatter(
                self.rows[:, 0], self.rows[:, 1], s=4, color="0.55", linewidths=0, label="rows"
            )
        least, low, median, high, most = self.quantiles
        self.bands_ = [
            axes.fill_between(self.across, *edges, color=colour_of(0), alpha=alpha, label=told)
            for edges, alpha, told in (((least, most), 0.2, "90 %"), ((low, high), 0.4, "50 %"))
        ]
        (self.line_,) = axes.plot(self.across, median, color=colour_of(0), label="median")
        axes.set(xlabel=self.names[0], ylabel=self.names[1])
        legend(axes, 4)
        return self


def _names_of(estimator: Any, columns: Sequence[int], names: Sequence[str]) -> list[str]:
    """Return the names of a feature of a regressor, if it has any, and of its target."""
    known = getattr(estimator, "feature_names_in_", None)
    size = int(estimator.n_features_in_)
    found = []
    for column, name in zip(columns, names, strict=True):
        if column >= size:
            found.append("y" if estimator.n_outputs_ == 1 else f"y{column - size}")
        else:
            found.append(name if known is None else plain(str(known[column])))
    return found


def _quantiles(pair: Mixture, line: Array, shares: Sequence[float]) -> Array:
    """Return quantiles of the second feature at values of the first, shape (len(shares), n)."""
    given = pair.conditional(line[:, None], features=[0])
    spread = np.sqrt(given.covariance[:, 0, 0])
    spread = np.where(np.isfinite(spread), spread, np.sqrt(pair.covariances[:, 1, 1].max()))
    reach = np.linspace(-6, 6, _UP)
    found = np.empty((len(shares), len(line)))
    for i, (mean, width) in enumerate(zip(given.mean[:, 0], spread, strict=True)):
        ups = mean + width * reach
        density = np.exp(given[i].log_density(ups[:, None]))
        held = np.cumsum(density)
        found[:, i] = np.interp(shares, held / held[-1], ups)
    return found
