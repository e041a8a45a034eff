"""Write docs/reference from the docstrings and the command line's own help.

    python docs/build_reference.py

A test fails where a page is older than the docstrings.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

FOLDER = Path(__file__).parent / "reference"

#: The pages: a title, a preface, and the names to explain, by module.
PAGES: dict[str, tuple[str, str, dict[str, list[str]]]] = {
    "estimator": (
        "The estimator",
        "A drop-in for scikit-learn's `GaussianMixture`. To come from there, see "
        "[this guide](../how-to/from-scikit-learn.md).",
        {"biglearn": ["GaussianMixture"]},
    ),
    "mixture": (
        "The distribution",
        "`model.mixture_` of a fitted estimator, or built from known parameters.",
        {
            "biglearn": ["Mixture"],
            "biglearn.model.conditional": ["ConditionalMixture"],
            "biglearn.model.mixture": ["KLEstimate"],
            "biglearn.model.noise": ["Noise"],
            "biglearn.model.structures": ["Factors"],
        },
    ),
    "uses": (
        "Regression, anomalies and the number of components",
        "Uses of conditionals, densities and criteria.",
        {
            "biglearn": ["BigLearnRegressor", "BigLearnAnomalyDetector"],
            "biglearn.estimators.selection": [],
            "biglearn.search.path": ["Candidate"],
        },
    ),
    "methods": (
        "Methods and schedules",
        "Rules that choose the next move. [Choose a method](../how-to/choose-a-method.md).",
        {"biglearn": ["EM", "Paper", "Search"], "biglearn.search.schedules": []},
    ),
    "moves": (
        "Moves, legs and views",
        "The parts of a method; [how they work together](../explanation/search.md) and "
        "[how to add one](../how-to/add-a-move.md).",
        {"biglearn": ["View"],
         "biglearn.model.views": ["beta_subset_size", "random_subset"],
         "biglearn.model.lifts": ["block_gain", "regression_gain"],
         "biglearn.search.moves": [],
         "biglearn.search.legs":
            ["Leg", "RestartLeg", "TournamentLeg", "SubspaceLeg", "DisturbLeg"],
         "biglearn.search.run": ["Run", "Settings", "Move", "Method"],
         "biglearn.search.tuning": ["Tuning"]},
    ),
    "structures": (
        "Structures, families and components",
        "Objects that `covariance_type=` and `family=` take in place of a name, and the components "
        "that they shape. [Add a structure](../how-to/add-a-covariance-structure.md).",
        {"biglearn.model.structures":
            ["Structure", "Tied", "Diagonal", "Spherical", "Factor", "structure_of"],
         "biglearn.model.families": ["Family", "StudentT", "family_of"],
         "biglearn.model.components": ["Components"],
         "biglearn.model.constraints": ["Constraints", "Repairs"],
         "biglearn.model.moments": ["Moments"]},
    ),
    "engines": (
        "Engines",
        "Where rows live, and the only code that touches them. "
        "[Add an engine](../how-to/add-an-engine.md).",
        {"biglearn.engines": []},
    ),
    "io": ("Tables and models", "", {"biglearn.io": []}),
    "records": (
        "Records, summaries and pictures",
        "[How to see a model](../how-to/see-a-model.md).",
        {"biglearn.search.records": [], "biglearn.report.summary": ["Summary"],
         "biglearn.report.page": ["Report"],
         "biglearn.plots": []},
    ),
}  # fmt: skip


def names_of(module: Any) -> list[str]:
    """Return the public names of a module: `__all__`, or what it defines itself."""
    own = [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]
    return [name for name in getattr(module, "__all__", own) if callable(getattr(module, name))]


def page(key: str) -> str:
    """Return one page of the reference."""
    title, preface, modules = PAGES[key]
    parts = [f"# {title}", preface]
    told: list[Any] = []
    for module_name, chosen in modules.items():
        module = import_module(module_name)
        if not chosen:
            parts += [f"## {module_name}", prose(module.__doc__ or "")]
        for name in chosen or names_of(module):
            thing = getattr(module, name)
            parts += entry(thing, f"{module_name}.{name}", told)
            told.append(thing)
    return "\n\n".join(part for part in [*parts, _footer()] if part) + "\n"


def entry(thing: Any, name: str, told: Sequence[Any] = ()) -> Iterator[str]:
    """Explain a function, or a class with its methods; `told` is on the page already."""
    yield f"### `{name}`"
    is_error = inspect.isclass(thing) and issubclass(thing, Exception)
    if not is_error and not getattr(thing, "_is_protocol", False):
        yield f"```text\n{call(name.rpartition('.')[2], thing)}\n```"
    yield body(thing.__doc__ or "")
    if inspect.isclass(thing):
        bases = [base for base in thing.__mro__[1:] if base in told]
        for member_name, member in members(thing, bases).items():
            yield from member_entry(member_name, member)
        if bases:
            yield f"All else as in `{bases[0].__name__}`."


def members(thing: type, told: Sequence[type] = ()) -> dict[str, Any]:
    """Return the public members of a class, its own first, then those of our untold bases."""
    known = {base for one in told for base in one.__mro__}
    ours = [
        base
        for base in thing.__mro__
        if base.__module__.startswith("biglearn") and base not in known
    ]
    found: dict[str, Any] = {}
    for base in ours:
        new = {name: member for name, member in vars(base).items() if name not in found}
        found |= {name: member for name, member in new.items() if not name.startswith("_")}
    return found


def member_entry(name: str, member: Any) -> Iterator[str]:
    """Explain a method or property."""
    if isinstance(member, property):
        yield f"#### `.{name}`\n\n{body(member.__doc__ or '')}"
    plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    if inspect.isfunction(plain):
        yield f"#### `.{call(name, plain)}`\n\n{body(plain.__doc__ or '')}"


def call(name: str, thing: Callable[..., Any]) -> str:
    """Return how a thing is called, without the types that its docstring explains."""
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return name
    parameters = [
        p.replace(annotation=inspect.Parameter.empty)
        for p in signature.parameters.values()
        if p.name not in ("self", "cls")
    ]
    bare = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    text = re.sub(r"<[^>]*>", "...", f"{name}{bare}")
    if len(text) <= 96:
        return text
    words = [re.sub(r"<[^>]*>", "...", str(p)) for p in parameters]
    named = [i for i, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY]
    if named:
        words.insert(named[0], "*")
    return f"{name}(\n    " + ",\n    ".join(words) + ",\n)"


def body(docstring: str) -> str:
    """Turn a numpydoc docstring into Markdown."""
    text = inspect.cleandoc(docstring)
    pieces = re.split(r"^(\w[\w ]*)\n-{3,}$", text, flags=re.MULTILINE)
    parts = [prose(pieces[0])]
    for heading, content in zip(pieces[1::2], pieces[2::2], strict=True):
        if heading == "Examples":
            parts.append(f"**Example**\n\n```pycon\n{content.strip()}\n```")
        elif heading in ("References", "Notes"):
            parts.append(f"**{heading}.** {prose(content)}")
        else:
            parts.append(f"**{heading}**\n\n{definitions(content)}")
    return "\n\n".join(part for part in parts if part)


def definitions(section: str) -> str:
    """Turn the entries of a section into a list."""
    items = []
    for block in re.split(r"\n(?=\S)", section.strip("\n")):
        head, _, rest = block.partition("\n")
        name, _, kind = head.partition(" : ")
        told = prose(inspect.cleandoc(rest)).replace("\n", "\n  ") if rest.strip() else ""
        label = f"`{name}`" if kind or told else name
        items.append(f"- {label}" + (f" ({kind})" if kind else "") + (f": {told}" if told else ""))
    return "\n".join(items)


def prose(text: str) -> str:
    """Turn reStructuredText as the docstrings use it into Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", inspect.cleandoc(text)).replace("``", "`")
    return re.sub(  # tables keep their form
        r"^(=+ [= ]+\n(?:.*\n)*?=+ [= ]+\n(?:.*\n)*?=+ [= ]+)$", r"```text\n\1\n```", text,
        flags=re.MULTILINE,
    ).strip()  # fmt: skip


def command_line() -> str:
    """Return the page of the command line, from the signatures of the commands."""
    from biglearn.cli.app import app

    parts = [
        "# The command line",
        "`biglearn COMMAND --help` shows the same. Results go to stdout, all else to stderr; "
        "the exit code is 0 if all went well, 1 if the command failed, 2 if it was called "
        "wrongly, 130 if it was interrupted and 143 if it was terminated. "
        "[A walk through the commands](../how-to/command-line.md).",
    ]
    commands = {
        info.name or info.callback.__name__: info.callback for info in app.registered_commands
    }
    for name, command in sorted(commands.items()):
        parameters = list(inspect.signature(command, eval_str=True).parameters.values())
        words = [p.annotation.__metadata__[0].metavar for p in parameters if not _is_option(p)]
        parts += [f"## `{' '.join(['biglearn', name, *words])}`", prose(command.__doc__ or "")]
        parts.append("\n".join(_parameter(p) for p in sorted(parameters, key=_is_option)))
    return "\n\n".join([*parts, _footer()]) + "\n"


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


def _footer() -> str:
    return "*Made from the docstrings by `docs/build_reference.py`.*"


def pages() -> dict[Path, str]:
    """Return every page of the reference by its file."""
    written = {FOLDER / f"{key}.md": page(key) for key in PAGES}
    return written | {FOLDER / "cli.md": command_line()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
