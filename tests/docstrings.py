"""What the docstring of a public name lacks, by the rules of numpydoc."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator


def sections(docstring: str) -> dict[str, str]:
    """Split a docstring at its underlined headings."""
    found = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.cleandoc(docstring), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def documented_names(section: str) -> set[str]:
    """Return the names that a section of parameters or attributes explains."""
    lines = re.findall(r"^([\w*, ]+?)(?: : .*)?$", section, flags=re.MULTILINE)
    return {name.strip().lstrip("*") for line in lines for name in line.split(",")}


def lacks(thing: typing.Any) -> list[str]:
    """Return what is missing from the documentation of a function or class."""
    if not inspect.isclass(thing) and not callable(thing):
        return []  # a type alias or a table; comments explain them
    if not (thing.__doc__ or "").strip():
        return ["a docstring"]
    missing = list(_lacks_parameters(thing))
    if inspect.isclass(thing):
        missing += [
            f"a docstring of {name}" for name, member in _members(thing) if not member.__doc__
        ]
        return missing + _lacks_example(thing)
    returns = inspect.signature(thing).return_annotation not in (None, "None")
    # One that says in its first line what it returns needs no section for it.
    told = re.match(r"(Return|Draw|Yield|Load|Read)", thing.__doc__)
    if returns and not told and not {"Returns", "Yields"} & set(sections(thing.__doc__)):
        missing.append("Returns")
    return missing + _lacks_example(thing)


def _lacks_parameters(thing: typing.Any) -> Iterator[str]:
    if _is_abstract(thing):
        return
    parts = sections(thing.__doc__)
    explained = documented_names(parts.get("Parameters", "") + parts.get("Attributes", ""))
    for name in inspect.signature(thing).parameters:
        if name not in explained:
            yield f"the parameter {name}"


def _lacks_example(thing: typing.Any) -> list[str]:
    """Moves, protocols, records and errors are met in the examples of others."""
    if inspect.isclass(thing):
        made_by_others = "__call__" in vars(thing) or "Attributes" in sections(thing.__doc__)
        if made_by_others or _is_abstract(thing):
            return []
        if not inspect.signature(thing).parameters:
            return []
    return [] if "Examples" in sections(thing.__doc__) else ["Examples"]


def _is_abstract(thing: typing.Any) -> bool:
    """Whether nobody builds one: a protocol, or an error that only gets raised."""
    is_error = inspect.isclass(thing) and issubclass(thing, Exception)
    return is_error or getattr(thing, "_is_protocol", False)


def _members(thing: type) -> Iterator[tuple[str, Callable[..., object] | property]]:
    for name, member in vars(thing).items():
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if not name.startswith("_") and (inspect.isfunction(plain) or isinstance(plain, property)):
            yield name, plain
