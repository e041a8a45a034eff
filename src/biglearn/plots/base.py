"""What every picture needs: axes, colours, rows and names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from biglearn._types import Array, IntArray
from biglearn.display import printable
from biglearn.model.checks import Feature, check_rows, feature_columns
from biglearn.model.mixture import Mixture
from biglearn.model.noise import NoisyMixture
from biglearn.model.profiles import telling
from biglearn.tables.containers import numbers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: More points than this only make a picture slow and black.
MOST_POINTS = 5000

#: Most components that a legend names; the numbers at the means name all.
MOST_NAMED = 12

#: Colours that people with any colour vision tell apart, by M. Okabe and K. Ito, without the
#: yellow, which is too pale on white.  From the eighth component on the marker changes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
NOISE_COLOUR = "#999999"


class Display:
    """Base class of pictures: where they were drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After `plot`.
    figure_ : matplotlib Figure
    """

    ax_: Axes
    figure_: Figure

    def _begin(self, ax: Any, size: tuple[float, float] = (6.4, 4.4)) -> Axes:
        """Return the axes to draw on: those given, or new ones in a figure of the size."""
        is_place = ax is None or hasattr(ax, "add_subplot")
        axes: Axes = self._figure(ax, size).subplots() if is_place else ax
        self.ax_, self.figure_ = axes, figure_of(axes)
        return axes

    def _figure(self, given: Any, size: tuple[float, float]) -> Any:
        """Return an empty figure of the size: the one given, or one of pyplot."""
        if given is None:
            require_matplotlib()
            from matplotlib import pyplot

            given = pyplot.figure()
        if hasattr(given, "set_layout_engine"):  # a part of a figure keeps its place
            given.set_size_inches(*size)
            given.set_layout_engine("constrained")
        return given


def current_axes(ax: Axes | None) -> Axes:
    """Return the axes to draw on: those given, or pyplot's current ones."""
    if ax is not None:
        return ax
    require_matplotlib()
    from matplotlib import pyplot

    return pyplot.gca()


def figure_of(ax: Axes) -> Figure:
    """Return the whole figure that axes lie in."""
    figure: Any = ax.get_figure(root=True)
    return figure  # type: ignore[no-any-return]


def blank_figure() -> Figure:
    """Return a figure that pyplot does not know, for a file."""
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure()


def require_matplotlib() -> None:
    """Say which extra brings matplotlib, where it is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'biglearn-em[plots]'") from error


def colour_of(k: int) -> str:
    """Return the colour of a component, -1 for noise."""
    return NOISE_COLOUR if k < 0 else COLOURS[k % len(COLOURS)]


def marker_of(k: int) -> str:
    """Return the marker of a component, which tells those of one colour apart."""
    return "x" if k < 0 else MARKERS[k // len(COLOURS) % len(MARKERS)]


def mixture_of(model: Any) -> Mixture:
    """Return a mixture, or that of whatever has fitted one.

    Raises
    ------
    TypeError
        If it is neither.
    """
    found = getattr(model, "mixture_", model)
    if not isinstance(found, Mixture):
        raise TypeError(
            f"a picture needs a fitted estimator or a Mixture, got {type(model).__name__}; "
            "call fit() first"
        )
    return found


def distribution_of(model: Any) -> Mixture | NoisyMixture:
    """Return the distribution of a fitted estimator: its mixture, with its noise if it has any."""
    mixture, noise = mixture_of(model), getattr(model, "noise_", None)
    return mixture if noise is None else NoisyMixture(mixture, noise)


def rows_of(X: Any, mixture: Mixture, most: int | None = MOST_POINTS) -> Array:
    """Return rows with the mixture's columns, evenly spaced ones of more than `most`.

    Columns of a frame are found by name, where the mixture has names.
    """
    values, names = numbers_of(X)
    values = np.asarray(values)
    if names is not None and mixture.feature_names is not None:
        lacking = [name for name in mixture.feature_names if name not in names]
        if lacking:
            raise ValueError(f"X lacks the columns {lacking} that the model was fitted on")
        values = values[:, [list(names).index(name) for name in mixture.feature_names]]
    rows = np.asarray(check_rows(values, mixture.n_features), dtype=np.float64)
    return rows[thinned(len(rows), most)]


def thinned(n_rows: int, most: int | None = MOST_POINTS) -> IntArray:
    """Return the places of evenly spaced rows."""
    size = n_rows if most is None else min(n_rows, most)
    return np.linspace(0, n_rows - 1, size).astype(int)


def columns_of(mixture: Mixture, features: Sequence[Feature] | None, most: int) -> list[int]:
    """Return the columns of features, the most telling ones where none are named."""
    if features is None:
        return telling(mixture, most)
    found = feature_columns(features, mixture.feature_names, mixture.n_features)
    return [int(j) for j in found]


def name_of(mixture: Mixture, column: int) -> str:
    """Return the name of a feature, as text that a picture shows as it is."""
    names = mixture.feature_names
    return f"feature {column}" if names is None else plain(names[column])


def plain(text: str, most: int = 40) -> str:
    """Return text without formulas in dollars, and not too long for an axis."""
    short = printable(text)
    short = short if len(short) <= most else short[: most - 1] + "…"
    return short.replace("$", r"\$")


def span(mixture: Mixture, rows: Array | None, column: int) -> tuple[float, float]:
    """Return from where to where to draw a feature: its rows but for a few far away."""
    seen = np.array([]) if rows is None else rows[:, column][~np.isnan(rows[:, column])]
    if not len(seen):
        shadow = mixture.marginal([column])
        half = 3 * np.sqrt(shadow.covariances[:, 0, 0])
        return float((shadow.means[:, 0] - half).min()), float((shadow.means[:, 0] + half).max())
    first, last = np.quantile(seen, [0.01, 0.99])
    width = last - first or max(abs(last), 1.0) * 0.1
    low, high = max(seen.min(), first - width), min(seen.max(), last + width)
    return float(low - 0.04 * width), float(high + 0.04 * width)


def labelled(weights: Iterable[float], k: int) -> str:
    """Return the name of a component in a legend."""
    return f"component {k} ({100 * list(weights)[k]:.0f} %)"


def legend(axes: Axes, n_entries: int, **where: Any) -> None:
    """Draw a legend, in two columns where there are many entries."""
    axes.legend(ncols=1 + (n_entries > 6), fontsize="small", **where)
