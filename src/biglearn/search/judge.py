"""The judge: what components promise for new rows, by leave-one-out likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array
from biglearn.engines.base import Source
from biglearn.engines.rows.sampled import sample_rows
from biglearn.engines.rows.units import Units
from biglearn.model.components import Components
from biglearn.model.leave_one_out import LeaveOneOut
from biglearn.model.mixture import Mixture
from biglearn.model.noise import Noise
from biglearn.model.structures import FULL, Structure

#: Log-densities below this count as this: rows that no component reaches say nothing.
_LOWEST = -1e6


@dataclass(frozen=True, eq=False)
class Judge:
    """Leave-one-out likelihood on a sample of the rows, which stays the same for a fit.

    Parameters
    ----------
    rows : array of shape (n, D)
        In the engine's units.
    weights : array of shape (n,)
    total : float
        Weight of all rows, of which these are a sample.
    unit : float
        Weight that counts as one row.
    structure : Structure
        Of the covariances.
    has_noise : bool
        Whether the last component is the uniform one.
    observed : float
        Share of the values that are not missing.
    """

    rows: Array
    weights: Array
    total: float
    unit: float = 1.0
    structure: Structure = FULL
    has_noise: bool = False
    observed: float = 1.0

    @classmethod
    def of(
        cls,
        source: Source,
        units: Units,
        size: int,
        *,
        structure: Structure = FULL,
        has_noise: bool = False,
    ) -> Judge:
        """Draw about `size` rows of a source, all of them up to that number."""
        sample = sample_rows(source, size)
        rows = (sample.rows.astype(np.float64) - units.centre) / units.scale
        total = source.extent.weight
        unit = min(1.0, total / source.extent.n_rows)
        observed = source.extent.observed
        return cls(rows, sample.weights, total, unit, structure, has_noise, observed)

    def worth(self, components: Components, pseudo_rows: float) -> float:
        """Return the mean leave-one-out log-density per row; no row counts below -10^6."""
        noise = None
        if self.has_noise:
            components, noise = Noise.split(components)
        mixture = Mixture.of(components)
        loo = LeaveOneOut(
            mixture,
            total=self.total,
            pseudo_rows=pseudo_rows,
            noise=noise,
            unit=self.unit,
            structure=self.structure,
            observed=self.observed,
        )
        values = np.maximum(loo.log_density(self.rows, self.weights), _LOWEST)
        return float(self.weights @ values / self.weights.sum())
