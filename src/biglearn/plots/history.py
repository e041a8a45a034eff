"""The way of a fit: likelihood over passes or seconds, and criteria over K."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from biglearn.plots.base import COLOURS, MARKERS, Display, current_axes, legend
from biglearn.search.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from biglearn.search.path import Candidate


def likelihood(histories: Mapping[str, Iterable[Record]], ax: Axes | None = None) -> Axes:
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
    >>> from biglearn import Record
    >>> from biglearn.plots import likelihood
    >>> steps = [Record(0, "em", -3.0, -3.0, True, 1, 0, 0, 0.1),
    ...          Record(1, "em", -2.5, -2.5, True, 2, 0, 0, 0.2)]
    >>> ax = likelihood({"plain EM": steps}, Figure().subplots())
    >>> [line.get_label() for line in ax.lines]
    ['plain EM']
    """
    axes = current_axes(ax)
    for name, history in histories.items():
        known = [(r.seconds, r.best) for r in history if np.isfinite(r.best)]
        seconds, best = np.array(known).reshape(-1, 2).T
        end = [len(best) - 1] if len(best) else []
        axes.plot(seconds, best, drawstyle="steps-post", marker="o", markevery=end, label=name)
    axes.set(xlabel="seconds", ylabel="best log-likelihood per row", xscale="log")
    axes.legend()
    return axes


class HistoryDisplay(Display):
    """The best likelihood of a fit over its passes or seconds, coloured by move.

    Parameters
    ----------
    seconds, passes, best, move : sequence
        Of every step.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The best so far.
    points_ : dict of str to matplotlib Line2D
        The steps of each kind of move.
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import GaussianMixture
    >>> from biglearn.plots import HistoryDisplay
    >>> X = np.random.default_rng(0).normal(size=(200, 2)) + [[0, 0], [8, 0]] * 100
    >>> model = GaussianMixture(2, random_state=0).fit(X)
    >>> display = HistoryDisplay.from_estimator(model, ax=Figure().subplots())
    >>> display.ax_.get_xlabel()
    'passes over the rows'
    """

    def __init__(
        self,
        seconds: Sequence[float],
        passes: Sequence[float],
        best: Sequence[float],
        move: Sequence[str],
    ) -> None:
        self.seconds, self.passes = np.asarray(seconds, float), np.asarray(passes, float)
        self.best, self.move = np.asarray(best, float), [str(name) for name in move]

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, over: str = "passes", ax: Axes | Figure | None = None
    ) -> Self:
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : GaussianMixture
            Fitted, or anything with a `history_`.
        over : {"passes", "seconds"}, default="passes"
            What goes across.
        ax : matplotlib Axes or Figure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.
        """
        known = [record for record in estimator.history_ if math.isfinite(record.best)]
        names = ("seconds", "passes", "best", "move")
        columns = {name: [getattr(record, name) for record in known] for name in names}
        return cls(**columns).plot(over=over, ax=ax)

    def plot(self, *, over: str = "passes", ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        if over not in ("passes", "seconds"):
            raise ValueError(f"over must be 'passes' or 'seconds', got {over!r}")
        axes = self._begin(ax)
        across = self.passes if over == "passes" else self.seconds
        (self.line_,) = axes.plot(across, self.best, color="0.7", drawstyle="steps-post", zorder=1)
        moves, kinds = np.array(self.move), dict.fromkeys(self.move)
        self.points_ = {}
        for i, move in enumerate(kinds):
            mine = moves == move
            (self.points_[move],) = axes.plot(
                across[mine],
                self.best[mine],
                linestyle="",
                marker=MARKERS[i // len(COLOURS) % len(MARKERS)],
                color=COLOURS[i % len(COLOURS)],
                markersize=4,
                label=move,
            )
        told = "passes over the rows" if over == "passes" else "seconds"
        axes.set(xlabel=told, ylabel="best log-likelihood per row")
        if len(self.best):
            low, high = float(np.quantile(self.best, 0.02)), float(self.best.max())
            room = 0.05 * (high - low) or 0.01
            axes.set_ylim(low - room, high + room)  # the first steps would press the rest flat
            legend(axes, len(kinds), loc="lower right")
        return self


def criterion(
    candidates: Iterable[Candidate],
    name: str = "bic",
    *,
    best: Candidate | None = None,
    ax: Axes | None = None,
) -> Axes:
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
    >>> from biglearn.plots import criterion
    >>> X = np.random.default_rng(0).normal(size=(60, 1))
    >>> ax = criterion(select_mixture(X, [1, 2]).candidates, ax=Figure().subplots())
    >>> ax.lines[0].get_xdata().tolist()
    [1, 2]
    """
    axes = current_axes(ax)
    lines: dict[str, list[tuple[int, float]]] = {}
    for one in candidates:
        lines.setdefault(one.covariance_type, []).append((one.n_components, getattr(one, name)))
    for i, (kind, points) in enumerate(lines.items()):
        across, up = zip(*points, strict=True)
        marker = MARKERS[i % len(MARKERS)]
        axes.plot(
            across, up, marker=marker, markersize=4, label=kind, color=COLOURS[i % len(COLOURS)]
        )
    if best is not None:
        axes.plot([best.n_components], [getattr(best, name)], "k*", markersize=12, label="chosen")
    axes.set(xlabel="components K", ylabel=name.replace("_", " "))
    axes.legend()
    return axes


class CriterionDisplay(Display):
    """A criterion over the number of components, with the chosen one marked.

    Parameters
    ----------
    candidates : sequence of Candidate
    name : str
        The criterion.
    best : Candidate or None
        The one to mark.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from biglearn import select_mixture
    >>> from biglearn.plots import CriterionDisplay
    >>> X = np.random.default_rng(0).normal(size=(60, 1))
    >>> found = select_mixture(X, [1, 2])
    >>> display = CriterionDisplay.from_estimator(found, ax=Figure().subplots())
    >>> display.ax_.get_ylabel()
    'bic'
    """

    def __init__(
        self, candidates: Sequence[Candidate], name: str = "bic", best: Candidate | None = None
    ) -> None:
        self.candidates, self.name, self.best = candidates, name, best

    @classmethod
    def from_estimator(
        cls, selection: Any, *, name: str | None = None, ax: Axes | Figure | None = None
    ) -> Self:
        """Draw the criterion of a selection.

        Parameters
        ----------
        selection : Selection
            Of `select_mixture`.
        name : {"bic", "icl", "aic", "heldout", "log_likelihood", "loo"}, default=None
            What to draw; None takes the criterion that chose.
        ax : matplotlib Axes or Figure, default=None
            Where to draw; a figure is given the picture's size, and None makes one.
        """
        drawn = name or selection.criterion
        return cls(selection.candidates, drawn, selection.best).plot(ax=ax)

    def plot(self, *, ax: Axes | Figure | None = None) -> Self:
        """Draw it; parameters as of `from_estimator`."""
        criterion(self.candidates, self.name, best=self.best, ax=self._begin(ax))
        from matplotlib.ticker import MaxNLocator

        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        return self
