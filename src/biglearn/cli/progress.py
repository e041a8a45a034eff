"""Progress of a fit: a bar on stderr, for fits long enough to wait for."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from biglearn.search.records import Record

_PATIENCE = 0.5  # seconds before a bar appears: shorter fits should not flicker
_INTERVAL = 0.1  # seconds between updates: a fit makes thousands of records


class FitProgress:
    """Show a fit's records as one line that changes in place.

    The share that is done comes from the time allowed or the outer steps planned, whichever is
    further; without either the bar only shows that work goes on.

    Parameters
    ----------
    console : Console
        Where to draw; nothing is drawn where it is no terminal.
    max_time : float or None
        Seconds that the fit may take.
    planned : int or None
        Outer steps of the published chain, over all its runs.
    clock : callable
        Seconds since any moment.
    """

    def __init__(
        self,
        console: Console,
        *,
        max_time: float | None = None,
        planned: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_time = max_time
        self._planned = planned
        self._matchings = 0
        self._clock = clock
        self._due = clock() + _PATIENCE
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("fitting"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, record: Record) -> None:
        """Take note of one record; draws at most ten times a second."""
        self._matchings += record.move in {"joint", "marginal", "transformed"}
        now = self._clock()
        if now < self._due:
            return
        self._due = now + _INTERVAL
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("", total=None, state="", left="")
        share = self.share(record)
        self._progress.update(
            self._task,
            total=None if share is None else 1.0,
            completed=share or 0.0,
            state=f"log-likelihood {record.best:.5f}  {record.move}",
            left=self.time_left(record, share),
        )

    def share(self, record: Record) -> float | None:
        """Return the share of the fit that is done, 0 to 1, or None where nobody can know."""
        shares = []
        if self._max_time is not None:
            shares.append(record.seconds / self._max_time)
        if self._planned is not None:
            shares.append(self._matchings / self._planned)
        return min(1.0, max(shares)) if shares else None

    def time_left(self, record: Record, share: float | None) -> str:
        """Say how many seconds are left, as far as that can be told."""
        if not share:
            return ""
        seconds = record.seconds * (1 - share) / share
        return f"{seconds:.0f} s left" if seconds < 100 else f"{seconds / 60:.0f} min left"
