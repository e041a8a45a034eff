"""The page: a model and its rows in one file of HTML, for people who have not made it."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from biglearn._version import __version__
from biglearn.display import Grid, escaped, shown
from biglearn.engines.base import Source
from biglearn.model.noise import NoisyMixture
from biglearn.plots.base import colour_of, require_matplotlib
from biglearn.report import pictures, words
from biglearn.report.advice import glossary, how_to_use
from biglearn.report.seen import SURE, UNUSUAL, Distribution, Seen, seen
from biglearn.report.style import POLICY, SCRIPT, STYLE
from biglearn.report.summary import Summary
from biglearn.tables.files import replacing

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="$policy">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="soft">$subtitle</p>
<nav>$links</nav>
</header>
<main>
$body
</main>
<footer><p>Made by biglearn $version. This page needs no network, and holds nothing but what it
shows.</p></footer>
<script>$script</script>
</body>
</html>
""")


@dataclass(frozen=True)
class Report:
    """A page on a model.

    Parameters
    ----------
    html : str
        The whole page.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import GaussianMixture
    >>> X = np.random.default_rng(0).normal(size=(200, 2)) + [[0, 0], [8, 0]] * 100
    >>> report = GaussianMixture(2, random_state=0).fit(X).report(X, title="Two heaps")
    >>> report.html.count("<img ") > 3, "<h1>Two heaps</h1>" in report.html
    (True, True)
    """

    html: str

    def __repr__(self) -> str:
        return f"Report({len(self.html) / 1e6:.1f} MB; save it with .save('report.html'))"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page, in place of an older one once it is complete."""
        with replacing(Path(path)) as stream:
            stream.write(self.html.encode("utf-8"))

    def _repr_html_(self) -> str:
        inside = html.escape(self.html, quote=True)
        return f'<iframe style="width:100%;height:40rem;border:1px solid #ccc" srcdoc="{inside}">'


@dataclass(frozen=True)
class Section:
    """A part of the page: an anchor, a heading, and HTML."""

    name: str
    title: str
    parts: Sequence[str]

    @property
    def html(self) -> str:
        """The section itself."""
        inside = "\n".join(self.parts)
        return f'<section id="{self.name}"><h2>{escaped(self.title)}</h2>\n{inside}</section>'


def report_of(
    summary: Summary,
    source: Source,
    heldout: Source | None = None,
    *,
    distribution: Distribution | None = None,
    title: str | None = None,
    files: tuple[str, str] | None = None,
) -> Report:
    """Return the page on a model and rows.

    Parameters
    ----------
    summary : Summary
    source : Source
        The rows, as a rule those that were fitted.
    heldout : Source, optional
        Rows that were not fitted.
    distribution : Mixture or NoisyMixture, optional
        With its noise, where it has any.
    title : str, optional
    files : tuple of two str, optional
        Names of the model file and of the table, for the examples.
    """
    require_matplotlib()
    whole = summary.mixture if distribution is None else distribution
    told = seen(source, whole)
    held = None
    if heldout is not None:
        held = np.asarray(heldout.map(lambda rows: whole.log_density(rows)), dtype=np.float64)
    sections = [
        _shortly(summary, told),
        _components(summary, told, whole),
        _doubt(summary, told, whole),
        _trust(summary, held),
        _unusual(summary, told),
        _columns(summary, told),
        Section("use", "How to use the model", how_to_use(summary.mixture, files)),
        _numbers(summary, held),
        Section("words", "What the words mean", glossary()),
    ]
    data = summary.info.get("data")
    heading = title or (f"Report on {data}" if data else "Report on a mixture")
    return Report(
        _PAGE.substitute(
            policy=POLICY,
            title=escaped(heading),
            subtitle=escaped(summary.title),
            style=STYLE,
            script=SCRIPT,
            version=escaped(__version__),
            links="".join(f'<a href="#{s.name}">{escaped(s.title)}</a>' for s in sections),
            body="\n".join(section.html for section in sections),
        )
    )


def _paragraphs(sentences: Iterable[str]) -> str:
    return "".join(f"<p>{escaped(sentence)}</p>" for sentence in sentences)


def _table(grid: Grid) -> str:
    return f'<div class="scroll">{grid.html("sortable")}</div>'


def _card(value: str, told: str, *, warn: bool = False) -> str:
    kind = "card warn" if warn else "card"
    return f'<div class="{kind}"><b>{escaped(value)}</b><span>{escaped(told)}</span></div>'


def _shortly(summary: Summary, told: Seen) -> Section:
    K, D = summary.mixture.means.shape
    alarms = sum(map(bool, summary.info.get("alarms", [])))
    doubts = summary.warnings
    cards = [
        _card(f"{told.n_rows:,}", "rows"),
        _card(f"{D:,}", "columns"),
        _card(str(K), "components"),
        _card(words.percent(float((told.certainty >= SURE).mean())), "clearly of one component"),
        _card(f"{int(told.is_unusual.sum()):,}", "unusual rows"),
        _card(f"{int(told.missing.sum()):,}", "missing values"),
        _card(str(alarms), "components in alarm", warn=bool(alarms)),
    ]
    parts = [_paragraphs(words.shortly(summary.mixture, told))]
    parts.append(f'<div class="cards">{"".join(cards)}</div>')
    if doubts:
        parts.append('<p class="warn">Read with care: see the alarms below.</p>')
    return Section("short", "In short", parts)


def _components(summary: Summary, told: Seen, whole: Distribution) -> Section:
    mixture = summary.mixture
    order = np.argsort(-mixture.weights, kind="stable")
    counts = [int((told.labels == k).sum()) for k in order]
    sure = [_mean(told.certainty[told.labels == k] >= SURE) for k in order]
    columns: dict[str, Sequence[Any]] = {
        "component": order.tolist(),
        "share %": [round(100 * float(mixture.weights[k]), 1) for k in order],
        "rows": counts,
        "of these clear %": [None if value is None else round(100 * value, 1) for value in sure],
    }
    items = "".join(
        f'<li style="border-color:{colour_of(k)}"><b>Component {k}</b>, '
        f"{escaped(words.percent(float(mixture.weights[k])))} of the rows. "
        f"{escaped(words.described(mixture, k))}</li>"
        for k in order.tolist()
    )
    alarms = summary.info.get("alarms", [])
    if any(alarms):
        columns["alarms"] = [alarms[k] or "–" for k in order]
    note = ""
    if isinstance(whole, NoisyMixture):
        lost = int((told.labels < 0).sum())
        note = f"{words.counted(lost, 'row')} belong to no component: they are called noise."
    drawn = pictures.of_components(summary, told)
    means = summary.means()
    intro = (
        "Components are numbered from 0, as the program numbers them, and listed by their size. "
        "Whatever tells one from the others comes first. Click the head of a column of a table to "
        "sort by it."
    )
    return Section(
        "components",
        "The components",
        [
            f'<p>{intro}</p><ul class="groups">{items}</ul>',
            _table(Grid(columns, note=note)),
            *(picture.html for picture in drawn),
            _table(Grid(means.columns, means.title, means.note, right=means.right)),
        ],
    )


def _mean(values: Any) -> float | None:
    return float(values.mean()) if len(values) else None


def _doubt(summary: Summary, told: Seen, whole: Distribution) -> Section:
    K = summary.mixture.n_components
    title = "Where the model is unsure"
    if K == 1 and not isinstance(whole, NoisyMixture):
        return Section("doubt", title, ["<p>There is one component: every row belongs to it.</p>"])
    doubtful = int((told.certainty < SURE).sum())
    parts = [
        f"<p>{escaped(words.counted(doubtful, 'row'))} belong to no component with at least "
        f"{escaped(words.percent(SURE))} probability. For these, use the probabilities, and not "
        "the label alone.</p>"
    ]
    parts += [picture.html for picture in pictures.of_doubt(summary, told)]
    pairs = [(k, other) for k in range(K) for other in range(k + 1, K)]
    pairs.sort(key=lambda pair: -told.overlap[pair])
    close = [pair for pair in pairs[:10] if told.overlap[pair] > 1e-4]
    if close:
        columns: dict[str, Sequence[Any]] = {
            "component": [k for k, _ in close],
            "and": [other for _, other in close],
            # two draws from a row's probabilities differ with probability 2 r s
            "confused %": [round(200 * float(told.overlap[pair]), 2) for pair in close],
        }
        note = "Confused: how often two guesses by the probabilities would name one and the other."
        parts.append(_table(Grid(columns, "Components that are hard to tell apart", note)))
    return Section("doubt", title, parts)


def _trust(summary: Summary, heldout: Any) -> Section:
    info, doubts = summary.info, summary.warnings
    parts = [_paragraphs(words.trusted(info, heldout)), "<h3>Alarms</h3>"]
    if doubts:
        items = "".join(f"<li>{escaped(doubt)}</li>" for doubt in doubts)
        parts.append(f'<ul class="warn">{items}</ul>')
    elif "doubts" in info:
        parts.append("<p>None: no component rests on too few rows or on a single value.</p>")
    else:
        parts.append("<p>The model file does not say whether there were any.</p>")
    parts += [picture.html for picture in pictures.of_alarms(summary)]
    return Section("trust", "How far to trust it", parts)


def _numbers(summary: Summary, heldout: Any) -> Section:
    facts = summary.facts | ({} if heldout is None else {"held-out per row": float(heldout.mean())})
    told = Grid({"what": list(facts), "value": [shown(value) for value in facts.values()]})
    settings = {name.replace("_", " "): value for name, value in summary.settings.items()}
    parts = [_table(told)]
    if settings:
        parts.append(f'<p class="note">Settings: {escaped(settings)}.</p>')
    parts += [picture.html for picture in pictures.of_fit(summary.info)]
    return Section("fit", "The fit in numbers", parts)


def _unusual(summary: Summary, told: Seen) -> Section:
    mixture, lowest = summary.mixture, told.lowest
    parts = [
        "<p>The least likely rows under the model: errors in the data, rare cases, or a kind of "
        f"row that the model does not know. Of rows that follow the model {words.percent(UNUSUAL)} "
        "are called unusual. Rows with missing values are not ranked.</p>"
    ]
    parts += [picture.html for picture in pictures.of_anomalies(told)]
    if len(lowest.places):
        found = [int(told.labels[place]) for place in lowest.places]
        nearest = [mixture.labels(row[None])[0] for row in lowest.rows]
        columns: dict[str, Sequence[Any]] = {
            "row": lowest.places.tolist(),
            "unusual": [bool(score < told.threshold) for score in lowest.scores],
            "log-density": [round(float(score), 2) for score in lowest.scores],
            "component": ["noise" if k < 0 else k for k in found],
            "why": [
                words.unusual_because(mixture, row, int(k))
                for row, k in zip(lowest.rows, nearest, strict=True)
            ],
        }
        note = "Rows are counted from 0, without the line of names."
        parts.append(_table(Grid(columns, "The most unusual rows", note)))
    return Section("unusual", "Unusual rows", parts)


def _columns(summary: Summary, told: Seen) -> Section:
    n = told.n_rows
    columns: dict[str, Sequence[Any]] = {
        "column": words.feature_names(summary.mixture),
        "missing": told.missing.tolist(),
        "missing %": [round(100 * float(gaps) / n, 2) for gaps in told.missing],
        "mean": _short(told.mean),
        "deviation": _short(told.deviation),
        "smallest": _short(told.low),
        "largest": _short(told.high),
    }
    if told.missing.any():
        said = (
            "Missing values were neither filled nor left out with their rows: a row counts by the "
            "values that it has. The model can fill them, see below."
        )
    else:
        said = "No value is missing."
    return Section(
        "columns", "Columns and missing values", [f"<p>{said}</p>", _table(Grid(columns))]
    )


def _short(values: Any) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
