"""Rows in units: opened once for all problems over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, BoolArray
from biglearn.engines.base import Engine, Source
from biglearn.engines.rows.resolution import Resolution, measure_resolution
from biglearn.engines.rows.summaries import Extent, mean_and_deviation
from biglearn.engines.rows.units import Units, steps, unresolved
from biglearn.model.blocks import scaled as widened
from biglearn.model.blocks import unscaled

#: Below this a variance of a column, or its inverse, leaves the range of float64.
_SMALLEST_VARIANCE = 1e-306

#: Variances below this share of the data's drown in the rounding of the moments.
_RESOLUTION = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-6}

#: Floor of a column whose resolution is unknown, as a share of its variance; no floor that
#: a resolution sets is below the finest, or above the widest.
_UNKNOWN, _FINEST, _WIDEST = 1e-6, 1e-10, 0.3


#: Spreads further apart than this have variances whose ratio leaves the range of float64.
_APART = 1e151

#: Means of starts in units, and their covariances in variances of the columns, are at most this.
_FAR = 1e30


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
    def resolution(self) -> Resolution:
        """Unit to which each column is rounded, in the user's units."""
        return measure_resolution(self.source)

    def floors(
        self, reg_covar: float | str, resolution: str | ArrayLike | None, *, scaled: bool
    ) -> float | Array:
        """Return the floor F of Σ ⪰ diag(F) in units: one for all columns, or one for each.

        A value rounded to a unit h stands for a cell of that width, and no component can be
        narrower than the cell, whose variance is h²/12.  Of a column of two values or so the
        cell is all there is, and the floor stays below its variance.

        Parameters
        ----------
        reg_covar : float or "auto"
            Share of a column's variance that is a floor too; "auto" is 1e-6 where the data
            tell no resolution, and next to nothing where they do.
        resolution : "auto", None or array-like of shape (D,)
            Unit of each column, in the user's units; "auto" reads it from the rows.
        scaled : bool
            Whether columns have unit spread in these units.
        """
        automatic = isinstance(reg_covar, str)
        least: float | Array = self.floor(
            _UNKNOWN if automatic else float(reg_covar), scaled=scaled
        )
        least = self._above_rounding(least)
        if resolution is None:
            return least
        found = self.resolution if isinstance(resolution, str) else self._given(resolution)
        variances = np.ones(len(found.unit))
        if not scaled:  # a constant column has the unit that it would get
            variances = np.where(self._variances > 0, self._variances, 1.0)
        cells = np.minimum((found.unit / self.units.scale) ** 2 / 12, _WIDEST * variances)
        if not automatic:
            return np.maximum(least, cells)
        finest = np.minimum(least, np.maximum(_FINEST, _RESOLUTION[self.source.dtype]) * variances)
        return np.maximum(np.where(found.is_grid, self._above_rounding(finest), least), cells)

    def _above_rounding(self, floor: float | Array) -> float | Array:
        """Return a floor that no column undercuts by the rounding of its own numbers.

        They stand for cells as wide as the steps between them, and a column of nothing but
        rounding errors has one width: that of all its rows.
        """
        extent, scale = self.source.extent, self.units.scale
        nearest = np.where(
            np.sign(extent.low) == np.sign(extent.high),
            np.minimum(np.abs(extent.low), np.abs(extent.high)),
            0.0,
        )
        variances = (self._deviations / scale) ** 2
        with np.errstate(over="ignore"):  # of a constant column; it has no cells
            cells = (steps(nearest, self.source.dtype) / scale) ** 2 / 12
        cells = np.minimum(cells, _WIDEST * variances)
        cells = np.where(unresolved(extent, self.source.dtype), variances, cells)
        return floor if (cells <= floor).all() else np.maximum(floor, cells)

    def coarse(self, resolution: str | ArrayLike | None) -> BoolArray:
        """Return which columns hardly vary but by their unit, constant ones included, (D,)."""
        extent = self.source.extent
        constant: BoolArray = extent.low == extent.high
        constant |= unresolved(extent, self.source.dtype)
        if resolution is None:
            return constant
        found = self.resolution if isinstance(resolution, str) else self._given(resolution)
        return np.asarray(constant | (found.unit**2 >= self._variances))

    def _given(self, resolution: ArrayLike) -> Resolution:
        """Return the resolution that the user gives."""
        unit = np.asarray(resolution, dtype=np.float64)
        if unit.shape != self.units.scale.shape or not (unit >= 0).all():
            raise ValueError(
                f"resolution must be {len(self.units.scale)} numbers at least 0, one for each "
                f"column, got {resolution!r}"
            )
        return Resolution(unit, unit > 0)

    @cached_property
    def _variances(self) -> Array:
        """Variance of each column in the user's units, shape (D,)."""
        with np.errstate(over="ignore"):
            return self._deviations**2

    @cached_property
    def _deviations(self) -> Array:
        """Standard deviation of each column in the user's units, shape (D,)."""
        return mean_and_deviation(self.source, self.source.extent)[1]

    def means_inward(self, means: Array) -> Array:
        """Convert the means of a start to units; none is further away than rows could tell."""
        with np.errstate(over="ignore"):
            inside = (means - self.units.centre) / self.units.scale
        return np.clip(inside, -_FAR, _FAR)

    def covariances_inward(self, covariances: Array) -> Array:
        """Convert the covariances of a start to units; none is wider than rows could tell.

        Its density would be as even over the rows, and products of its entries overflow.
        """
        spread = np.where(self._deviations > 0, self._deviations, 1.0)
        with np.errstate(over="ignore"):
            inside = np.clip(unscaled(covariances, spread), -_FAR, _FAR)
        return widened(inside, spread / self.units.scale)

    def check(self, n_components: int) -> None:
        """Refuse rows that are too few for a number of components, or an empty column."""
        check_extent(self.source.extent, n_components, self.names)

    def floor(self, reg_covar: float, *, scaled: bool) -> float:
        """Return the eigenvalue floor: the user's, or the least that rounding resolves.

        `scaled` tells whether columns have unit spread in these units.
        """
        unit = 1.0
        if not scaled:
            variances = self._variances
            unit = float(variances[variances > 0].min(initial=variances.max() or 1.0))
            apart = np.sqrt(variances.max()) / np.sqrt(unit)
            if apart > _APART:
                raise ValueError(
                    f"the spreads of the columns differ by a factor of {apart:.3g}, which "
                    'covariances cannot hold together; use scaling="standard" or rescale X'
                )
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
