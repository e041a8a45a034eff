"""Units: the centred and scaled coordinates in which everything is computed.

Working there makes a fit indifferent to the user's units and offsets, gives
the eigenvalue floor a meaning, and keeps cancellation harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, BoolArray, FloatArray
from biglearn.engines.rows.spread import measure_spread
from biglearn.engines.rows.summaries import ArrayRows, Extent, Summable, mean_and_deviation
from biglearn.model.components import Components

#: Rounding errors, in units of the last place, that half the range of a column has to exceed.
_UNRESOLVED = 4.5

#: Scales outside this range have squares (covariances) outside float64.
_RANGE = (1e-151, 1e151)

#: A unit is at most so many times the distance of most values from the median: standard
#: deviations of clean columns are well below, those that a few far values make are above.
_WIDEST = 10.0


def steps(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return the distance between numbers of a type at the size of values, same shape.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.engines.rows.units import steps
    >>> steps(np.array([1.0, 1e16]), np.dtype(np.float64)).tolist()
    [2.220446049250313e-16, 2.0]
    """
    with np.errstate(over="ignore"):
        return np.asarray(np.spacing(np.abs(values).astype(dtype)), dtype=np.float64)


def unresolved(extent: Extent, dtype: np.dtype[Any] = np.dtype(np.float64)) -> BoolArray:  # noqa: B008
    """Return which columns vary by no more than rounding errors of their type, shape (D,)."""
    size = np.maximum(np.abs(extent.low), np.abs(extent.high))
    spread = extent.high / 2 - extent.low / 2
    return np.asarray((spread > 0) & (spread <= _UNRESOLVED * steps(size, dtype)))


@dataclass(frozen=True, eq=False)
class Units:
    """The map x = centre + scale · y between the user's rows x and ours y.

    Parameters
    ----------
    centre : array of shape (D,)
    scale : array of shape (D,)
        Positive.
    """

    centre: Array
    scale: Array

    @classmethod
    def of(cls, X: ArrayLike, *, scaling: str = "standard", weights: Array | None = None) -> Units:
        """Measure the units of rows in an array, shape (N, D); see `measure`."""
        return cls.measure(ArrayRows(np.asarray(X), weights), scaling=scaling)

    @classmethod
    def measure(cls, source: Summable, *, scaling: str = "standard") -> Units:
        """Measure the units of rows, wherever they live, in block passes.

        ``"standard"`` centres on the mean and scales by the standard
        deviation, or where far values decide these by the median and what most
        values span (`measure_spread`); ``"minmax"`` maps the range of each column to
        [0, 1], ``"none"`` only centres.  A constant column keeps scale 1.

        Raises
        ------
        ValueError
            If the spread of a column is so large or small that its variance
            leaves the range of float64.
        """
        extent = source.extent
        low, high = extent.low, extent.high
        spread = high / 2 - low / 2  # halves first: the difference may overflow
        constant = spread == 0
        if scaling == "minmax":
            centre, scale = low, np.minimum(spread, 0.5 * np.finfo(float).max) * 2
        else:
            centre, scale = mean_and_deviation(source, extent)
        if scaling == "standard":
            median, distance = measure_spread(source)
            far = (distance > 0) & (scale / _WIDEST > distance)
            centre = np.where(far, median, centre)
            scale = np.where(far, _WIDEST * np.where(far, distance, 0.0), scale)
        centre = np.where(constant, low, centre)
        scale = np.where(constant, 1.0, scale)
        scale = np.where(unresolved(extent), np.maximum(scale, _RANGE[0]), scale)
        bad = (scale > _RANGE[1]) | ((scale < _RANGE[0]) & (scaling != "none"))
        if bad.any():
            column = int(bad.argmax())
            raise ValueError(
                f"column {column} has a spread of {scale[column]:.3g}, so that its variance is "
                "outside the range of float64; rescale it, for example to unit variance"
            )
        return cls(centre, np.ones_like(scale) if scaling == "none" else scale)

    @classmethod
    def identity(cls, n_features: int) -> Units:
        """Return the user's own units."""
        return cls(np.zeros(n_features), np.ones(n_features))

    @property
    def log_volume(self) -> float:
        """Log-Jacobian log|∂x/∂y|, which log-densities lose in the user's units."""
        return float(np.log(self.scale).sum())

    def mean_log_volume(self, source: Summable) -> float:
        """Return the mean log-Jacobian per row, counting only observed columns.

        Fully missing rows are skipped.
        """
        if not source.extent.n_missing:
            return self.log_volume
        logs = np.log(self.scale)

        def summary(rows: FloatArray, weights: Array | None) -> Array:
            there = ~np.isnan(rows)
            each = np.stack([there @ logs, there.any(axis=1)])
            return np.asarray(each.sum(axis=1) if weights is None else each @ weights)

        volume, weight = source.total(summary)
        return float(volume / weight)

    def inward(self, components: Components) -> Components:
        """Convert components of the user's rows to these units."""
        return components.replace(
            means=(components.means - self.centre) / self.scale,
            covariances=components.covariances / self.scale[:, None] / self.scale,
        )

    def outward(self, components: Components) -> Components:
        """Convert components in these units to the user's."""
        return components.replace(
            means=components.means * self.scale + self.centre,
            covariances=components.covariances * self.scale[:, None] * self.scale,
        )
