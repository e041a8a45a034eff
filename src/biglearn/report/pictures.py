"""The pictures of a report, as data that a page holds itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from biglearn.display import escaped
from biglearn.plots import (
    AlarmsDisplay,
    AnomaliesDisplay,
    CriterionDisplay,
    HistoryDisplay,
    PairsDisplay,
    ProfilesDisplay,
    ResponsibilitiesDisplay,
    UncertaintyDisplay,
)
from biglearn.plots.base import blank_figure, columns_of
from biglearn.report.seen import Seen
from biglearn.report.summary import Summary
from biglearn.search.path import Candidate

#: Dots per inch: sharp on a phone and on paper, and small enough to be sent.
_DPI = 110


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows.

    Parameters
    ----------
    data : bytes
        Of a PNG file.
    told : str
        What it shows, for those who do not see it too.
    """

    data: bytes
    told: str

    @property
    def html(self) -> str:
        """A figure with a caption."""
        encoded = base64.b64encode(self.data).decode("ascii")
        told = escaped(self.told)
        return (
            f'<figure><img alt="{told}" src="data:image/png;base64,{encoded}">'
            f"<figcaption>{told}</figcaption></figure>"
        )


def drawn(draw: Callable[[Any], Any], told: str) -> Picture:
    """Return what a function draws on a figure."""
    figure, stream = blank_figure(), io.BytesIO()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.image import imsave

    figure.set_dpi(_DPI)
    draw(figure)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # once: savefig draws twice, and half of a report's time is this
    imsave(stream, np.asarray(canvas.buffer_rgba()), format="png")
    return Picture(stream.getvalue(), told)


def of_components(summary: Summary, seen: Seen) -> Iterator[Picture]:
    """Yield the pictures that tell components apart."""
    mixture = summary.mixture
    if mixture.n_components > 1:
        yield drawn(
            lambda figure: ProfilesDisplay.from_estimator(mixture, ax=figure),
            "What tells each component from the rest: orange features are higher than in the "
            "other components, purple ones lower; a difference of 2 is a large one.",
        )
    columns = columns_of(mixture, None, 4)
    yield drawn(
        lambda figure: PairsDisplay(mixture, seen.sample, seen.sample_labels, columns).plot(
            figure=figure
        ),
        "Rows as points in the colour of their component, and every component as an ellipse "
        "that holds most of it. On the diagonal how often each value occurs."
        if len(columns) > 1
        else "How often each value occurs, and the part of every component.",
    )


def of_doubt(summary: Summary, seen: Seen) -> Iterator[Picture]:
    """Yield the pictures of where the model is unsure."""
    mixture, shares = summary.mixture, seen.shares
    columns = columns_of(mixture, None, 2)
    yield drawn(
        lambda figure: UncertaintyDisplay(
            mixture, seen.sample, columns, 1 - shares.max(axis=1)
        ).plot(ax=figure),
        "Where rows lie between components: on dark ground a row could belong to several. "
        "Large dark points are rows in doubt, by all of their values.",
    )
    yield drawn(
        lambda figure: ResponsibilitiesDisplay(shares, mixture.n_components).plot(ax=figure),
        "Every row is a thin column, coloured by the probability of each component: where a "
        "block has one colour, its rows belong clearly to one component.",
    )


def of_alarms(summary: Summary) -> Iterator[Picture]:
    """Yield the picture of the components in alarm, if there are any."""
    info = summary.info
    if any(info.get("alarms", [])) and "rows" in info and "gaps" in info:
        yield drawn(
            lambda figure: AlarmsDisplay.from_estimator(summary, ax=figure),
            "Components by their rows, and by how much these rows depend on having been seen: "
            "low is good. Components in alarm are filled.",
        )


def of_anomalies(seen: Seen) -> Iterator[Picture]:
    """Yield the picture of how usual the rows are."""
    if seen.is_whole.any():
        yield drawn(
            lambda figure: AnomaliesDisplay(seen.scores[seen.is_whole], seen.threshold).plot(
                ax=figure
            ),
            "How usual the rows are: those to the left of the dashed line are unusual.",
        )


def of_fit(info: Mapping[str, Any]) -> Iterator[Picture]:
    """Yield the pictures of the fit itself, as far as the model file has them."""
    curve = info.get("curve")
    if curve and curve["best"]:
        yield drawn(
            lambda figure: HistoryDisplay(**curve).plot(ax=figure),
            "How the model became better while it was fitted, by kind of step.",
        )
    if info.get("candidates") and "criterion" in info:
        tried = candidates_of(info["candidates"])
        yield drawn(
            lambda figure: CriterionDisplay(tried, str(info["criterion"])).plot(ax=figure),
            "The criterion by which the number of components was chosen.",
        )


def candidates_of(kept: Sequence[Mapping[str, Any]]) -> list[Candidate]:
    """Return the candidates of a selection from the mappings that a model file keeps."""
    names = [one.name for one in fields(Candidate)]
    nan = float("nan")  # JSON has none
    return [
        Candidate(**dict[str, Any]({n: nan if one[n] is None else one[n] for n in names}))
        for one in kept
    ]
