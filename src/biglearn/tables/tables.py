"""A table of numbers with optional column names, read from and written to files."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biglearn.tables.columns import Selection, TableError
from biglearn.tables.files import check_writable, is_special, replacing
from biglearn.tables.formats import Cells, Columns, Names, Request, TextFormat
from biglearn.tables.readers import READERS
from biglearn.tables.writers import WRITERS, write_rows


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of numbers.

    Parameters
    ----------
    values : ndarray of shape (N, D)
        The numbers, float64; NaN is missing.
    names : tuple of D str or None
        Column names, None where the file has none.
    weights : ndarray of shape (N,) or None, default=None
        One weight per row, where a column of weights was asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.io import Table
    >>> Table(np.zeros((3, 2)), names=("x", "y")).values.shape
    (3, 2)
    """

    values: NDArray[np.float64]
    names: Names
    weights: NDArray[np.float64] | None = None

    @property
    def n_columns(self) -> int:
        """Number D of columns."""
        return int(self.values.shape[1])


def ending(path: str | os.PathLike[str], known: Mapping[str, Any]) -> str:
    """Return the longest of the `known` file endings that `path` has.

    Raises
    ------
    TableError
        If it has none of them.
    """
    name = Path(path).name.lower()
    fitting = [end for end in known if name.endswith(end)]
    if not fitting:
        raise TableError(f"{str(path)!r} ends in none of {', '.join(known)}")
    return max(fitting, key=len)


class TableRows:
    """Rows of one or several files, read block by block and again for every pass.

    Parameters
    ----------
    paths : sequence of Path
        Files with the same columns.
    columns, exclude, weights, features, key, text
        As in `read_table`.

    Raises
    ------
    TableError
        If a file cannot be used, or has changed since it was first read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        columns: Sequence[str | int] | None = None,
        exclude: Sequence[str | int] = (),
        *,
        weights: str | int | None = None,
        features: Sequence[str] | None = None,
        key: str | None = None,
        text: TextFormat | None = None,
    ) -> None:
        self.paths = tuple(paths)
        self.weighted = weights is not None
        self._readers = [READERS[ending(path, READERS)] for path in paths]
        self._select = Selection(columns, exclude, weights, features)
        self._key, self._text = key, text or TextFormat()
        self._columns: tuple[Names, tuple[str, ...]] | None = None
        self._versions: dict[Path, tuple[int, int]] = {}

    @property
    def names(self) -> Names:
        """Names of the chosen columns, None where the files have none."""
        return self.labels if self._known[0] else None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names, or else numbers, of the chosen columns."""
        labels = self._known[1]
        return labels[:-1] if self.weighted else labels

    @property
    def n_columns(self) -> int:
        """Number D of columns."""
        return len(self.labels)

    @property
    def _known(self) -> tuple[Names, tuple[str, ...]]:
        if self._columns is None:
            next(self.matrices(1), None)
        if self._columns is None:
            raise TableError(f"cannot use {str(self.paths[0])!r}: it has no rows")
        return self._columns

    def blocks(
        self, n_rows: int
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64] | None]]:
        """Yield blocks of at most so many rows, with their weights where there are any."""
        for matrix in self.matrices(n_rows):
            yield (matrix[:, :-1], matrix[:, -1]) if self.weighted else (matrix, None)

    def matrices(self, n_rows: int) -> Iterator[NDArray[np.float64]]:
        """Yield blocks in which the weights are the last column."""
        codes = Cells(self._text).numeric_codes
        for matrix in self._read(self._pick, n_rows):
            yield np.where(np.isin(matrix, codes), np.nan, matrix) if codes else matrix

    def cells(self, columns: Sequence[str | int]) -> dict[str, NDArray[Any]]:
        """Return columns as they are in the files, text included, by name or else number."""
        known: list[Columns] = []

        def pick(found: Columns) -> list[int]:
            known.append(found)
            return Selection(columns)(found, say=lambda _: None)

        blocks = list(self._read(pick, sys.maxsize, raw=True))
        chosen = Selection(columns)(known[0], say=lambda _: None)
        labels = [known[0].names[j] if known[0].names else str(j) for j in chosen]
        return dict(zip(labels, np.concatenate(blocks).T, strict=True))

    def _read(
        self, pick: Callable[[Columns], list[int]], n_rows: int, *, raw: bool = False
    ) -> Iterator[NDArray[Any]]:
        request = Request(pick, n_rows, self._key, self._text, raw)
        for path, reader in zip(self.paths, self._readers, strict=True):
            try:
                self._check_version(path)
                yield from reader(path, request)
                self._check_version(path)
            except ValueError as error:
                changed = path in self._versions and self._versions[path] != _version(path)
                reason = "it changed while it was read" if changed else str(error)
                raise TableError(f"cannot use {str(path)!r}: {reason}") from error

    def _pick(self, given: Columns) -> list[int]:
        chosen = self._select(given, self._say)
        names = given.names
        found = names, tuple(names[column] if names else str(column) for column in chosen)
        if self._columns is None and given.remark:
            self._say(given.remark)
        known = self._columns = self._columns or found
        if known[1] != found[1]:
            first = str(self.paths[0])
            raise ValueError(
                f"its columns are {list(found[1])}, those of {first!r} {list(known[1])}"
            )
        return chosen

    def _say(self, remark: str) -> None:
        """Tell, once for all files and passes, what was decided."""
        if self._columns is None:
            warnings.warn(f"{str(self.paths[0])!r}: {remark}", UserWarning, stacklevel=2)

    def _check_version(self, path: Path) -> None:
        if path.exists() and self._versions.setdefault(path, _version(path)) != _version(path):
            raise ValueError("changed")


