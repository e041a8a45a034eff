"""Messages on stderr: one line for each event."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from typer.exceptions import TyperException

from biglearn.display import printable


def say(message: str, *, quiet: bool = False) -> None:
    """Print one line on stderr."""
    if not quiet:
        print(printable(message), file=sys.stderr)


def explain(error: BaseException) -> str:
    """Explain an error to a user who did not write the code."""
    if isinstance(error, TyperException):
        text = error.format_message()
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        text = "not enough memory"
    elif isinstance(error, ValueError | OSError | ImportError):
        text = str(error)
    else:
        text = f"unexpected {type(error).__name__}: {error} (biglearn --debug ... shows where)"
    return text


@contextmanager
def short_warnings() -> Iterator[None]:
    """Print each warning as one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_, **__: say(f"biglearn: warning: {message}")
        yield
