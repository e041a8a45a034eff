"""Every engine that can be made here: one line each in ENGINES."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from biglearn.engines import Chunked, RowOptions, open_source
from biglearn.engines.rows.units import Units


def in_blocks(rows):
    """Cut rows into blocks of uneven sizes, some of them of one row."""
    n_rows = len(rows)
    cuts = {1, n_rows // 7 + 1, n_rows // 3 + 2, n_rows // 3 + 3}
    return np.array_split(rows, sorted(cut for cut in cuts if cut < n_rows))


@dataclass(frozen=True)
class Kind:
    """How a test gets an engine: the estimator's parameter, and the container of its rows."""

    engine: Any
    wrap: Callable = np.asarray
    package: str | None = None
    rtol: float = 1e-9  # of float64 moments against the direct formulas
    threads_rtol: float = 0.0  # of float32 moments with other numbers of threads
    numba: bool = True

    def open(self, rows, *, weights=None, n_threads=1):
        options = RowOptions(engine=self.engine, sample_weight=weights, n_threads=n_threads)
        return open_source(self.wrap(rows), options)

    def __call__(self, rows, *, weights=None, units=None, n_threads=1):
        source = self.open(rows, weights=weights, n_threads=n_threads)
        return source.engine(units or Units.identity(rows.shape[1]))


def to_tensor(rows):
    return importlib.import_module("torch").from_numpy(np.array(rows))


def to_chunks(rows):
    array = importlib.import_module("dask.array").from_array(np.array(rows), chunks=(-1, 1))
    few = [len(block) for block in in_blocks(rows)][-2:]
    return array.rechunk(((len(rows) - sum(few), *few), 1))


ENGINES = {
    "memory": Kind("memory"),
    "memory, without Numba": Kind("memory", numba=False),
    "chunked": Kind("chunked"),
    "chunked, small blocks": Kind(Chunked(block_bytes=4000)),
    "chunked, uneven blocks": Kind(Chunked(block_bytes=4000), in_blocks),
    "torch": Kind("torch", package="torch", threads_rtol=1e-5),
    "dask": Kind("auto", to_chunks, package="dask"),
    "torch, of a tensor": Kind("auto", to_tensor, package="torch", threads_rtol=1e-5),
}


@pytest.fixture(params=list(ENGINES))
def kind(request, without_numba):
    kind = ENGINES[request.param]
    if not kind.numba:
        without_numba()
    if kind.package and importlib.util.find_spec(kind.package) is None:
        pytest.skip(f"{kind.package} is missing: pip install 'biglearn-em[{kind.package}]'")
    return kind
