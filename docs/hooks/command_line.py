"""Write the reference of the command line from the signatures of the commands."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

MARKER = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the commands where a page wants them."""
    return markdown.replace(MARKER, sections()) if MARKER in markdown else markdown


def sections() -> str:
    """Return a section for each command."""
    from biglearn.cli.app import app

    commands = {
        info.name or info.callback.__name__: info.callback for info in app.registered_commands
    }
    parts = []
    for name, command in sorted(commands.items()):
        parameters = list(inspect.signature(command, eval_str=True).parameters.values())
        words = [p.annotation.__metadata__[0].metavar for p in parameters if not _is_option(p)]
        parts += [f"## `{' '.join(['biglearn', name, *words])}`", _prose(command.__doc__ or "")]
        parts.append("\n".join(_parameter(p) for p in sorted(parameters, key=_is_option)))
    return "\n\n".join(parts)


def _prose(text: str) -> str:
    return inspect.cleandoc(text).replace("``", "`")


def _is_option(parameter: inspect.Parameter) -> bool:
    return isinstance(parameter.annotation.__metadata__[0], typer.models.OptionInfo)


def _parameter(parameter: inspect.Parameter) -> str:
    """Explain an argument or option."""
    info, kind = parameter.annotation.__metadata__[0], parameter.annotation.__origin__
    if not _is_option(parameter):
        return f"- `{info.metavar}`: {info.help}"
    # Inside Annotated the first declaration arrives where a default would stand.
    given = [info.default] if isinstance(info.default, str) else []
    names = [*given, *(info.param_decls or ())] or ["--" + parameter.name.replace("_", "-")]
    value = "" if kind is bool or bool in get_args(kind) else f" {info.metavar or _kind(kind)}"
    default = parameter.default
    told = [info.help or ""]
    if default is inspect.Parameter.empty:
        told.append("Needed.")
    elif default is not None and default is not False:
        told.append(f"Default {default}.")
    return f"- {', '.join(f'`{name}{value}`' for name in names)}: {' '.join(told)}"


def _kind(annotation: Any) -> str:
    """Return what stands for a value in the usage of an option."""
    plain = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) is Literal:
        return "|".join(str(choice) for choice in plain)
    if plain:
        return _kind(plain[0])
    return {int: "INTEGER", float: "NUMBER", Path: "PATH"}.get(annotation, "TEXT")
