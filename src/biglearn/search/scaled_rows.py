"""Rows in units: opened once for all problems over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array
from biglearn.engines.base import Engine, Source
from biglearn.engines.rows.resolution import measure_resolution
from biglearn.engines.rows.summaries import Extent, mean_and_deviation
from biglearn.engines.rows.units import Units

#: Below this a variance of a column, or its inverse, leaves the range of float64.
_SMALLEST_VARIANCE = 1e-306

#: Variances below this share of the data's drown in the rounding of the moments.
_RESOLUTION = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-6}


#: Largest floor that the resolution of a column may set, as a share of its variance.
_LARGEST_CELL = 0.3


@dataclass(frozen=True, eq=False)
class ScaledRows:
    """Rows of a source in units, opened once for all problems over them.

    Parameters
    ----------
    source : Source
    units : Units
    names : tuple of D str, optional
        Of the columns.
    """

    source: Source
    units: Units
    names: tuple[str, ...] | None = None

    @cached_property
    def engine(self) -> Engine:
        """The engine over the rows, in units."""
        return self.source.engine(self.units)

    @cached_property
    def offset(self) -> float:
        """Mean log-Jacobian of the units, which log-likelihoods in the user's lose."""
        return self.units.mean_log_volume(self.source)

    @cached_property
    def resolution(self) -> Array:
        """Unit to which each column is rounded, in the user's units, shape (D,)."""
        return measure_resolution(self.source)

    def floors(self, floor: float, resolution: str | ArrayLike) -> Array:
        """Return the floor F of every column in units, shape (D,).

        A value rounded to a unit h stands for a cell of that width, and no component can be
        narrower than the cell, whose variance is h²/12.
        """
        if isinstance(resolution, str):
            unit = self.resolution
        else:
            unit = np.asarray(resolution, dtype=np.float64)
            if unit.shape != self.units.scale.shape or not (unit >= 0).all():
                raise ValueError(
                    f"resolution must be {len(self.units.scale)} numbers at least 0, one for each "
                    f"column, got {resolution!r}"
                )
        cells = (unit / self.units.scale) ** 2 / 12
        # of a column of two values or so the cell is all there is
        return np.maximum(floor, np.minimum(cells, _LARGEST_CELL))

    def check(self, n_components: int) -> None:
        """Refuse rows that are too few for a number of components, or an empty column."""
        check_extent(self.source.extent, n_components, self.names)

    def floor(self, reg_covar: float, *, scaled: bool) -> float:
        """Return the eigenvalue floor: the user's, or the least that rounding resolves.

        `scaled` tells whether columns have unit spread in these units.
        """
        unit = 1.0
        if not scaled:
            variances = mean_and_deviation(self.source, self.source.extent)[1] ** 2
            unit = float(variances[variances > 0].min(initial=variances.max() or 1.0))
        floor = max(reg_covar, _RESOLUTION[self.source.dtype] * unit)
        lowest = float(self.units.scale.min()) ** 2 * floor
        if lowest < _SMALLEST_VARIANCE:
            raise ValueError(
                f"reg_covar={reg_covar} allows variances of {lowest:.3g} in the units of X, "
                "whose inverses leave the range of float64; raise reg_covar or rescale X"
            )
        return floor


def check_extent(extent: Extent, n_components: int, names: tuple[str, ...] | None = None) -> None:
    """Refuse rows that are too few for a number of components, or an empty column."""
    n_rows, empty = extent.n_rows, np.isnan(extent.low)
    if empty.any():
        column = int(empty.argmax())
        named = "" if names is None else f" ({names[column]!r})"
        raise ValueError(
            f"column {column}{named} has no value at all: every one of its {n_rows} is "
            "missing (NaN); leave the column out"
        )
    if n_rows < 2:
        raise ValueError(
            f"a mixture needs at least 2 rows with a positive weight, got n_samples={n_rows}"
        )
    if n_rows < n_components:
        raise ValueError(
            f"n_components={n_components} needs at least as many rows with a positive "
            f"weight, got n_samples={n_rows}; lower n_components"
        )
