"""Stepwise EM for streams: each block of rows moves the components a little, and is forgotten.

The running moments are s ← (1 - γ) s + γ s_t, where s_t are those of block t per unit of
weight under the components so far, and the M-step of s gives the next (Cappé and Moulines,
J. R. Statist. Soc. B 71, 2009, with the step sizes of their section 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn.engines.rows.units import Units
from biglearn.model.blocks import each, outer
from biglearn.model.components import Components
from biglearn.model.m_step import m_step
from biglearn.model.moments import Moments
from biglearn.search.run import Run

#: γ_t = (t + 2)^-EXPONENT; between ½ and 1 it converges, and 0.6 forgets the start soon.
EXPONENT = 0.6


def step_size(seen: int, rows: int) -> float:
    """Return the step size γ of a block.

    (t + 2)^-0.6, where t is how many blocks of this size have been seen.

    Examples
    --------
    >>> from biglearn.search.streaming import step_size
    >>> round(step_size(seen=900, rows=100), 3)  # the tenth block of 100 rows
    0.237
    """
    return float((seen / rows + 2) ** -EXPONENT)


@dataclass(frozen=True)
class Stream:
    """Where a fit on a stream of blocks stands.

    Parameters
    ----------
    units : Units
        Those of the first block, kept for all.
    components : Components
        In units.
    moments : Moments
        Per unit of weight.
    seen : int
        Rows so far.
    blocks : int
        Blocks so far.
    """

    units: Units
    components: Components
    moments: Moments
    seen: int
    blocks: int = 1

    @classmethod
    def after(
        cls, units: Units, components: Components, log_likelihood: float, n_rows: int
    ) -> Stream:
        """Begin where a fit on `n_rows` rows has ended.

        Its moments are those whose M-step gives the components.
        """
        means, weights = components.means, components.weights
        squares = components.blocks + outer(means, means, components.blocks)
        moments = Moments(
            counts=weights,
            first=weights[:, None] * means,
            second=each(weights, squares) * squares,
            log_likelihood=log_likelihood,
            total=1.0,
            rows=n_rows,
            reference=np.zeros(means.shape[1]),
        )
        return cls(units, components, moments, n_rows)

    def step(self, run: Run) -> Stream:
        """Learn from the run's rows."""
        rows = run.engine.n_rows
        gamma = step_size(self.seen, rows)
        block = run.expect(self.components)
        moments = self.moments.scaled(1 - gamma) + block.scaled(gamma / block.total)
        # moments of unit weight stand for all rows so far
        constraints = run.constraints.following(self.components).thinned(1 / (self.seen + rows))
        components = run.note(m_step(constraints, self.components, moments))
        return Stream(self.units, components, moments, self.seen + rows, self.blocks + 1)
