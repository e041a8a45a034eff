"""From the options of a command to a table, a method and an output that can be written."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from biglearn.mixture import Mixture
from biglearn.tables import Table, read_table

if TYPE_CHECKING:
    from biglearn.methods import Paper


def split(references: Sequence[str] | None) -> list[str] | None:
    """Take several references from one option, at commas."""
    if references is None:
        return None
    return [part.strip() for reference in references for part in reference.split(",") if part]


def read_data(
    data: Path,
    columns: Sequence[str] | None,
    exclude: Sequence[str] | None,
    key: str | None,
    *,
    weights: str | None = None,
    model: Mixture | None = None,
) -> Table:
    """Read DATA as the options say, in the order of the model's features if there is one."""
    table = read_table(
        data,
        split(columns),
        split(exclude) or (),
        weights=weights,
        features=None if model is None else model.feature_names,
        key=key,
    )
    if model is not None and table.values.shape[1] != model.n_features:
        raise ValueError(
            f"{str(data)!r} gives {table.values.shape[1]} columns and the model has "
            f"{model.n_features} features: choose with --columns or --exclude"
        )
    return table


def paper_options(
    method: str, steps: int | None, lift: str | None, pseudo_count: str | None, no_polish: bool
) -> "Paper | None":
    """Build the published method from its own options, or refuse them with another method."""
    given: dict[str, Any] = {"steps": steps, "lift": lift, "pseudo_count": pseudo_count}
    given = {name: value for name, value in given.items() if value is not None}
    if no_polish:
        given["polish"] = False
    if method != "paper":
        if given:
            raise typer.BadParameter(
                "--steps, --lift, --pseudo-count and --no-polish need --method paper"
            )
        return None
    from biglearn.methods import Paper

    if pseudo_count is not None and not pseudo_count.startswith("1/"):
        try:
            given["pseudo_count"] = float(pseudo_count)
        except ValueError:
            raise typer.BadParameter(
                f"--pseudo-count must be 1/sqrt(K), 1/K or a number, got {pseudo_count!r}"
            ) from None
    try:
        return Paper(**given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def rows_and_columns(data: Path, table: Table) -> str:
    """Say what was read."""
    n_rows, n_columns = table.values.shape
    named = f": {', '.join(table.names[:12])}" if table.names else ""
    more = ", ..." if n_columns > 12 and named else ""
    return f"{data}: {n_rows} rows, {n_columns} columns{named}{more}"
