"""The verdict on a fit: what it promises for new rows, and what is doubtful in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from biglearn._types import Array, BoolArray, FloatArray
from biglearn.engines.base import Source
from biglearn.engines.rows.units import steps, unresolved
from biglearn.model.blocks import diagonals, each, eigh, selected, unscaled
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints
from biglearn.model.densities import FromLogJoint, normalise
from biglearn.model.leave_one_out import LeaveOneOut
from biglearn.model.mixture import Mixture
from biglearn.model.noise import Noise, NoisyMixture

#: How near to the floor is on it, and which part of a direction names a column.
_ON_FLOOR, _NAMED = 1e-4, 0.5

#: A component follows single rows where its rows are so much denser with themselves than
#: without, in nats per row and as a multiple of what its free numbers explain.
_APART, _UNEXPLAINED = 0.5, 2.0

#: A component should be so many steps of floating-point numbers wide: its mean cannot be told
#: any better, which moves log-densities by a thousandth.
_WIDE = 8.0

#: Differences above this count as this.
_MOST = 1e6

#: Responsibilities below this add nothing to an entropy.
_LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a fit promises, and which of its components are doubtful.

    Attributes
    ----------
    loo : float
        Mean leave-one-out log-likelihood per row, in the user's units.
    log_likelihood : float
        Mean log-likelihood per row, without the prior and without labels.
    entropy : float
        Mean entropy of a row's responsibilities, in nats.
    gaps : array of shape (K,)
        By how much each component's rows are denser with themselves than without, per row.
    follows : array of shape (K,)
        Components that follow single rows.
    is_short : array of shape (K,)
        Components of fewer rows than their covariance needs.
    on_floor : array of shape (K,)
        Components that the floor keeps from being narrower.
    floored : array of shape (D,)
        Columns in which they stand on it.
    steps, widths : array of shape (D,)
        Of the component that each column resolves least: the distance of numbers of the rows'
        type at its mean, and its standard deviation.
    blurred : array of shape (D,)
        Columns in which components are hardly wider than these steps.
    """

    loo: float
    log_likelihood: float
    entropy: float
    gaps: Array
    follows: BoolArray
    is_short: BoolArray
    on_floor: BoolArray
    floored: BoolArray
    steps: Array
    widths: Array
    blurred: BoolArray

    def sentences(
        self, names: tuple[str, ...] | None = None, needed: int = 0, *, floor_is_meant: bool = False
    ) -> list[str]:
        """Say what is doubtful, and what to do.

        Parameters
        ----------
        names : tuple of D str, optional
            Of the columns.
        needed : int
            Rows that a covariance needs.
        floor_is_meant : bool, default=False
            Whether the user chose the floor, and knows of it.
        """
        found = []
        if self.blurred.any():
            column = int(np.argmax(np.where(self.blurred, self.steps / self.widths, 0.0)))
            found.append(
                f"columns {_columns(self.blurred, names)} can hardly be resolved: their numbers "
                f"come in steps of {self.steps[column]:.3g}, and a component is "
                f"{self.widths[column]:.3g} wide; subtract a constant before they become floats"
            )
        if self.on_floor.any() and not floor_is_meant:
            found.append(
                f"components {_places(self.on_floor)} stand on the floor in columns "
                f"{_columns(self.floored, names)}: "
                "their rows share a value there, or the columns depend on each other, and the "
                "floor decides their density; use fewer components or leave a column out"
            )
        if self.is_short.any():
            found.append(
                f"components {_places(self.is_short)} hold fewer rows than the {needed} that a "
                "covariance of their own needs; use fewer components or a simpler covariance_type"
            )
        if self.follows.any():
            widest = float(self.gaps[self.follows].max())
            found.append(
                f"components {_places(self.follows)} follow single rows, which are up to "
                f"{widest:.1f} nats denser with themselves than without; use prior='auto', fewer "
                "components or a simpler covariance_type"
            )
        return found


def _places(chosen: BoolArray) -> list[int]:
    return np.flatnonzero(chosen).tolist()


def _columns(chosen: BoolArray, names: tuple[str, ...] | None) -> str:
    where = _places(chosen) if names is None else [names[j] for j in _places(chosen)]
    return f"{where}" if len(where) <= 8 else f"{where[:8]} and {len(where) - 8} more"


