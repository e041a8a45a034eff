"""The program of the measurements: ``python -m benchmarks``, from the root of a clone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from benchmarks.studies.command import study
from biglearn.cli.messages import explain, say, short_warnings

PROGRAM = "python -m benchmarks"

app = typer.Typer(
    name=PROGRAM,
    help="Measurements of the library beside others.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(study)


@app.callback()
def _keep_the_name() -> None:
    """Keep the name of the command: a program with a single one would leave it out."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        As of `biglearn.cli.app.main`: 0, 1 if it failed, 2 if it was called wrongly, 130 if it was
        interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with short_warnings():
            code = app(arguments or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except (TyperException, ValueError, OSError, ImportError, MemoryError) as error:
        say(f"{PROGRAM}: error: {explain(error)}")
        return error.exit_code if isinstance(error, TyperException) else 1
    if code == 130:
        say(f"{PROGRAM}: error: interrupted")
    if not arguments:  # the help is an answer, but to a call that was not complete
        return 2
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
