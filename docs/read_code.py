"""Read from the import statements which file and folder of the package imports which."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "biglearn"

#: Left out: everybody imports them, or they import everybody.
UNDRAWN = {"", "__main__", "_types", "_version"}

Graph = dict[str, set[str]]


@dataclass(frozen=True)
class Part:
    """A file, or a folder and its parts in import order.

    Parameters
    ----------
    module : str
        Name without the package's own, such as "engines.memory".
    docstring : str
        Its first sentence.
    parts : tuple of Part
        None for a file.
    """

    module: str
    docstring: str
    parts: tuple[Part, ...] = ()

    @property
    def name(self) -> str:
        """Last word of the module's name."""
        return self.module.rpartition(".")[2]

    @property
    def path(self) -> str:
        """Path inside the package."""
        return self.module.replace(".", "/") + ("/" if self.parts else ".py")

    @property
    def leaves(self) -> list[Part]:
        """All files in the folder, or the file."""
        return [leaf for part in self.parts for leaf in part.leaves] if self.parts else [self]

    @property
    def files(self) -> list[Part]:
        """Files that lie in the folder itself, or the file."""
        return [part for part in self.parts if not part.parts] if self.parts else [self]


@cache
def modules() -> dict[str, Path]:
    """Return the files of the package by module."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        words = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(word for word in words if word != "__init__")] = path
    return found


@cache
def imports(module: str, *, inside_functions: bool = False) -> frozenset[str]:
    """Return the modules of the package that a module imports.

    Those for type checkers alone are left out, and those inside functions unless asked for.
    """
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    return frozenset(_imports_of(tree, inside_functions)) - {module}


def _imports_of(node: ast.AST, inside_functions: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.FunctionDef) and not inside_functions:
            continue
        if isinstance(child, ast.Import):
            named = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom) and child.module:
            named = [f"{child.module}.{alias.name}" for alias in child.names]
        else:
            yield from _imports_of(child, inside_functions)
            continue
        for name in named:
            if name.startswith("biglearn."):
                short = name.removeprefix("biglearn.")
                yield short if short in modules() else short.rpartition(".")[0]


@cache
def folders() -> tuple[Part, ...]:
    """Return the folders and files at the top of the package in import order, ground first."""
    names = {module.partition(".")[0] for module in modules()} - UNDRAWN
    return tuple(_in_import_order(names))


def _in_import_order(names: Iterable[str]) -> list[Part]:
    """Return parts, of which each imports from those before it alone."""
    graph = _graph_of(names)
    height: dict[str, int] = {}
    for name in TopologicalSorter(graph).static_order():  # refuses circles
        height[name] = 1 + max((height[other] for other in graph[name]), default=-1)
    return [_part(name) for name in sorted(height, key=lambda name: (height[name], name))]


def _graph_of(names: Iterable[str], *, inside_functions: bool = False) -> Graph:
    """Return which of some folders and files import which others of them."""
    graph: Graph = {name: set() for name in names}

    def owner(module: str) -> str | None:
        while module and module not in graph:
            module = module.rpartition(".")[0]
        return module or None

    for module in modules():
        if (ours := owner(module)) is not None:
            for imported in imports(module, inside_functions=inside_functions):
                theirs = owner(imported)
                if theirs is not None and theirs != ours:
                    graph[ours].add(theirs)
    return graph


def _part(module: str) -> Part:
    text = ast.get_docstring(ast.parse(modules()[module].read_text(encoding="utf-8"))) or ""
    sentence = " ".join(text.partition("\n\n")[0].split())
    depth = module.count(".") + 1
    children = {
        ".".join(name.split(".")[: depth + 1])
        for name in modules()
        if name.startswith(f"{module}.")
    }
    return Part(module, sentence, tuple(_in_import_order(children)))


def arrows(*, inside_functions: bool = False) -> Graph:
    """Return which folder imports which."""
    names = [folder.module for folder in folders()]
    return _graph_of(names, inside_functions=inside_functions)


def drawn_arrows() -> Graph:
    """Return the arrows that are left without those that follow from others."""
    graph = arrows()

    def below(name: str) -> set[str]:
        return graph[name] | {far for near in graph[name] for far in below(near)}

    return {
        name: {one for one in direct if not any(one in below(other) for other in direct - {one})}
        for name, direct in graph.items()
    }
