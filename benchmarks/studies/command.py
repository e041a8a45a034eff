"""`python -m benchmarks study`: run a study, list the rivals, draw the tables."""

from __future__ import annotations

import subprocess
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.studies.realdata import DATA_VARIABLE
from benchmarks.studies.store import Store

#: The studies, each a module that is imported when it is run.
STUDIES = (
    "gaussians25",
    "clustering",
    "fashion",
    "equal-time",
    "ablation",
    "speed",
    "targets",
    "generalise",
    "best-known",
    "merging",
    "classes",
    "missing",
    "regression",
    "selection",
    "mclust-sets",
    "many",
)

WORDS = f"{', '.join(STUDIES)}, all, tables, figures, merge or rivals"


def study(
    name: Annotated[
        str,
        typer.Argument(help=f"{WORDS}.", metavar="NAME"),
    ],
    profile: Annotated[str, typer.Option(help="tiny, short or full.")] = "short",
    full: Annotated[bool, typer.Option("--full", help="The same as --profile full.")] = False,
    data: Annotated[
        Path | None, typer.Option(envvar=DATA_VARIABLE, help="Folder of npz data sets.")
    ] = None,
    download: Annotated[bool, typer.Option(help="Fetch missing sets from OpenML.")] = False,
    seeds: Annotated[list[int] | None, typer.Option(help="Repeat for several.")] = None,
    problems: Annotated[list[str] | None, typer.Option(help="Repeat for several.")] = None,
    methods: Annotated[list[str] | None, typer.Option(help="Repeat for several.")] = None,
    budgets: Annotated[list[float] | None, typer.Option(help="Seconds; repeat.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Outer steps of the published chain.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of every fit.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Fits at once.")] = 1,
    limit: Annotated[
        float | None, typer.Option(min=0, help="Seconds; no fit begins that may end later.")
    ] = None,
    source: Annotated[
        list[Path] | None, typer.Option(help="With merge: folders of results made elsewhere.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of results.")] = Path("benchmarks/results"),
    install: Annotated[bool, typer.Option("--install", help="With rivals: install.")] = False,
) -> None:
    """Run a study; what exists already is not run again."""
    console = Console(stderr=True)
    if name == "rivals":
        _rivals(install=install)
        return
    if name == "merge":
        _merge(output, source or [])
        return
    if name == "figures":
        from benchmarks.studies import figures

        for path in figures.draw(output):
            print(path)
        return
    from benchmarks.studies import tables
    from benchmarks.studies.study import Options, narrow

    chosen = list(STUDIES) if name in ("all", "tables") else [name]
    for one in chosen:
        if one not in STUDIES:
            raise typer.BadParameter(f"unknown study {name!r}; choose from {WORDS}")
        store = Store(output, one)
        if name != "tables":
            module = import_module(f"benchmarks.studies.{one.replace('-', '_')}")
            wanted = "full" if full else profile
            if wanted not in module.PROFILES:
                raise typer.BadParameter(f"unknown profile {wanted!r}; tiny, short or full")
            plan = narrow(
                module.PROFILES[wanted],
                problems=problems,
                methods=methods,
                seeds=seeds,
                budgets=budgets,
                steps=steps,
            )
            try:
                tasks = module.tasks(Options(plan, data, download, threads))
            except ValueError as error:
                raise typer.BadParameter(str(error)) from error
            _run(console, tasks, store, threads=threads, jobs=jobs, limit=limit)
        if store.merged.exists():
            print(tables.report(store.merged))


def _run(
    console: Console, tasks: Any, store: Store, *, threads: int, jobs: int, limit: float | None
) -> None:
    from benchmarks.studies.study import missing, run

    left = len(missing(tasks, store))
    columns = (TextColumn("{task.description:40.40}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task(store.study, total=left)

        def report(title: str, cells: Any) -> None:
            progress.update(bar, description=title, advance=0 if cells is None else 1)

        run(tasks, store, threads=threads, jobs=jobs, limit=limit, report=report)


def _merge(output: Path, sources: list[Path]) -> None:
    if not sources:
        raise typer.BadParameter("merge needs the folders to merge: --source FOLDER")
    for study in STUDIES:
        found = [path for folder in sources if (path := folder / f"{study}.json").exists()]
        if found:
            print(Store(output, study).merge(*found))


def _rivals(*, install: bool) -> None:
    from benchmarks.studies import environments
    from benchmarks.studies.contenders import CONTENDERS

    if install:
        for environment in environments.REQUIREMENTS:
            if environments.gap(environment):
                try:
                    environments.install(environment)
                except (OSError, subprocess.CalledProcessError) as error:
                    print(f"{environment}: {error}")
    for contender in CONTENDERS.values():
        print(f"{contender.title}: {contender.gap() or 'ready'}")
