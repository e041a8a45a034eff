"""Records: the history of a fit, which the loop writes and never reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from biglearn.display import Grid, notebook


@dataclass(frozen=True, slots=True)
class Record:
    """One step of a fit.

    Attributes
    ----------
    step : int
        Number of the step, from 0.
    move : str
        Name of the move ("em", "marginal", "restart", ...).
    log_likelihood : float
        Mean log-likelihood per row in the user's units of the mixture that the
        step arrived at, with the log-density of the prior if there is one; NaN where
        nobody has evaluated it, as after a start or a matching, which end with an M-step.
    best : float
        Highest such value known so far, within steps too.
    accepted : bool
        Whether the search went on from the step's result.
    passes : int
        Passes over the rows so far.
    raised : int
        Eigenvalues that this step raised to the floor.
    reseeded : int
        Components that this step re-seeded.
    seconds : float
        Since the fit began.
    """

    step: int
    move: str
    log_likelihood: float
    best: float
    accepted: bool
    passes: int
    raised: int
    reseeded: int
    seconds: float


@dataclass(frozen=True, slots=True)
class MoveSummary:
    """Sums over the steps of one kind of move in a fit.

    Attributes
    ----------
    move : str
        Name of the move.
    steps, accepted : int
        How often, and after how many of these the search went on from there.
    gain : float
        Rise of the best log-likelihood so far.
    passes : int
        Passes over the rows that it made.
    seconds : float
        That it took.
    """

    move: str
    steps: int
    accepted: int
    gain: float
    passes: int
    seconds: float


def summarise(history: Iterable[Record]) -> list[MoveSummary]:
    """Add up a history by kind of move, in order of first appearance.

    The gain of a step is the rise of the best log-likelihood so far.  The
    first value that is known at all is no gain: it was added to nothing.

    Parameters
    ----------
    history : iterable of Record
        Of one fit, in the order of its steps.

    Returns
    -------
    list of MoveSummary

    Examples
    --------
    >>> from biglearn.search.records import Record, summarise
    >>> steps = [Record(0, "em", -3.0, -3.0, True, 1, 0, 0, 0.1),
    ...          Record(1, "em", -2.5, -2.5, True, 2, 0, 0, 0.2)]
    >>> summarise(steps)[0].gain
    0.5
    """
    totals: dict[str, list[float]] = {}
    best, passes, seconds = -math.inf, 0, 0.0
    for record in history:
        entry = totals.setdefault(record.move, [0, 0, 0.0, 0, 0.0])
        entry[0] += 1
        entry[1] += record.accepted
        if math.isfinite(best) and record.best > best:
            entry[2] += record.best - best
        entry[3] += record.passes - passes
        entry[4] += record.seconds - seconds
        best, passes, seconds = record.best, record.passes, record.seconds
    return [
        MoveSummary(move, int(n), int(accepted), gain, int(spent), clock)
        for move, (n, accepted, gain, spent, clock) in totals.items()
    ]


class History(list[Record]):
    """The records of a fit: a list, which shows itself as one line for each kind of move.

    Parameters
    ----------
    records : iterable of Record, default=()
        In the order of their steps.

    Examples
    --------
    >>> from biglearn.search.records import History, Record
    >>> History([Record(0, "em", -3.0, -3.0, True, 1, 0, 0, 0.1),
    ...          Record(1, "em", -2.5, -2.5, True, 2, 0, 0, 0.2)])
    Steps of the fit
    move  steps  accepted  gain  passes  seconds
    em        2         2   0.5       2      0.2
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        super().__init__(records)

    @property
    def table(self) -> Grid:
        """Sums by kind of move."""
        return move_table([asdict(move) for move in summarise(self)])

    def __repr__(self) -> str:
        return self.table.text

    def _repr_html_(self) -> str:
        return notebook([self.table])


def move_table(moves: Iterable[Mapping[str, Any]]) -> Grid:
    """Return what each kind of move did, as a table to show.

    Parameters
    ----------
    moves : iterable of mappings
        With the names of a `MoveSummary`, as model files keep them.

    Returns
    -------
    Grid

    Examples
    --------
    >>> from biglearn.search.records import move_table
    >>> print(move_table([{"move": "em", "steps": 3, "gain": 0.25}]).text)
    Steps of the fit
    move  steps  accepted  gain  passes  seconds
    em        3         –  0.25       –        –
    """
    rows = list(moves)
    heads = [field.name for field in fields(MoveSummary)]
    columns = {head: [_short(row.get(head)) for row in rows] for head in heads}
    return Grid(columns, "Steps of the fit")


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
