"""The command line: thin over the library, results on stdout, everything else on stderr."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from typer.exceptions import TyperException

from biglearn._version import __version__
from biglearn.cli import fitting, options, seeing, using
from biglearn.cli.messages import explain, say, short_warnings
from biglearn.cli.show import contest_report
from biglearn.plots.base import require_matplotlib

# Whatever loads scikit-learn is imported by the commands that need it: that takes seconds.

app = typer.Typer(
    name="biglearn",
    help="Gaussian mixtures that escape bad local optima.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@dataclass
class _Session:
    """State that outlives a command: how to report its failure, and what ended it."""

    debug: bool = False
    ended_by: signal.Signals | None = None

    def end(self, number: int, frame: FrameType | None) -> None:
        """Interrupt the command, so that it clears up and saves the best so far."""
        self.ended_by = signal.Signals(number)
        raise KeyboardInterrupt


def _version(wanted: bool) -> None:
    if wanted:
        print(f"biglearn {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    if isinstance(context.obj, _Session):
        context.obj.debug = debug


app.command()(fitting.fit)
app.command()(fitting.select)
app.command()(using.predict)
app.command()(using.score)
app.command()(using.impute)
app.command()(using.sample)
app.command()(using.info)
app.command()(seeing.plot)
app.command()(seeing.report)


@app.command()
def demo(
    output_dir: options.OutputDir = Path("demo-output"),
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
) -> None:
    """Compare plain EM with big learning on two problems (needs the extra plots)."""
    require_matplotlib()
    from biglearn.cli.demo import contest, digits, grid25, write_results

    output_dir.mkdir(parents=True, exist_ok=True)
    results = {}
    for draw in (grid25, digits):
        problem = draw(np.random.default_rng(seed))
        outcomes = []
        for outcome in contest(problem, seed=seed):
            say(f"{problem.name}: {outcome.method}: {outcome.seconds:.1f} s", quiet=quiet)
            outcomes.append(outcome)
        results[problem.name] = problem, outcomes
        Console().print(contest_report(problem, outcomes), "")
    for path in write_results(output_dir, results, seed=seed):
        say(f"wrote {path}", quiet=quiet)


#: Code of a command that was interrupted, by whatever signal.
_INTERRUPTED = 128 + signal.SIGINT

#: How a command says that a signal ended it.
_ENDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
if hasattr(signal, "SIGHUP"):
    _ENDS[signal.SIGHUP] = "hung up"


@contextmanager
def _signals(session: _Session) -> Iterator[None]:
    """End a command by signals as by an interrupt, where nobody else handles them."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        ours = (number for number in _ENDS if signal.getsignal(number) is signal.SIG_DFL)
        before = {number: signal.signal(number, session.end) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        0 if all went well, 1 if the command failed, 2 if it was called wrongly, 130 if it was
        interrupted, and 128 more than the signal that ended it.

    Examples
    --------
    >>> main(["--version"])
    biglearn ...
    0
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    session = _Session()
    try:
        with short_warnings(), _signals(session):
            code = app(
                arguments or ["--help"], prog_name="biglearn", standalone_mode=False, obj=session
            )
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except Exception as error:
        if session.debug:
            raise
        say(f"biglearn: error: {explain(error)}")
        return error.exit_code if isinstance(error, TyperException) else 1
    if code == _INTERRUPTED or session.ended_by is not None:
        ended_by = session.ended_by or signal.SIGINT
        say("biglearn: " + _ENDS[ended_by])
        return 128 + ended_by
    if not arguments:  # the help is an answer, but to a call that was not complete
        return 2
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
