"""The architecture, read from the source: who may import, use, and mention what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import biglearn

ROOT = Path(biglearn.__file__).parent

#: A folder or module of the package imports only from those that stand before it.
LAYERS = [
    {"_types", "_version", "display"},  # everything that has a face may show it
    {"tables"},
    {"kernels"},
    {"model"},
    {"engines"},
    {"search"},
    {"plots"},  # before the estimators: results draw themselves
    {"report"},  # so too: they sum themselves up, of what plots draws
    {"estimators"},
    {"io"},
    {"cli"},
    {"__main__"},
]

#: Modules that may import even less.
NARROW = {
    "io": {"tables", "model"},
    "plots": {"_types", "display", "tables", "model", "search"},
    "kernels": {"_types"},
}

#: Longest chain of folders and modules that import each other.
LONGEST = 10

#: Lines of a file, and of those that may have more.
MOST_LINES, LONGER = 400, {"estimators/mixture.py": 500}

#: Where other packages may be imported; those under TYPE_CHECKING are free.
#: Estimators, and inside functions starts, the checks of arrays and the demo's digits.
SKLEARN = ("estimators/", "search/starts/", "engines/memory/source.py", "cli/demo.py")
MATPLOTLIB = ("plots/", "report/", "cli/demo.py")

#: Names with an underscore that the standard library makes public.
PUBLIC = {"_fields", "_replace", "_asdict", "_make"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


FILES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def tree_of(file: str) -> ast.Module:
    return ast.parse(FILES[file].read_text())


def module_of(file: str) -> str:
    """Return the dotted name of a file's module."""
    return ".".join(["biglearn", *file.removesuffix(".py").split("/")]).removesuffix(".__init__")


MODULES = {module_of(file): file for file in FILES}


def imported(file: str) -> Iterator[tuple[str, int]]:
    """Yield the modules that a file imports anywhere, and the lines."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole if whole in MODULES else str(node.module)), node.lineno


def part_of(module: str) -> str:
    """Return the folder or module right under the package."""
    return module.partition(".")[2].partition(".")[0]


PARTS = {part_of(module) for module in MODULES} - {""}


def depth(part: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if part in layer)


def ours(file: str) -> Iterator[tuple[str, int]]:
    """Yield the modules of the package that a file imports."""
    return (found for found in imported(file) if found[0].split(".")[0] == "biglearn")


def fail_with(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


# (a) The order of imports


def test_every_part_of_the_package_has_its_layer():
    assert set().union(*LAYERS) == PARTS


def test_imports_point_to_lower_layers_only():
    faults = []
    for file in FILES:
        part = part_of(module_of(file))
        if part == "":
            continue  # the package itself, which names everything public
        for module, line in ours(file):
            other = part_of(module)
            if other == "":
                faults.append(f"{file}:{line} imports the package itself")
            elif other != part and depth(other) >= depth(part):
                faults.append(f"{file}:{line} imports {module}")
            elif part in NARROW and other not in {part} | NARROW[part]:
                faults.append(f"{file}:{line} imports {module}: more than it may")
    fail_with(faults)


def test_the_package_itself_imports_at_once_nothing_but_its_version():
    at_once = [node for node in tree_of("__init__.py").body if isinstance(node, ast.ImportFrom)]
    assert {node.module for node in at_once if node.module.startswith("biglearn")} == {
        "biglearn._version"
    }


@pytest.mark.parametrize("part", ["model", "engines", "search"])
def test_no_files_of_a_folder_import_each_other_in_a_circle(part):
    graph = {
        file: {MODULES[module] for module, _ in ours(file) if part_of(module) == part}
        for file in FILES
        if part_of(module_of(file)) == part
    }
    assert len(graph) > 5
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_chains_of_parts_are_short():
    graph: dict[str, set[str]] = {part: set() for part in PARTS}
    for file in FILES:
        part = part_of(module_of(file))
        if part:
            graph[part] |= {part_of(module) for module, _ in ours(file)} - {part, ""}
    levels: dict[str, int] = {}
    for part in TopologicalSorter(graph).static_order():
        levels[part] = 1 + max((levels[other] for other in graph[part]), default=0)
    assert max(levels.values()) <= LONGEST, levels


# (b) Private members


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def defined_in(tree: ast.Module) -> set[str]:
    """Return names that a module defines: functions, classes, fields, attributes of self."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node):
            names.add(node.attr)
    return names


