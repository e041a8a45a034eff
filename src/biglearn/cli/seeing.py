"""The commands that show a model: `plot` and `report`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biglearn._types import FloatArray
from biglearn.cli import options
from biglearn.cli.inputs import read_data, source_of
from biglearn.cli.messages import say
from biglearn.cli.reading import Reading, reads, split
from biglearn.cli.show import summary_of
from biglearn.engines.rows.sampled import sample_rows
from biglearn.plots.base import blank_figure, require_matplotlib
from biglearn.report.summary import Summary
from biglearn.tables.files import replacing
from biglearn.tables.tables import check_output

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Rows that a picture is drawn of, about; and the pictures' dots per inch.
_MOST_ROWS, _DPI = 100_000, 150


@dataclass(frozen=True)
class Asked:
    """What is to be drawn.

    Parameters
    ----------
    model : Summary
    rows : array of shape (n, D) or None
    features : list of int or str, or None
    """

    model: Summary
    rows: FloatArray | None
    features: list[Any] | None

    def info(self, name: str, command: str) -> Any:
        """Return what the model file must have kept."""
        if not self.model.info.get(name):
            raise ValueError(
                f"this model file keeps no {name}: make it again with biglearn {command}"
            )
        return self.model.info[name]


def _plane(name: str) -> Callable[[Asked, Figure], Any]:
    """Return how to draw a display of rows in some features."""

    def draw(asked: Asked, figure: Figure) -> Any:
        from biglearn import plots

        kind = getattr(plots, name)
        place = {"figure" if kind is plots.PairsDisplay else "ax": figure}
        named: dict[str, Any] = {"features": asked.features}
        if kind is plots.HistogramDisplay:
            named = {"feature": asked.features[0] if asked.features else None}
        return kind.from_estimator(asked.model.mixture, asked.rows, **named, **place)

    return draw


def _of_rows(name: str) -> Callable[[Asked, Figure], Any]:
    """Return how to draw a display of rows in all features."""

    def draw(asked: Asked, figure: Figure) -> Any:
        from biglearn import plots

        return getattr(plots, name).from_estimator(asked.model.mixture, asked.rows, ax=figure)

    return draw


def _profiles(asked: Asked, figure: Figure) -> Any:
    from biglearn.plots import ProfilesDisplay

    return ProfilesDisplay.from_estimator(asked.model.mixture, features=asked.features, ax=figure)


def _regression(asked: Asked, figure: Figure) -> Any:
    from biglearn.plots import RegressionDisplay

    given, follows = asked.features if asked.features and len(asked.features) == 2 else (0, -1)
    assert asked.rows is not None  # this kind needs DATA
    return RegressionDisplay.from_estimator(
        asked.model.mixture, asked.rows, feature=given, target=follows, ax=figure
    )


def _alarms(asked: Asked, figure: Figure) -> Any:
    from biglearn.plots import AlarmsDisplay

    return AlarmsDisplay.from_estimator(asked.model, ax=figure)


def _history(asked: Asked, figure: Figure) -> Any:
    from biglearn.plots import HistoryDisplay

    return HistoryDisplay(**asked.info("curve", "fit")).plot(ax=figure)


def _criterion(asked: Asked, figure: Figure) -> Any:
    from biglearn.plots import CriterionDisplay
    from biglearn.report.pictures import candidates_of

    tried = candidates_of(asked.info("candidates", "select"))
    name, shape = asked.info("criterion", "select"), asked.model.info.get("covariance_type")
    size = asked.model.mixture.n_components
    chosen = [one for one in tried if (one.covariance_type, one.n_components) == (shape, size)]
    return CriterionDisplay(tried, name, chosen[0] if chosen else None).plot(ax=figure)


#: How to draw each kind.
KINDS: dict[str, Callable[[Asked, Figure], Any]] = {
    "pairs": _plane("PairsDisplay"),
    "density": _plane("DensityDisplay"),
    "uncertainty": _plane("UncertaintyDisplay"),
    "histogram": _plane("HistogramDisplay"),
    "profiles": _profiles,
    "responsibilities": _of_rows("ResponsibilitiesDisplay"),
    "regression": _regression,
    "anomalies": _of_rows("AnomaliesDisplay"),
    "alarms": _alarms,
    "history": _history,
    "criterion": _criterion,
}

#: Those that show rows, and those that cannot do without.
_WITH_ROWS = (*list(KINDS)[:4], "responsibilities", "regression", "anomalies")
_NEED_ROWS = _WITH_ROWS[4:]


@reads()
def plot(
    kind: options.Kind,
    model: options.ModelFile,
    data: options.DataToo = None,
    *,
    output: options.Picture,
    features: options.Features = None,
    reading: Reading,
    quiet: options.Quiet = False,
) -> None:
    """Draw a model, and DATA under it (needs the extra plots).

    pairs, density, uncertainty and histogram show features; profiles and alarms show components;
    responsibilities, regression and anomalies show rows; history and criterion show the fit.
    """
    if kind in _NEED_ROWS and data is None:
        raise ValueError(f"plot {kind} needs DATA: give the table behind the model file")
    given = [model] if data is None else [model, data]
    check_output(output, *given, endings=(".png", ".svg", ".pdf"))
    loaded, rows = summary_of(model), None
    if data is not None and kind in _WITH_ROWS:
        source = source_of(read_data(data, reading, model=loaded.mixture).table)
        rows = sample_rows(source, _MOST_ROWS).rows
    figure = blank_figure()
    names = [int(name) if name.isdigit() else name for name in split(features) or []]
    KINDS[kind](Asked(loaded, rows, names or None), figure)
    with replacing(Path(output)) as stream:
        figure.savefig(stream, format=output.suffix[1:].lower(), dpi=_DPI)
    say(f"wrote {output}", quiet=quiet)


@reads()
def report(
    model: options.ModelFile,
    data: options.Data,
    *,
    output: options.Page,
    heldout: options.HeldOut = None,
    title: options.Title = None,
    reading: Reading,
    quiet: options.Quiet = False,
) -> None:
    """Write a page on a model and DATA that needs no statistics to be read (needs plots).

    One file of HTML, without network: the components in words and pictures, where the model is
    unsure, how far to trust it, unusual rows, missing values, and how to use the model file.
    """
    require_matplotlib()
    from biglearn.report.page import report_of

    others = [] if heldout is None else [heldout]
    check_output(output, model, data, *others, endings=(".html",))
    loaded = summary_of(model)
    sources = [
        source_of(read_data(path, reading, model=loaded.mixture).table) for path in (data, *others)
    ]
    page = report_of(
        loaded,
        *sources,
        title=title or f"Report on {data.name}",
        files=(model.name, data.name),
    )
    page.save(output)
    say(f"wrote {output}", quiet=quiet)
