"""From the options of a command to a table, a method and an output that can be written."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import ArrayLike

from biglearn.cli.reading import Reading
from biglearn.engines import ArraySource, Chunked, Header, RowOptions, Source
from biglearn.engines.choose import choose
from biglearn.model.mixture import Mixture
from biglearn.tables.piped import spooled
from biglearn.tables.tables import Table, TableRows, open_table, read_table

if TYPE_CHECKING:
    from biglearn.search.methods import Paper


def sizes(text: str) -> list[int]:
    """Read numbers of components: single ones and ranges, separated by commas.

    Examples
    --------
    >>> sizes("1-3,8")
    [1, 2, 3, 8]
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise typer.BadParameter(f"--components must be like 1-12 or 2,4,8, got {text!r}")
        found += range(int(first), int(last or first) + 1)
    return found


class Data(NamedTuple):
    """What a command was given to read.

    Attributes
    ----------
    table : Table or TableRows
        The numbers, or where they are to be read in blocks.
    kept : dict of str to array
        Columns that are written beside the results, as they are.
    """

    table: Table | TableRows
    kept: dict[str, ArrayLike]


def read_data(
    data: Path, reading: Reading, *, engine: str = "auto", model: Mixture | None = None
) -> Data:
    """Read DATA as the options say, or only open it where it is to be read in blocks.

    The columns come in the order of the model's features, if there is one.
    """
    piped = spooled(data)
    path = data if piped is None else piped.path
    features = None if model is None else model.feature_names
    # What is kept is no feature, unless the model knows its features by name.
    aside = reading.keep if features is None and reading.columns is None else ()
    read = open_table if choose(path, engine) == "chunked" else read_table
    table: Table | TableRows = read(
        path,
        reading.columns,
        [*reading.exclude, *(name for name in aside if name not in reading.exclude)],
        weights=reading.weights,
        features=features,
        key=reading.key,
        text=reading.text,
    )
    if piped is not None:
        piped.keep_for(table)
    if model is not None and table.n_columns != model.n_features:
        raise ValueError(
            f"{str(data)!r} gives {table.n_columns} columns and the model has "
            f"{model.n_features} features: choose with --columns or --exclude"
        )
    kept: dict[str, ArrayLike] = {}
    if reading.keep:
        kept |= open_table(path, key=reading.key, text=reading.text).cells(reading.keep)
    return Data(table, kept)


def rows_of(table: Table | TableRows) -> tuple[Any, Any]:
    """Return the rows of a table as an estimator takes them, and separate weights."""
    return (table.values, table.weights) if isinstance(table, Table) else (table, None)


def source_of(table: Table | TableRows) -> Source:
    """Open a table for questions about its rows; one that was read has been checked."""
    X, weights = rows_of(table)
    options = RowOptions(sample_weight=weights)
    if isinstance(table, TableRows):
        return Chunked().open_source(X, options)
    return ArraySource(X, Header(table.n_columns, table.names), options)


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
    from biglearn.search.methods import Paper

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


def regularisation(
    reg_covar: str, prior: str, resolution: str, max_ratio: float | None
) -> dict[str, Any]:
    """Read the options that keep components wide, as arguments of an estimator.

    Examples
    --------
    >>> regularisation("auto", "2", "none", None)
    {'reg_covar': 'auto', 'prior': 2.0, 'resolution': None, 'max_ratio': None}
    """
    try:
        floor = reg_covar if reg_covar == "auto" else float(reg_covar)
    except ValueError:
        raise typer.BadParameter(
            f"--reg-covar must be auto or a number, got {reg_covar!r}"
        ) from None
    return {
        "reg_covar": floor,
        "prior": _pseudo_rows(prior),
        "resolution": None if resolution == "none" else resolution,
        "max_ratio": max_ratio,
    }


def _pseudo_rows(text: str) -> str | float | None:
    if text in ("none", "auto"):
        return None if text == "none" else text
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"--prior must be none, auto or a number, got {text!r}") from None


def rows_and_columns(data: Path, table: Table | TableRows) -> str:
    """Describe a table that was read or opened, in one line."""
    rows = f"{len(table.values)} rows" if isinstance(table, Table) else "read in blocks"
    named = f": {', '.join(table.names[:12])}" if table.names else ""
    more = ", ..." if table.n_columns > 12 and named else ""
    gaps = np.isnan(table.values) if isinstance(table, Table) else np.zeros((0, 0), dtype=bool)
    holes = f"; {gaps.sum()} missing values in {gaps.any(axis=1).sum()} rows" if gaps.any() else ""
    return f"{data}: {rows}, {table.n_columns} columns{named}{more}{holes}"