def is_own(node: ast.Attribute) -> bool:
    """Whether an attribute is of self, cls or super()."""
    value = node.value
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "super"
    return isinstance(value, ast.Name) and value.id in {"self", "cls"}


def test_private_members_are_used_where_they_are_defined():
    faults = []
    for file in FILES:
        tree = tree_of(file)
        known = defined_in(tree)
        faults += [
            f"{file}:{node.lineno} uses {ast.unparse(node)}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and is_private(node.attr)
            and not is_own(node)
            and node.attr not in known
        ]
    fail_with(faults)


def test_private_names_are_not_imported():
    faults = []
    for file in FILES:
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("biglearn"):
                faults += [
                    f"{file}:{node.lineno} imports {alias.name} from {node.module}"
                    for alias in node.names
                    if is_private(alias.name)
                ]
    fail_with(faults)


# (c) Engines, wrappers and sources stand behind their protocols


def test_nothing_asks_whether_it_has_a_certain_engine_or_source():
    classes = {
        node.name
        for file in FILES
        if file.startswith("engines/")
        for node in tree_of(file).body
        if isinstance(node, ast.ClassDef)
    }
    assert {"EngineWrapper", "NoisyEngine", "MemoryEngine", "ArraySource"} <= classes
    faults = []
    for file in FILES:
        if file.startswith("engines/"):
            continue
        for node in ast.walk(tree_of(file)):
            asks = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if asks and node.func.id in {"isinstance", "issubclass"}:
                named = {one.id for one in ast.walk(node.args[1]) if isinstance(one, ast.Name)}
                named |= {
                    one.attr for one in ast.walk(node.args[1]) if isinstance(one, ast.Attribute)
                }
                faults += [f"{file}:{node.lineno} asks for {name}" for name in named & classes]
    fail_with(faults)


# (d) Lengths of files


def test_files_are_short():
    lengths = {file: len(path.read_text().splitlines()) for file, path in FILES.items()}
    fail_with(
        [
            f"{file} has {length} lines"
            for file, length in lengths.items()
            if length > LONGER.get(file, MOST_LINES)
        ]
    )


# (e) Other packages, and print


def at_run_time(file: str) -> Iterator[tuple[str, int, bool]]:
    """Yield packages imported outside of TYPE_CHECKING, the lines, and whether in a function."""

    def visit(node: ast.AST, inside: bool) -> Iterator[tuple[str, int, bool]]:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).split(".")[0], node.lineno, inside
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    return visit(tree_of(file), False)


def test_scikit_learn_is_imported_by_estimators_and_else_where_it_is_used():
    fail_with(
        [
            f"{file}:{line} imports scikit-learn"
            for file in FILES
            for package, line, inside in at_run_time(file)
            if package == "sklearn"
            and not (file.startswith(SKLEARN) and (inside or file.startswith("estimators/")))
        ]
    )


def test_matplotlib_is_imported_by_plots_alone():
    fail_with(
        [
            f"{file}:{line} imports matplotlib"
            for file in FILES
            for package, line, _ in at_run_time(file)
            if package == "matplotlib" and not file.startswith(MATPLOTLIB)
        ]
    )


def printed(node: ast.AST, conditions: tuple[str, ...] = ()) -> Iterator[tuple[int, str]]:
    """Yield the lines of calls of print, and the conditions that they stand under."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
        yield node.lineno, " ".join(conditions)
    if isinstance(node, ast.If):
        conditions = (*conditions, ast.unparse(node.test))
    for child in ast.iter_child_nodes(node):
        yield from printed(child, conditions)


def test_only_the_command_line_and_verbose_estimators_print():
    faults = []
    for file in FILES:
        if file.startswith("cli/") or file == "__main__.py":
            continue
        for line, conditions in printed(tree_of(file)):
            if not (file.startswith("estimators/") and "verbose" in conditions):
                faults.append(f"{file}:{line} prints")
    fail_with(faults)