def leave_out(source: Source, loo: LeaveOneOut) -> tuple[Array, Array]:
    """Return means over the rows and over those of each component, in one pass.

    Returns
    -------
    means : array of shape (3,)
        Leave-one-out log-density, log-density, and entropy of the responsibilities.
    gaps : array of shape (K,)
        See `Verdict`.
    """
    mixture, noise = loo.mixture, loo.noise
    whole: FromLogJoint = mixture if noise is None else NoisyMixture(mixture, noise)

    def summary(rows: FloatArray, weights: Array | None) -> Array:
        ours = np.ones(len(rows)) if weights is None else weights
        without = loo.log_density(rows, weights)
        shares = whole.log_joint(rows)
        density = normalise(shares.T)
        spread = -(shares * np.log(np.maximum(shares, _LEAST))).sum(axis=1)
        shares *= ours[:, None]
        apart = np.nan_to_num(density - without, nan=0.0, posinf=_MOST)
        gaps = shares.T @ np.clip(apart, 0.0, _MOST)
        means = [ours @ without, ours @ density, ours @ spread, ours.sum()]
        return np.concatenate([means, gaps, shares.sum(axis=0)])

    sums = source.total(summary)
    gaps, counts = np.split(sums[4:], 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(counts > 0, gaps / counts, 0.0)
    return sums[:3] / sums[3], means[: mixture.n_components]


def standing(
    constraints: Constraints, components: Components, coarse: BoolArray
) -> tuple[BoolArray, BoolArray]:
    """Return which components stand on the floor, (K,), and in which columns, (D,).

    Parameters
    ----------
    constraints : Constraints
    components : Components
        In units.
    coarse : array of shape (D,)
        Columns that are left out: constant ones, and those whose values are coarser than their
        spread, in which a component can hardly be narrower than all rows.
    """
    kept = np.flatnonzero(~coarse)
    on_floor = np.zeros(components.n_components, dtype=bool)
    floored = np.zeros(len(coarse), dtype=bool)
    if not len(kept):
        return on_floor, floored
    floors = np.broadcast_to(np.asarray(constraints.floor, dtype=np.float64), coarse.shape)[kept]
    roots = np.sqrt(floors)
    values, vectors = eigh(unscaled(selected(components.blocks, kept), roots))
    each_value = values.reshape(len(values), -1)
    least = 1 + np.maximum(_ON_FLOOR, 1e-12 * each_value.max(axis=1))
    low = values <= each(least, values)
    on_floor = np.asarray(low.reshape(each_value.shape).any(axis=1))
    if constraints.held is not None:
        on_floor &= ~constraints.held[: len(on_floor)]
    for k in np.flatnonzero(on_floor):
        parts = np.where(low[k][..., None, :], np.abs(vectors[k]), 0.0).max(axis=-1).ravel()
        floored[kept[parts > _NAMED * parts.max()]] = True
    return on_floor, floored


def coarsest(mixture: Mixture, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Return the steps between numbers and the width of a component in every column, (D,) each.

    Of the component that is narrowest in these steps.
    """
    widths = np.sqrt(diagonals(mixture.blocks))
    found = steps(mixture.means, dtype)
    worst = (np.argmax(found / widths, axis=0), np.arange(mixture.n_features))
    return found[worst], widths[worst]


def verdict_of(
    source: Source,
    mixture: Mixture,
    noise: Noise | None,
    scaled: Components,
    constraints: Constraints,
    *,
    coarse: BoolArray,
    total: float,
    row_weight: float,
) -> Verdict:
    """Judge a fit.

    Parameters
    ----------
    source : Source
        The rows that were fitted.
    mixture, noise
        The fit, in the user's units.
    scaled : Components
        The same in units, the noise included.
    constraints : Constraints
    coarse : array of shape (D,)
        See `standing`.
    total : float
        Weight of all rows.
    row_weight : float
        Weight of one row.
    """
    size, n_features = mixture.means.shape
    structure = constraints.structure
    without = LeaveOneOut(
        mixture,
        total=total,
        pseudo_rows=constraints.prior.rows,
        noise=noise,
        unit=row_weight,
        structure=structure,
        observed=source.extent.observed,
    )
    (loo, log_likelihood, entropy), gaps = leave_out(source, without)
    rows = scaled.weights[:size] * total / row_weight
    free = 1 + n_features + structure.n_parameters(size, n_features) / size
    follows = gaps > np.maximum(_APART, _UNEXPLAINED * free / np.maximum(rows, 1.0))
    on_floor, floored = standing(constraints, scaled.part(slice(size)), coarse)
    rounding, widths = coarsest(mixture, source.dtype)
    extent = source.extent
    alike = unresolved(extent, source.dtype)
    widths = np.where(alike, np.minimum(widths, extent.high / 2 - extent.low / 2), widths)
    blurred = alike | ((_WIDE * rounding > widths) & (extent.low < extent.high))
    return Verdict(
        loo=float(loo),
        log_likelihood=float(log_likelihood),
        entropy=float(entropy),
        gaps=gaps,
        follows=np.asarray(follows),
        is_short=np.asarray(rows < structure.rows_needed(n_features) - 0.5),
        on_floor=on_floor,
        floored=floored,
        steps=rounding,
        widths=widths,
        blurred=np.asarray(blurred),
    )
