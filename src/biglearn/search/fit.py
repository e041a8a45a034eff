"""Fits: the result of solving a problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from biglearn._types import Array
from biglearn.engines.rows.units import Units
from biglearn.model.components import Components
from biglearn.model.mixture import Mixture
from biglearn.model.noise import Noise
from biglearn.search.records import Record
from biglearn.search.stands import Outlook
from biglearn.search.verdict import Verdict


@dataclass(frozen=True, eq=False)
class Fit:
    """Result of a fit, in the user's units.

    Attributes
    ----------
    mixture : Mixture
        Without the noise component.
    noise : Noise or None
    weights : array of shape (K,)
        They sum to 1, or to 1 less the weight of the noise.
    lower_bound : float
        Objective per row.
    lower_bounds : tuple of float
        The same over the EM run that reached or confirmed the mixture.
    n_iter : int
        EM steps of that run.
    converged : bool
    reseeded : tuple of int
        Components that it re-seeded.
    n_reseeded, n_raised : int
        Repairs of the whole fit.
    n_rows : int
        Rows with a positive weight.
    n_parameters : int
        Free numbers of the mixture.
    total : float
        Weight of all rows.
    pseudo_rows : float
        Of the prior, in the weight of rows.
    observed : float
        Share of the values that are not missing.
    passes : int
        Over the rows.
    history : tuple of Record
    scaled : Components
        In the engine's units, with the noise component.
    units : Units
    offset : float
        Mean log-Jacobian of the units.
    dtype : dtype
        Of the rows.
    verdict : Verdict or None
        What it promises for new rows; None where the fit was interrupted.
    outlook : Outlook or None
        What more time might bring; None where there was no search.
    """

    mixture: Mixture
    noise: Noise | None
    weights: Array
    lower_bound: float
    lower_bounds: tuple[float, ...]
    n_iter: int
    converged: bool
    reseeded: tuple[int, ...]
    n_reseeded: int
    n_raised: int
    n_rows: int
    n_parameters: int
    total: float
    pseudo_rows: float
    observed: float
    passes: int
    history: tuple[Record, ...]
    scaled: Components
    units: Units
    offset: float
    dtype: np.dtype[Any]
    verdict: Verdict | None = None
    outlook: Outlook | None = None
