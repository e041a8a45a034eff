"""Components side by side: their profiles, and their alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from biglearn._types import Array
from biglearn.model.checks import Feature
from biglearn.model.profiles import profiles
from biglearn.plots.base import Display, colour_of, columns_of, mixture_of, name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: A colour scale ends here, in standard deviations; and no more cells than this are labelled.
_FAR, _MOST_CELLS = 3.0, 150


class ProfilesDisplay(Display):
    """Which features tell each component from the rest, as a map of colours.

    A cell is the difference of the component's mean from that of all others, in pooled
    standard deviations: orange is more than the rest, purple is less.

    Parameters
    ----------
    values : array of shape (K, d)
    names : sequence of d str
        Of the features.

    Attributes
    ----------
    image_ : matplotlib AxesImage
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import Mixture
    >>> from biglearn.plots import ProfilesDisplay
    >>> mixture = Mixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], [np.eye(2), np.eye(2)])
    >>> display = ProfilesDisplay.from_estimator(mixture, ax=Figure().subplots())
    >>> display.image_.get_array().data
    array([[-2.,  0.],
           [ 2.,  0.]])
    """

    def __init__(self, values: Array, names: Sequence[str]) -> None:
        self.values, self.names = values, list(names)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        features: Sequence[Feature] | None = None,
        ax: Axes | Figure | None = None,
    ) -> Self:
        """Draw the profiles of a fitted estimator or mixture.

        Parameters
        ----------
        estimator : fitted estimator or Mixture
        features : sequence of int or str, default=None
            None takes the twelve whose means differ most between components.
        ax : matplotlib Axes or Figure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.
        """
        mixture = mixture_of(estimator)
        columns = columns_of(mixture, features, 12)
        names = [name_of(mixture, column) for column in columns]
        return cls(profiles(mixture)[:, columns], names).plot(ax=ax)

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        K, d = self.values.shape
        axes = self._begin(ax, (2.8 + 0.65 * d, 2.4 + 0.36 * K))
        self.image_ = axes.imshow(
            self.values, cmap="PuOr_r", vmin=-_FAR, vmax=_FAR, aspect="auto", interpolation="none"
        )
        if K * d <= _MOST_CELLS:
            for (k, j), value in np.ndenumerate(self.values):
                ink = "white" if abs(value) > 0.75 * _FAR else "black"
                axes.text(j, k, f"{value:+.1f}", ha="center", va="center", color=ink, fontsize=7)
        axes.set_xticks(range(d), self.names, rotation=45, ha="right", rotation_mode="anchor")
        shown = range(0, K, -(-K // 30))
        axes.set_yticks(list(shown), [f"component {k}" for k in shown])
        bar = self.figure_.colorbar(self.image_, ax=axes, extend="both")
        bar.set_label("off the rest, in deviations", fontsize="small")
        return self


class AlarmsDisplay(Display):
    """The components that raise an alarm: those that follow single rows, few rows or the floor.

    Across are the rows of each component, and up is by how much these are denser with
    themselves than under the fit without them: a good component of many rows is low.

    Parameters
    ----------
    rows : sequence of K float
    gaps : sequence of K float
        In nats per row.
    alarms : sequence of K lists of str

    Attributes
    ----------
    points_ : list of matplotlib Line2D
        One for each component; those in alarm are filled.
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import GaussianMixture
    >>> from biglearn.plots import AlarmsDisplay
    >>> X = np.random.default_rng(0).normal(size=(200, 2)) + [[0, 0], [8, 0]] * 100
    >>> model = GaussianMixture(2, random_state=0).fit(X)
    >>> display = AlarmsDisplay.from_estimator(model, ax=Figure().subplots())
    >>> display.ax_.get_title()
    'no alarms'
    """

    def __init__(
        self, rows: Sequence[float], gaps: Sequence[float], alarms: Sequence[Sequence[str]]
    ) -> None:
        self.rows, self.gaps, self.alarms = list(rows), list(gaps), [list(one) for one in alarms]

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | Figure | None = None) -> Self:
        """Draw the alarms of a fitted estimator.

        Parameters
        ----------
        estimator : GaussianMixture or Summary
            Fitted, or the summary of one.
        ax : matplotlib Axes or Figure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.

        Raises
        ------
        ValueError
            If the fit was not judged, as after `partial_fit` or of an old model file.
        """
        model = getattr(estimator, "model_", estimator)
        summary = model.summary() if hasattr(model, "summary") else model
        info: Mapping[str, Any] = summary.info
        lacking = [name for name in ("rows", "gaps", "alarms") if name not in info]
        if lacking:
            raise ValueError(
                f"this fit was not judged, so that its {', '.join(lacking)} are not known; "
                "fit() again on all rows"
            )
        return cls(info["rows"], info["gaps"], info["alarms"]).plot(ax=ax)

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        axes = self._begin(ax)
        self.points_ = []
        for k, (n, gap, words) in enumerate(zip(self.rows, self.gaps, self.alarms, strict=True)):
            (point,) = axes.plot(
                [max(n, 0.1)],
                [max(gap, 1e-4)],
                marker="o",
                markersize=11,
                linestyle="",
                color=colour_of(k),
                fillstyle="full" if words else "none",
                label=f"component {k}: {', '.join(words)}" if words else None,
            )
            self.points_.append(point)
            axes.annotate(
                str(k), (max(n, 0.1), max(gap, 1e-4)), ha="center", va="center", fontsize=7,
                color="white" if words else "black",
            )  # fmt: skip
        raised = sum(map(bool, self.alarms))
        for axis, values in ((axes.xaxis, self.rows), (axes.yaxis, self.gaps)):
            if max(values) > 20 * max(min(values), 1e-4):
                getattr(axes, f"set_{axis.axis_name}scale")("log")
        axes.set(xlabel="rows of the component")
        axes.set(ylabel="nats that its rows gain by themselves")
        axes.margins(0.15)
        axes.set_title(f"{raised} of {len(self.rows)} in alarm" if raised else "no alarms")
        if raised:
            axes.legend(fontsize="small")
        return self
