"""Run the examples of a page as its reader would, and keep what each of them shows."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import re
import shlex
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)

#: Packages that a page may need and not everybody has, by the extra that brings them.
OPTIONAL = ("torch", "dask")


def blocks(text: str, *languages: str) -> list[tuple[str, str]]:
    """Return (language, code) of the fenced blocks in some languages, in their order."""
    return [(name, code) for name, code in FENCED.findall(text) if name in languages]


def lacking(text: str) -> list[str]:
    """Return the optional packages that a page imports and that are not installed."""
    wanted = [package for package in OPTIONAL if f"import {package}" in text]
    return [package for package in wanted if importlib.util.find_spec(package) is None]


@dataclass
class Shown:
    """What a block shows.

    Parameters
    ----------
    text : str
        Printed, warned of, or the last value.
    value : object
        The value of the last line, if it is an expression.
    figures : list
        Figures of matplotlib.
    """

    text: str = ""
    value: Any = None
    figures: list[Any] = field(default_factory=list)


def run_page(text: str, name: str) -> Iterator[tuple[str, str, Shown]]:
    """Run the blocks of a page from top to bottom, in the current folder.

    Warnings are errors, but for the one that some pages are about.

    Parameters
    ----------
    text : str
        The page, as Markdown.
    name : str
        Its name in tracebacks.

    Yields
    ------
    tuple of (str, str, Shown)
        Language and code of each block, and what it shows.
    """
    from biglearn import DoubtfulFitWarning

    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("always", DoubtfulFitWarning)
        for language, code in blocks(text, "python", "console"):
            if language == "python":
                yield language, code, run_python(code, names, name)
            else:
                yield language, code, Shown(run_console(code))


@contextlib.contextmanager
def in_own_folder() -> Iterator[Path]:
    """Work in a new folder, with pictures that open no window."""
    import matplotlib

    matplotlib.use("Agg")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield Path(folder)


def run_python(code: str, names: dict[str, object], name: str) -> Shown:
    """Run a block among the names of its page, as a notebook does: it shows its last value."""
    names.setdefault("__name__", "page")
    tree, value = ast.parse(code, name), None
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with _captured() as printed:
        exec(compile(tree, name, "exec", dont_inherit=True), names)
        if last is not None:
            line = ast.Expression(last.value)
            value = eval(compile(line, name, "eval", dont_inherit=True), names)
    return Shown(printed.getvalue(), value, _figures(value))


def run_console(code: str) -> str:
    """Run the lines of a block that begin with a prompt, and return them with what they print."""
    from biglearn.cli.app import main

    told = []
    for line in re.sub(r"\\\n\s*", " ", code).splitlines():
        if line.startswith("$ "):
            program, *arguments = shlex.split(line[2:])
            assert program == "biglearn", line
            with _captured() as printed:
                code_of_exit = main(arguments)
            assert code_of_exit == 0, f"{line}\n{printed.getvalue()}"
            told += [line, printed.getvalue().rstrip()]
    return "\n".join(part for part in told if part) + "\n"


def _figures(value: Any) -> list[Any]:
    """Return the figures that pyplot holds, and that of a value: a figure, axes or a display."""
    if "matplotlib.pyplot" not in sys.modules:
        return []
    from matplotlib import pyplot
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    found = [pyplot.figure(number) for number in pyplot.get_fignums()]
    pyplot.close("all")  # each block begins anew
    value = getattr(value, "figure_", value)
    if isinstance(value, Axes):
        value = value.get_figure(root=True)
    return found if not isinstance(value, Figure) or value in found else [*found, value]


@contextlib.contextmanager
def _captured() -> Iterator[io.StringIO]:
    """Collect what is printed and warned of."""
    printed = io.StringIO()

    def warn(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        printed.write(f"{category.__name__}: {message}\n")

    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        usual, warnings.showwarning = warnings.showwarning, warn
        try:
            yield printed
        finally:
            warnings.showwarning = usual
