"""Starts by name, and from whatever the user gives as `init_params`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from biglearn.engines.base import Source
from biglearn.engines.rows.units import Units
from biglearn.model.blocks import shape_of
from biglearn.model.components import Components
from biglearn.search.run import Run, Start
from biglearn.search.starts.centres import CENTRE_STARTS
from biglearn.search.starts.estimate import estimate, sample_of
from biglearn.search.starts.given import (
    FromCallable,
    GivenResponsibilities,
    StartRule,
    as_responsibilities,
)


def random_responsibilities(run: Run) -> Components:
    """Give every row uniformly random responsibilities."""
    sample = sample_of(run)
    shares = run.rng.random((len(sample.rows()), run.settings.n_components))
    moments = sample.moments_of(shares / shares.sum(axis=1, keepdims=True))
    return run.note(estimate(run.constraints, moments, moments.means))


def normal(run: Run) -> Components:
    """Draw the paper's start: π = 1/K, μ ~ N(0, I), Σ = I in the engine's units."""
    n_components, n_features = run.settings.n_components, run.engine.n_features
    return run.note(
        run.constraints.impose(
            np.full(n_components, 1.0 / n_components),
            run.rng.standard_normal((n_components, n_features)),
            np.ones((n_components, *shape_of(n_features, 1))),
        )
    )


#: Starts that a user may give: a name, labels, responsibilities, or a callable that returns either.
InitParams = str | ArrayLike | StartRule

#: Every start by name.
STARTS: dict[str, Start] = {
    **CENTRE_STARTS,
    "random": random_responsibilities,
    "normal": normal,
}


def from_user(init_params: InitParams, source: Source, units: Units, n_components: int) -> Start:
    """Turn the user's `init_params` into a start.

    Parameters
    ----------
    init_params : str, array-like or callable
        See `GaussianMixture`.
    source : Source
        The user's rows.
    units : Units
        Those of the engine.
    n_components : int
        K.
    """
    if isinstance(init_params, str):
        if init_params not in STARTS:
            raise ValueError(
                f"init_params must be one of {list(STARTS)}, labels, responsibilities or a "
                f"callable, got {init_params!r}"
            )
        return STARTS[init_params]
    if callable(init_params):
        return FromCallable(init_params, units)
    shares = as_responsibilities(init_params, source.n_given, n_components)
    present = source.present
    return GivenResponsibilities(shares if present is None else shares[present])
