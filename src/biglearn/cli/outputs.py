"""Output of commands: models, and tables on stdout or in a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from biglearn.cli.messages import say
from biglearn.cli.show import describe
from biglearn.io import Table, save_model, write_table
from biglearn.model.mixture import Mixture
from biglearn.tables.tables import TableRows

if TYPE_CHECKING:
    from biglearn.estimators.mixture import GaussianMixture


def save(
    output: Path,
    estimator: "GaussianMixture",
    table: Table | TableRows,
    known: dict[str, Any],
    *,
    quiet: bool,
) -> None:
    """Save a fitted estimator's mixture, with the names of its columns, and say so."""
    info = describe(estimator, **known, n_rows=estimator.n_samples_seen_)
    mixture = Mixture.of(estimator.mixture_, table.names)
    save_model(output, mixture, info=info)
    say(
        f"{output}: {mixture.n_components} components, log-likelihood "
        f"{estimator.lower_bound_:.6f} per row, {info['seconds']:.1f} s",
        quiet=quiet,
    )


def beside(kept: dict[str, ArrayLike], results: dict[str, ArrayLike]) -> dict[str, ArrayLike]:
    """Put columns that were kept before the results."""
    twice = [name for name in kept if name in results]
    if twice:
        raise ValueError(f"--keep {twice[0]} has the name of a result; rename that column of DATA")
    return kept | results


def write(output: Path | None, columns: dict[str, ArrayLike], *, quiet: bool) -> None:
    """Write a table to a file, or to stdout where none is named."""
    if output is None:
        write_table(sys.stdout, columns)
        sys.stdout.flush()
        return
    write_table(output, columns)
    n_rows = len(np.asarray(next(iter(columns.values()))))
    say(f"{output}: {n_rows} rows, columns {', '.join(columns)}", quiet=quiet)
