"""Work on a partition of rows: plain functions of plain data for the workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from biglearn._types import Array, BoolArray, FloatArray, IntArray
from biglearn.engines.memory.choose import engine_over
from biglearn.engines.rows.checks import reject_infinite
from biglearn.engines.rows.summaries import Extent, Summary, pieces
from biglearn.engines.rows.units import Units
from biglearn.model.components import Components
from biglearn.model.moments import Moments
from biglearn.model.views import View
from biglearn.tables.containers import as_array


@dataclass(frozen=True, eq=False)
class Partition:
    """The checked rows of a partition that have a positive weight.

    Attributes
    ----------
    rows : array of shape (b, D)
    weights : array of shape (b,) or None
    present : array of bool, or None
        Which of the given rows they are, where some were left out.
    """

    rows: FloatArray
    weights: Array | None = None
    present: BoolArray | None = None

    @property
    def n_given(self) -> int:
        """Number of rows, those of weight 0 included."""
        return len(self.rows) if self.present is None else len(self.present)


def check(
    rows: Any, weights: Any, number: int, dtype: np.dtype[Any], names: list[str] | None
) -> Partition:
    """Check a partition, and leave out rows of weight 0.

    Raises
    ------
    ValueError
        If a value is infinite, or the weights do not fit the rows.
    """
    values = np.ascontiguousarray(as_array(rows), dtype=dtype)
    try:
        reject_infinite(values, names)
    except ValueError as error:
        raise ValueError(f"partition {number}: {error}") from None
    if weights is None:
        return Partition(values)
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (len(values),):
        raise ValueError(
            f"sample_weight must be chunked like the rows: partition {number} has {len(values)} "
            f"rows and weights of shape {given.shape}"
        )
    present = given > 0
    return Partition(values[present], given[present], None if present.all() else present)


def census(part: Partition) -> tuple[int, Extent | None]:
    """Return the number of given rows, and the extent of those with a weight."""
    parts = [Extent.of(*piece) for piece in pieces(part.rows, part.weights)]
    return part.n_given, reduce(add, parts) if parts else None


def summarised(part: Partition, summary: Summary[Any]) -> Any:
    """Return the sum of a summary over pieces of a partition."""
    return reduce(add, (summary(*piece) for piece in pieces(part.rows, part.weights)))


def expect(part: Partition, *, components: Components, units: Units, view: View) -> Moments:
    """Make one pass over a partition, in one thread."""
    engine = engine_over(part.rows, weights=part.weights, units=units, view=view)
    with engine.running():
        return engine.expect(components)


def select(part: Partition, chosen: IntArray) -> tuple[FloatArray, Array | None]:
    """Return some rows and their weights."""
    return part.rows[chosen], None if part.weights is None else part.weights[chosen]


def answer(rows: Any, *, rule: Callable[[FloatArray], Any], precision: np.dtype[Any]) -> Any:
    """Apply a rule to a block."""
    values = np.ascontiguousarray(as_array(rows), dtype=precision)
    reject_infinite(values)
    return rule(values)
