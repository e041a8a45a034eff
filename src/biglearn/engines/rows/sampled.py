"""Some rows of a source as they are, gaps and weights included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from biglearn._types import Array, FloatArray
from biglearn.engines.rows.summaries import Summable


@dataclass(frozen=True, eq=False)
class Sampled:
    """Every so many rows, with their weights.

    Attributes
    ----------
    rows : array of shape (n, D)
    weights : array of shape (n,)
    """

    rows: FloatArray
    weights: Array

    @classmethod
    def of(cls, rows: FloatArray, weights: Array | None = None, *, step: int = 1) -> Sampled:
        """Look at a piece of rows."""
        ours = rows[::step]
        return cls(ours, np.ones(len(ours)) if weights is None else weights[::step])

    def __add__(self, other: Sampled) -> Sampled:
        rows = np.concatenate([self.rows, other.rows])
        return Sampled(rows, np.concatenate([self.weights, other.weights]))


def sample_rows(source: Summable, size: int) -> Sampled:
    """Return about `size` rows spread evenly over a source; all of them up to that number."""
    step = -(-source.extent.n_rows // size)
    sample: Sampled = source.total(partial(Sampled.of, step=step))
    return sample