def open_table(
    path: str | os.PathLike[str],
    columns: Sequence[str | int] | None = None,
    exclude: Sequence[str | int] = (),
    *,
    weights: str | int | None = None,
    features: Sequence[str] | None = None,
    key: str | None = None,
    text: TextFormat | None = None,
) -> TableRows:
    """Open a file, or all tables of a folder in the order of their names, without reading it.

    The parameters and errors are those of `read_table`; the rows are neither read nor checked
    before somebody asks for them.
    """
    path, files = Path(path), [Path(path)]
    if path.is_dir():
        found = (file for file in path.iterdir() if file.name.lower().endswith(tuple(READERS)))
        files = sorted(file for file in found if not file.name.startswith("."))
        if not files:
            raise TableError(f"the folder {str(path)!r} holds no file that ends in {list(READERS)}")
    return TableRows(
        files, columns, exclude, weights=weights, features=features, key=key, text=text
    )


def _version(path: Path) -> tuple[int, int]:
    """Tell one state of a file from another: its size, and when it was last written."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str | int] | None = None,
    exclude: Sequence[str | int] = (),
    *,
    weights: str | int | None = None,
    features: Sequence[str] | None = None,
    key: str | None = None,
    text: TextFormat | None = None,
) -> Table:
    r"""Read a table of numbers from CSV, TSV (also compressed), Parquet, npy or npz.

    Columns of row labels that pandas and R write are left out with a warning: those without a
    name in front of the others, and the index that Parquet files of pandas tell of.

    Parameters
    ----------
    path : str or path
        The file; its ending says the format.
    columns : sequence of str or int, default=None
        Columns to read, in this order, by name or by number from 0. None reads all.
    exclude : sequence of str or int, default=()
        Columns to leave out.
    weights : str or int, default=None
        Column of row weights, which is then no part of `values`.
    features : sequence of str, default=None
        Names of a model's features. Where the file has names and `columns` is None, these
        columns are read in this order and others are left out.
    key : str, default=None
        Which array of an npz file; not needed where there is only one.
    text : TextFormat, default=None
        How the text of a CSV file is written: decimal comma, encoding, more codes of missing
        values, ... None finds out.

    Returns
    -------
    Table
        N ≥ 1 rows of float64 values, NaN where one is missing (an empty cell, NA, null, ...),
        with names where the file has them.

    Raises
    ------
    TableError
        If the content is no table of numbers, holds infinity or a missing weight, or a
        column is not there; the message names the line or column, and the remedy.
    OSError
        If the file is missing or unreadable.
    ImportError
        If the file is Parquet and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "flowers.csv"
    ...     _ = path.write_text("length,width,species\n5.1,3.5,setosa\n4.9,3.0,setosa\n")
    ...     read_table(path, exclude=["species"]).values
    array([[5.1, 3.5],
           [4.9, 3. ]])
    """
    table = TableRows(
        [Path(path)], columns, exclude, weights=weights, features=features, key=key, text=text
    )
    try:
        blocks = list(table.matrices(sys.maxsize))
        values = np.concatenate(blocks) if len(blocks) > 1 else (blocks or [np.empty((0, 0))])[0]
    except MemoryError as error:
        raise TableError(f"cannot use {str(path)!r}: it does not fit in memory") from error
    try:
        _check_values(values, table._known[1], weighted=weights is not None)
    except ValueError as error:
        raise TableError(f"cannot use {str(path)!r}: {error}") from error
    if weights is None:
        return Table(values, table.names)
    return Table(np.ascontiguousarray(values[:, :-1]), table.names, values[:, -1])


def _check_values(values: NDArray[np.float64], labels: Sequence[str], *, weighted: bool) -> None:
    if not len(values):
        raise ValueError("it has no rows")
    bad = np.isinf(values)
    if weighted:
        bad[:, -1] |= np.isnan(values[:, -1])
    if bad.any():
        row, column = (int(index) for index in np.argwhere(bad)[0])
        raise ValueError(
            f"column {labels[column]!r} is {values[row, column]} in row {row} (the first is 0); "
            f"{bad.any(axis=1).sum()} of {len(values)} rows have such values: remove or fill them"
        )


def check_output(
    path: Path, *inputs: Path, model: bool = False, endings: Sequence[str] = ()
) -> None:
    """Refuse, before any work, a file that cannot be written or would replace an input.

    Parameters
    ----------
    path : Path
    *inputs : Path
    model : bool, default=False
        Whether it is to be a model file, and not a table.
    endings : sequence of str
        Those of a file that is neither; such as ".html".

    Raises
    ------
    TableError
        If the ending is of no format of tables.
    ValueError
        If the ending is not that of a model file, nor one of `endings`, or `path` is one of
        the `inputs`.
    OSError
        If the file cannot be written.
    """
    if model and path.suffix.lower() != ".npz" and not is_special(path):
        raise ValueError(
            f"the model file {str(path)!r} must end in .npz: it is an archive of plain arrays"
        )
    if endings and path.suffix.lower() not in endings and not is_special(path):
        raise ValueError(f"the output {str(path)!r} must end in {' or '.join(endings)}")
    if not (model or endings or is_special(path)):
        ending(path, WRITERS)
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise ValueError(f"the output {str(path)!r} would replace the input; name another file")
    check_writable(path)


def write_table(path: str | os.PathLike[str] | TextIO, columns: Mapping[str, ArrayLike]) -> None:
    """Write named columns of equal length, in the format that the file's ending says.

    Numbers in CSV are written so that reading them gives back the same floats. A file takes the
    place of an older one only once it is complete.

    Parameters
    ----------
    path : str, path or text file
        ``.csv`` or ``.tsv``, with ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` after it if it is to be
        compressed, ``.parquet``, or ``.npy`` (values only, without names); an open text file
        gets CSV.
    columns : mapping of str to array-like of shape (N,)
        The columns in order.

    Raises
    ------
    TableError
        If the ending is unknown.
    ValueError
        If the columns differ in length.
    OSError
        If the file cannot be written.
    ImportError
        If Parquet is asked for and pyarrow is not installed.

    Examples
    --------
    >>> import sys
    >>> write_table(sys.stdout, {"label": [0, 1], "log_density": [-1.25, -0.5]})
    label,log_density
    0,-1.25
    1,-0.5
    """
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    lengths = {name: values.shape for name, values in arrays.items()}
    if len(set(lengths.values())) != 1 or any(len(shape) != 1 for shape in lengths.values()):
        raise ValueError(f"columns must be one-dimensional and of equal length, got {lengths}")
    if not isinstance(path, str | os.PathLike):
        write_rows(path, arrays, ",")
        return
    write = WRITERS[".csv" if is_special(Path(path)) else ending(path, WRITERS)]
    with replacing(Path(path)) as stream:
        write(stream, arrays)
