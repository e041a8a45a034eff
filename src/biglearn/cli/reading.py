"""The options that say how DATA is read, the same for all commands."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from biglearn.tables.formats import TextFormat

#: An option in the panel of those.
_option = functools.partial(typer.Option, rich_help_panel="Reading DATA")

_OPTIONS = {
    "columns": Annotated[
        list[str] | None,
        _option(
            help="Columns to use, by name or number from 0, separated by commas.",
        ),
    ],
    "exclude": Annotated[
        list[str] | None,
        _option(
            help="Columns to leave out, such as labels; as in --columns.",
        ),
    ],
    "weights": Annotated[
        str | None,
        _option(
            metavar="COLUMN",
            help="Column that holds a weight for each row.",
        ),
    ],
    "keep": Annotated[
        list[str] | None,
        _option(
            help="Columns, such as ids or text, to write as they are before the results; "
            "as in --columns.",
        ),
    ],
    "key": Annotated[
        str | None,
        _option(help="Which array of an .npz file to read."),
    ],
    "delimiter": Annotated[
        str | None,
        _option(
            metavar="CHARACTER",
            help="Character between the cells of a text file, or tab (default: found out).",
        ),
    ],
    "decimal": Annotated[
        str,
        _option(
            metavar="CHARACTER",
            help="Decimal point of a text file.",
        ),
    ],
    "thousands": Annotated[
        str | None,
        _option(
            metavar="CHARACTER",
            help="Character between groups of three digits.",
        ),
    ],
    "missing": Annotated[
        list[str] | None,
        _option(
            help="More codes of missing values, such as -999, separated by commas.",
        ),
    ],
    "encoding": Annotated[
        str | None,
        _option(
            help="Encoding of a text file, such as cp1252 (default UTF-8).",
        ),
    ],
    "header": Annotated[
        bool | None,
        _option(
            "--header/--no-header",
            help="Whether the first line of a text file has names (default: found out).",
        ),
    ],
}
_DEFAULTS = {"decimal": "."}
_SPELT = {"tab": "\t", "\\t": "\t", "space": " "}


@dataclass(frozen=True)
class Reading:
    """How DATA is to be read.

    Parameters
    ----------
    columns, exclude : sequence of str, optional
    weights, key : str, optional
    keep : sequence of str
        Columns that are written beside the results.
    text : TextFormat
    """

    columns: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    weights: str | None = None
    key: str | None = None
    keep: Sequence[str] = ()
    text: TextFormat = field(default_factory=TextFormat)

    @classmethod
    def of(cls, given: dict[str, Any]) -> Reading:
        """Build it from the values of the options."""
        delimiter = given["delimiter"]
        try:
            text = TextFormat(
                delimiter=_SPELT.get(delimiter, delimiter),
                decimal=given["decimal"],
                thousands=given["thousands"],
                missing=tuple(split(given["missing"]) or ()),
                encoding=given["encoding"],
                header=given["header"],
            )
        except ValueError as error:
            raise typer.BadParameter(f"--{error}") from error
        return cls(
            columns=split(given["columns"]),
            exclude=split(given["exclude"]) or (),
            weights=given.get("weights"),
            key=given["key"],
            keep=split(given.get("keep")) or (),
            text=text,
        )


def split(references: Sequence[str] | None) -> list[str] | None:
    """Take several references from one option, at commas."""
    if references is None:
        return None
    return [part.strip() for reference in references for part in reference.split(",") if part]


def reads(*more: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of `Reading` in place of its parameter `reading`.

    Parameters
    ----------
    *more : {"weights", "keep"}
        Options that only some commands have.
    """
    names = [name for name in _OPTIONS if name in more or name not in ("weights", "keep")]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=_DEFAULTS.get(name),
            annotation=_OPTIONS[name],
        )
        for name in names
    ]

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def called(**given: Any) -> None:
            reading = Reading.of({name: given.pop(name) for name in names})
            command(reading=reading, **given)

        signature = inspect.signature(command, eval_str=True)
        own = list(signature.parameters.values())
        place = [parameter.name for parameter in own].index("reading")
        ours = [*own[:place], *added, *own[place + 1 :]]
        # Parameters with a default may not stand before those without; typer takes all by name.
        every = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in ours]
        vars(called)["__signature__"] = signature.replace(parameters=every)
        called.__annotations__ = {each.name: each.annotation for each in every} | {"return": None}
        return called

    return wrap
