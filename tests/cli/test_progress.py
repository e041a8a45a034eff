"""The bar: what is left, and on terminals only."""

import os

import pytest
from rich.console import Console

from biglearn.cli.progress import FitProgress
from biglearn.search.records import Record


def record(move: str, seconds: float) -> Record:
    return Record(
        step=0,
        move=move,
        log_likelihood=-2.0,
        best=-1.5,
        accepted=True,
        passes=1,
        raised=0,
        reseeded=0,
        seconds=seconds,
    )


def test_the_bar_knows_what_is_left():
    console = Console(file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    with console.file, FitProgress(console, max_time=10.0, planned=4, clock=lambda: 0.0) as bar:
        assert bar.share(record("em", 2.0)) == pytest.approx(0.2)
        for _ in range(3):
            bar(record("joint", 2.5))
        assert bar.share(record("em", 2.0)) == pytest.approx(0.75)
        assert bar.time_left(record("em", 6.0), 0.75) == "2 s left"
        unknown = FitProgress(console, clock=lambda: 0.0)
        assert unknown.share(record("em", 2.0)) is None
        assert unknown.time_left(record("em", 2.0), None) == ""


def test_the_bar_shows_likelihood_and_move_on_a_terminal_only(capsys):
    ticks = iter(range(100))
    for terminal in (True, False):
        console = Console(stderr=True, force_terminal=terminal, width=120)
        with FitProgress(console, max_time=10.0, clock=lambda: float(next(ticks))) as bar:
            for second in range(3):
                bar(record("marginal", float(second)))
        shown = capsys.readouterr().err
        assert ("log-likelihood -1.50000  marginal" in shown) is terminal
