"""Rows of which some are noise: a uniform component beside the Gaussians."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np

from biglearn.engines.base import Engine
from biglearn.engines.wrappers.base import EngineWrapper
from biglearn.model.blocks import in_blocks, outer
from biglearn.model.components import Components
from biglearn.model.moments import Moments
from biglearn.model.views import View


class NoisyEngine(EngineWrapper):
    """An engine for which the last component of every mixture is uniform.

    With its weight π_0 and density c, p(x) = π_0 (c + Σ_k (π_k / π_0) N(x; μ_k, Σ_k)):
    the bracket is a pass of an ordinary engine with log c as the background of
    every row.

    Parameters
    ----------
    plain : Engine
        Over the rows.  Views of them, and samples, see the Gaussian that stands for the
        noise.
    seen : Engine
        Over the same rows with log c as background.
    """

    def __init__(self, plain: Engine, seen: Engine) -> None:
        super().__init__(plain)
        self._seen = seen

    def project(self, view: View) -> Engine:
        """Return an engine over the same rows seen through a view of this one."""
        return self if view.is_joint else self._engine.project(view)

    def expect(self, components: Components) -> Moments:
        """Make one E-step: return the moments, the last component's as if it were Gaussian."""
        share = max(float(components.weights[-1]), float(np.finfo(float).tiny))
        others = components.part(slice(-1), 1 / share)
        moments = self._seen.expect(others)
        count = max(moments.total - float(moments.counts.sum()), 0.0)
        mean = components.means[-1] - moments.reference
        last = in_blocks(components.blocks[-1:], moments.second.shape[-1])
        square = last + outer(mean[None], mean[None], last)
        nothing = np.zeros((1, moments.statistics.shape[1]))
        return replace(
            moments,
            counts=np.append(moments.counts, count),
            first=np.concatenate([moments.first, count * mean[None]]),
            second=np.concatenate([moments.second, count * square]),
            log_likelihood=moments.log_likelihood + moments.total * float(np.log(share)),
            scaled_counts=np.append(moments.scaled_counts, count),
            statistics=np.concatenate([moments.statistics, nothing]),
        )

    def running(self) -> AbstractContextManager[None]:
        """Hold threads and BLAS settings while a fit runs."""
        return self._seen.running()
