"""Rows with missing values, completed under the parameters in any view."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial, reduce
from operator import add
from typing import Any

import numpy as np

from biglearn._types import Array, FloatArray
from biglearn.engines.base import EngineBase
from biglearn.engines.memory.engine import MemoryEngine
from biglearn.engines.memory.threads import Threads
from biglearn.engines.rows.samples import draw
from biglearn.engines.rows.units import Units
from biglearn.model.blocks import in_blocks
from biglearn.model.components import Components
from biglearn.model.densities import normalise, scale_sums
from biglearn.model.gaps import (
    Pattern,
    Stack,
    complete,
    conditional_roots,
    drawing,
    fill,
    find_patterns,
    stacked,
)
from biglearn.model.linalg import floor_eigenvalues
from biglearn.model.moments import Moments
from biglearn.model.views import View

#: A pattern of at least as many rows gets an ordinary engine; its moments are lifted.
_PLENTY = 256

#: EM steps for the one Gaussian under which rows are completed where no mixture is known.
_STEPS = 10

#: Smallest eigenvalue of its covariance, in the engine's units.
_FLOOR = 1e-6


class MissingEngine(EngineBase):
    """One pass over rows in an array, of which NaN is missing at random.

    A pass is a step of EM on the observed values: responsibilities from the density of the
    part of the view that each row shows, moments of the rows as each component completes them.
    Rows that show nothing of a view are left out of its passes.  Products are float64.

    Parameters
    ----------
    X : array of shape (N, D)
        float64 or float32; NaN is missing.
    weights : array of shape (N,), optional
        Weight of each row; 1 if left out.
    units : Units, optional
        Coordinates to compute in; the user's own if left out.
    view : View, optional
        View of them; all features if left out.
    n_threads : int or Threads
        Threads for a pass.
    dtype : dtype, optional
        Of the rows as they are kept; that of X if left out.
    background : array of shape (N,), optional
        Log-density that each row has from elsewhere; see `MemoryEngine`.

    References
    ----------
    Z. Ghahramani and M. I. Jordan, "Supervised learning from incomplete data via an EM
    approach", NIPS 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.engines.memory.with_gaps import MissingEngine
    >>> X = np.array([[0.0, np.nan], [1.0, 2.0]])
    >>> moments = MissingEngine(X).expect(Mixture([1.0], [[0.0, 0.0]], [np.eye(2)]))
    >>> moments.means
    array([[0.5, 1. ]])
    >>> moments.second  # the missing value adds its variance
    array([[[1., 2.], [2., 5.]]])
    """

    def __init__(
        self,
        X: FloatArray,
        *,
        weights: Array | None = None,
        units: Units | None = None,
        view: View | None = None,
        n_threads: int | Threads = 1,
        dtype: np.dtype[Any] | None = None,
        background: Array | None = None,
    ) -> None:
        super().__init__(view or View.joint(X.shape[1]))
        self._X, self._weights, self._background = X, weights, background
        self._units = units or Units.identity(X.shape[1])
        self._threads = n_threads if isinstance(n_threads, Threads) else Threads(n_threads)
        self._dtype = np.dtype(dtype or (np.float32 if X.dtype == np.float32 else np.float64))
        self._gaussian: Components | None = None
        inside = np.where(np.isnan(X), 0.0, (X - self._units.centre) / self._units.scale)
        inside = np.ascontiguousarray(inside)  # so that no bit depends on the order of X
        self._rows = np.ascontiguousarray(self._view.rows(inside), dtype=np.float64)
        patterns = find_patterns(np.isnan(X), self._view)
        shown = [pattern for pattern in patterns if len(pattern.hidden) < self.n_features]
        plenty = [pattern for pattern in shown if len(pattern.rows) >= _PLENTY]
        self._scattered = stacked(p for p in shown if len(p.rows) < _PLENTY)
        self._plenty = [self._part(pattern) for pattern in plenty]
        observed = np.concatenate([np.zeros(0, dtype=np.intp), *(rows for _, rows in shown)])
        self._total = float(len(observed) if weights is None else weights[observed].sum())
        self._count = len(observed) if weights is None else int((weights[observed] > 0).sum())

    def _part(self, pattern: Pattern) -> _PatternEngine:
        rows, weights, background = pattern.rows, self._weights, self._background
        return _PatternEngine(
            self._rows[rows],
            pattern.hidden,
            weights=None if weights is None else weights[rows],
            background=None if background is None else background[rows],
            dtype=self._dtype,
            threads=self._threads,
        )

    @property
    def n_rows(self) -> int:
        """Number of rows with a positive weight that show something of the view."""
        return self._count

    def _through(self, view: View) -> MissingEngine:
        return self._with(view=view)

    def subsample(
        self, limit: int, rng: np.random.Generator, components: Components | None = None
    ) -> MemoryEngine:
        """Return an engine over at most `limit` rows, completed by draws."""
        return self.thinned(limit, rng).filled(components)

    def thinned(self, limit: int, rng: np.random.Generator) -> MissingEngine:
        """Return an engine over at most `limit` rows, drawn without replacement."""
        if len(self._X) <= limit:
            return self
        chosen = draw(len(self._X), limit, rng)
        weights = None if self._weights is None else self._weights[chosen]
        return self._with(X=self._X[chosen], weights=weights)

    def _with(self, **changes: Any) -> MissingEngine:
        parts = {"X": self._X, "weights": self._weights, "view": self._view} | changes
        return MissingEngine(units=self._units, n_threads=self._threads, dtype=self._dtype, **parts)

    def expect(self, components: Components) -> Moments:
        """Make one E-step: return the completed moments under the responsibilities."""
        size, n_components = components.n_features, components.n_components
        block_size, components = components.block_size, components.in_blocks(size)
        chunks = [c for stack in self._scattered for c in stack.chunks(n_components)]
        components.precisions  # noqa: B018  once, before several threads need them
        nothing = Moments(
            counts=np.zeros(n_components),
            first=np.zeros(components.means.shape),
            second=np.zeros(components.blocks.shape),
            log_likelihood=0.0,
            total=0.0,
            rows=0,
            reference=np.zeros(size),
            statistics=np.zeros((n_components, components.family.n_statistics)),
        )
        parts = (part.expect(components) for part in self._plenty)
        moments = reduce(add, parts, nothing)
        if chunks:
            moments += self._threads.fold(partial(self._sums, components), chunks, add)
        return replace(moments, second=in_blocks(moments.second, block_size))

    def _sums(self, components: Components, stack: Stack) -> Moments:
        """Return the moments of the rows in a stack."""
        completed = complete(components, self._rows, stack)
        rows, shares = completed.rows, completed.log_joint
        background = None if self._background is None else self._background[rows]
        log_density = normalise(shares, background)
        weights = (rows >= 0).astype(np.float64)
        if self._weights is not None:
            weights *= self._weights[rows]
        shares *= weights
        n_components, size = components.means.shape
        per_pattern = shares.reshape(n_components, len(stack.rows), -1).sum(axis=2)
        roots = completed.roots.reshape(n_components, -1, size)
        hidden = np.repeat(per_pattern, stack.hidden.shape[1], axis=1)[:, :, None] * roots
        sums = scale_sums(components.family, shares, completed.scales)
        if components.family.has_tails:
            shares *= completed.scales
        values = completed.deviations + components.means[:, None, :]
        weighted = values * shares[:, :, None]
        return Moments(
            counts=sums[:, 0],
            first=weighted.sum(axis=1),
            second=np.swapaxes(weighted, 1, 2) @ values + np.swapaxes(hidden, 1, 2) @ roots,
            log_likelihood=float((np.where(weights > 0, log_density, 0.0) * weights).sum()),
            total=float(weights.sum()),
            rows=int((weights > 0).sum()),
            reference=np.zeros(size),
            scaled_counts=shares.sum(axis=1),
            statistics=sums[:, 1:],
        ).completed(components, size - stack.hidden.shape[1])

    def filled(self, components: Components | None = None) -> MemoryEngine:
        """Return an engine over the same rows, in these units, the gaps filled by draws.

        They are drawn given the row's observed values, under components over the view or, where
        none are given, under the one Gaussian that fits the rows: unlike means, draws leave
        the covariances as they are.  The same rows and components are always filled alike.
        """
        stacks = stacked(find_patterns(np.isnan(self._X), self._view))
        rule = drawing(np.random.default_rng(0))
        rows = fill(components or self._one_gaussian(), self._rows, stacks, rule)[0]
        return MemoryEngine(rows, weights=self._weights, n_threads=self._threads, dtype=self._dtype)

    def _one_gaussian(self) -> Components:
        """Fit one Gaussian by a few steps of EM."""
        if self._gaussian is None:
            size = self.n_features
            one = Components(np.ones(1), np.zeros((1, size)), np.eye(size)[None])
            for _ in range(_STEPS if self._total else 0):
                moments = self.expect(one)
                floored, _ = floor_eigenvalues(moments.covariances, _FLOOR)
                one = Components(np.ones(1), moments.means, floored)
            self._gaussian = one
        return self._gaussian

    def running(self) -> AbstractContextManager[None]:
        """Hold a pool of threads, with BLAS held to one thread in each."""
        return self._threads.running()


class _PatternEngine:
    """The rows of one pattern: an ordinary engine over their observed part, and the lift.

    With C an orthonormal basis of the directions that are shown, a row z = C y completes
    to G z + c, where G = (I - TΛ) Cᵀ and c = T Λ μ, with covariance T (see `missing`).
    """

    def __init__(
        self,
        rows: Array,
        hidden: Array,
        *,
        weights: Array | None,
        background: Array | None,
        dtype: np.dtype[Any],
        threads: Threads,
    ) -> None:
        size = rows.shape[1]
        shown = np.eye(size)
        if len(hidden):
            shown = np.linalg.qr(hidden.T, mode="complete")[0][:, len(hidden) :].T
        self._hidden, self._view = hidden, View(shown)
        self._engine = MemoryEngine(
            np.ascontiguousarray(rows @ shown.T),
            weights=weights,
            n_threads=threads,
            dtype=dtype,
            background=background,
        )

    def expect(self, components: Components) -> Moments:
        moments = self._engine.expect(components.project(self._view))
        if not len(self._hidden):
            return moments
        roots = conditional_roots(components, self._hidden[None])[0][:, 0]
        spread = np.swapaxes(roots, 1, 2) @ roots
        regression = spread @ components.precisions
        gain = (np.eye(components.n_features) - regression) @ self._view.basis.T
        offset = np.einsum("kij,kj->ki", regression, components.means)
        scaled = moments.scaled_counts[:, None]
        lifted = np.einsum("kij,kj->ki", gain, moments.first)
        cross = offset[:, :, None] * (lifted + 0.5 * scaled * offset)[:, None, :]
        second = gain @ moments.second @ np.swapaxes(gain, 1, 2)
        return replace(
            moments,
            first=lifted + scaled * offset,
            second=second
            + cross
            + np.swapaxes(cross, 1, 2)
            + moments.counts[:, None, None] * spread,
            reference=np.zeros(components.n_features),
        )
