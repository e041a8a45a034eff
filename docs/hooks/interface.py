"""The library's public names, which the reference explains and the tests look over."""

from __future__ import annotations

import importlib

#: Modules whose public names are the library's interface.
MODULES = ["biglearn"] + [
    f"biglearn.{name}"
    for name in (
        "engines", "io", "model.views", "plots", "search.methods", "search.moves",
        "search.records", "search.schedules",
    )
]  # fmt: skip


def public_names() -> list[tuple[str, str]]:
    """Return (module, name) of everything public."""
    return [(module, name) for module in MODULES for name in names_of(module)]


def names_of(module_name: str) -> list[str]:
    """Return `__all__`, or what a module without it defines itself and does not hide."""
    module = importlib.import_module(module_name)
    own = [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module_name
    ]
    return [name for name in getattr(module, "__all__", own) if name != "__version__"]


def homes() -> dict[str, list[str]]:
    """Return the full names under which the reference may explain each public name.

    A class may be imported from several places; constants, which have no docstring, are left out.
    """
    found: dict[str, list[str]] = {}
    for module, name in public_names():
        thing = getattr(importlib.import_module(module), name)
        home, own = getattr(thing, "__module__", None), getattr(thing, "__qualname__", name)
        if callable(thing) and home is not None:
            found.setdefault(name, []).extend([f"{module}.{name}", f"{home}.{own}"])
    return found
