"""Leave-one-out densities in closed form: each row under the fit without it.

Row n is taken out of the sums of an M-step with its responsibilities r, and all other
responsibilities stay.  With n_k the component's rows, Σ_k = A_k / (n_k + c) its covariance
with c pseudo-rows, δ the row's squared distance and u the scale by which its family counts
it (1 for Gaussians),

    n' = n_k - r,   q = δ / (n_k + c),   s = n_k / (n_k - r u),   b = r u s,
    |A' | = |A_k| (1 - b q),   δ' = s² q (n' + c) / (1 - b q),

so that its density without itself follows from δ and r alone, without a refit.  This is for
full covariances; `Structure.left_out` has the like for others.

Where a share g of the values is observed, what EM puts in place of the others agrees with the
fit, and holds nothing in place: a mean rests on g n_k rows.  Of the pairs of values, which a
covariance rests on, the share h = g² + (g - g²) / D is observed where gaps are at random, and
(n_k + c) Σ_k = A_k + (1 - h) n_k Σ_k at a fixed point.  So n_k is h n_k beside c, and g n_k in s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array
from biglearn.model.blocks import diagonals
from biglearn.model.densities import log_normaliser, normalise
from biglearn.model.families import GAUSSIAN
from biglearn.model.gaps import observed_peaks
from biglearn.model.mixture import Mixture
from biglearn.model.moments import DEAD_ROWS
from biglearn.model.noise import Noise
from biglearn.model.structures import FULL, Structure

#: Numbers that are worked on at a time, about: they should stay in the cache.
_NUMBERS = 1 << 16
#: Squared distances are at most this: nothing has a density there, and products do not overflow.
_FARTHEST = 1e100

#: Keeps quotients finite.
_LEAST = 1e-9


class FittedRows(NamedTuple):
    """What `LeaveOneOut` must know of the rows that were fitted, and of how: see there."""

    total: float
    pseudo_rows: float
    unit: float
    structure: Structure
    observed: float = 1.0


class LeaveOneOut:
    """The density of each fitted row under the fit without it.

    Parameters
    ----------
    mixture : Mixture
        The fit, whose weights are n_k / N.
    total : float
        Weight of all rows.
    pseudo_rows : float
        Of the prior.
    noise : Noise, optional
        Uniform component beside the mixture.
    unit : float
        Weight that counts as one row: of a row of weight 3, which counts as three, one is
        left out.
    structure : Structure
        Of the covariances.
    observed : float
        Share g of the values of the fitted rows that are not missing.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.model.leave_one_out import LeaveOneOut
    >>> X = np.array([[-1.0], [0.0], [1.0]])
    >>> fit = Mixture([1.0], [X.mean(axis=0)], [[[X.var()]]])
    >>> LeaveOneOut(fit, total=3.0).log_density(X).round(3)
    array([-4.726, -0.919, -4.726])
    """

    def __init__(
        self,
        mixture: Mixture,
        *,
        total: float,
        pseudo_rows: float = 0.0,
        noise: Noise | None = None,
        unit: float = 1.0,
        structure: Structure = FULL,
        observed: float = 1.0,
    ) -> None:
        self.observed = observed
        self.mixture, self.noise, self.structure = mixture, noise, structure
        self.total, self.pseudo_rows, self.unit = total, pseudo_rows, unit
        self._counts = total * mixture.weights
        if noise is not None:
            self._counts = self._counts * (1 - noise.weight)
        shapes = GAUSSIAN.starting_shapes(mixture.n_components)
        self._gaussian = Mixture.of(mixture.replace(family=GAUSSIAN, shapes=shapes))

    def log_density(self, X: ArrayLike, weights: Array | None = None) -> Array:
        """Return log p(x_n) without row n, shape (N,), for rows that were fitted.

        Parameters
        ----------
        X : array-like of shape (N, D)
        weights : array of shape (N,), optional
            Of the rows; one unit if left out.
        """
        rows = np.asarray(X, dtype=np.float64)
        ours = np.full(len(rows), self.unit) if weights is None else np.minimum(weights, self.unit)
        peak, distances = self._distances(rows)
        seen = (~np.isnan(rows)).sum(axis=1)
        depth, scales = self._weigh(distances, seen)
        shares, noise = self._shares(rows, peak + depth)
        counts = np.maximum(self._counts, _LEAST)
        taken = np.minimum(shares[:, : len(counts)] * ours[:, None], counts * (1 - _LEAST))
        known = self.observed * counts
        counted = np.minimum(taken * scales, known * (1 - _LEAST))
        left = counts - taken
        stretch = known / (known - counted)
        scattered = self._scattered(counts)
        taken = np.minimum(taken, scattered * (1 - _LEAST))
        spread = (scattered - taken) / scattered
        size = np.broadcast_to(seen[:, None], spread.shape)
        log_shrink, away = self._left_out(
            rows, distances, counted * stretch, scattered, spread, size
        )
        away = stretch**2 * (scattered - taken) * away
        without = peak + self._weigh(away, seen)[0] + np.log(left / counts)
        without += 0.5 * (size * np.log(spread) - log_shrink)
        # without the row nothing is known of a component that had no other
        without = np.where(np.isneginf(peak) | (left < DEAD_ROWS), -np.inf, without)
        if self.noise is not None:
            count = max(self.noise.weight * self.total, _LEAST)
            rest = np.maximum(count - shares[:, -1] * ours, _LEAST)
            without = np.column_stack([without, noise + np.log(rest / count)])
        fewer = np.log(self.total / np.maximum(self.total - ours, _LEAST))
        return np.asarray(normalise(without.T) + fewer, dtype=np.float64)

    def _scattered(self, counts: Array) -> Array:
        """Return the rows over which each scatter is divided, those of the prior too, (K,)."""
        share = self.observed
        pairs = share**2 + (share - share**2) / self.mixture.n_features
        rows = pairs * counts + self.pseudo_rows
        return np.full_like(rows, rows.sum()) if self.structure.is_shared else rows

    def _left_out(
        self,
        rows: Array,
        distances: Array,
        taken: Array,
        scattered: Array,
        spread: Array,
        size: Array,
    ) -> tuple[Array, Array]:
        """Return how each covariance shrinks without each row, and the distance then, (N, K)."""
        if not self.structure.is_separable:
            parts = (distances / scattered)[:, :, None]
            return self.structure.left_out(parts, taken, spread, size)
        # a row that a component hardly answers for changes nothing, but for rounding
        log_shrink, away = np.zeros_like(distances), distances / scattered
        counts = taken * away > np.finfo(np.float64).eps
        variances = diagonals(self.mixture.blocks)
        step = max(1, _NUMBERS // rows.shape[1])
        for k, mean in enumerate(self.mixture.means):
            members = np.flatnonzero(counts[:, k])
            for start in range(0, len(members), step):  # little at a time, for D may be large
                some = members[start : start + step]
                with np.errstate(over="ignore"):
                    gaps = np.nan_to_num((rows[some] - mean) ** 2) / (variances[k] * scattered[k])
                parts = np.minimum(gaps, _FARTHEST)
                found = self.structure.left_out(
                    parts, taken[some, k], spread[some, k], size[some, k]
                )
                log_shrink[some, k], away[some, k] = found
        return log_shrink, away

    def _distances(self, rows: Array) -> tuple[Array, Array]:
        """Return the log of weight times density at distance 0, and squared distances, (N, K)."""
        gaps = np.isnan(rows)
        log_joint = self._gaussian.log_joint(rows)
        peak = np.broadcast_to(log_normaliser(self._gaussian), log_joint.shape)
        if gaps.any():  # the peak of the observed part: its density at the mean
            peak = observed_peaks(self._gaussian, gaps)
        with np.errstate(invalid="ignore"):
            distances = np.clip(np.nan_to_num(2 * (peak - log_joint), nan=0.0), 0.0, _FARTHEST)
        if self.noise is not None:
            with np.errstate(divide="ignore"):
                peak = peak + np.log1p(-self.noise.weight)
        return peak, distances

    def _weigh(self, distances: Array, seen: Array) -> tuple[Array, Array]:
        """Return the log-density relative to the peak, and the scales u, (N, K)."""
        family, shapes = self.mixture.family, self.mixture.shapes
        if (seen == seen[0]).all():
            numbers = [column[:, None] for column in family.numbers(shapes, int(seen[0])).T]
            depth, scales = family.weigh(distances.T, numbers, np)
            return depth.T, scales.T
        depth, scales = np.empty_like(distances), np.empty_like(distances)
        for size in np.unique(seen):
            of_size = seen == size
            numbers = [column[:, None] for column in family.numbers(shapes, int(size)).T]
            found = family.weigh(distances[of_size].T, numbers, np)
            depth[of_size], scales[of_size] = found[0].T, found[1].T
        return depth, scales

    def _shares(self, rows: Array, log_joint: Array) -> tuple[Array, Array]:
        """Return responsibilities, those of noise last, and the noise's log of weight x density."""
        noise = np.empty(0)
        if self.noise is not None:
            with np.errstate(divide="ignore"):
                noise = self.noise.log_density(rows) + np.log(self.noise.weight)
            log_joint = np.column_stack([log_joint, noise])
        shares = np.array(log_joint)
        normalise(shares.T)
        return shares, noise
