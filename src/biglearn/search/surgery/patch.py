"""EM of a few components on a few rows, until it is clear what comes of it.

Cuts and trials of surgery are hundreds of such climbs.  `biglearn.kernels.patch_loops` makes them
in one call each where it knows the constraints; these serve all others, and are its reference.
"""

from __future__ import annotations

import numpy as np

from biglearn._types import Array, IntArray
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints
from biglearn.search.climbing.ascent import climb
from biglearn.search.climbing.limits import Limits
from biglearn.search.run import Run
from biglearn.search.surgery.judged import JudgedRows


def patch_of(
    run: Run,
    rows: JudgedRows,
    members: IntArray,
    constraints: Constraints,
    n_components: int,
    weight: float,
    *,
    weights: Array | None = None,
    background: Array | None = None,
) -> Run:
    """Return a run over some of the judged rows, for which a few components answer.

    Parameters
    ----------
    run : Run
    rows : JudgedRows
    members : array of shape (m,)
        The rows that take part.
    constraints : Constraints
        Of the few components.
    n_components : int
    weight : float
        Joint weight of the components, which sum to one in the patch.
    weights : array of shape (m,), optional
        Weights of the rows; those of the sample if left out.
    background : array of shape (m,), optional
        Log-density that each row has from elsewhere.
    """
    return run.part(
        rows.sample.select(members, background=background, weights=weights),
        constraints.thinned(1 / rows.stands_for),
        n_components=n_components,
        cost=rows.passes(len(members), n_components),
        weight=weight,
        row_stands_for=rows.stands_for / run.row_stands_for,
    )


def settle(patch: Run, part: Components, limits: Limits) -> tuple[Components, float]:
    """Return the best components that EM comes to in a patch, and their objective per row.

    Parameters
    ----------
    patch : Run
        See `patch_of`.
    part : Components
        Where it begins; their weights sum to one.
    limits : Limits
    """
    patch.best, patch.best_objective = None, -np.inf
    for _ in climb(patch, part, limits, accelerate=True):
        pass
    return patch.best or part, patch.best_objective
