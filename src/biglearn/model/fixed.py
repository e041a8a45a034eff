"""Given parts: parameters that a fit must leave as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array, BoolArray, IntArray
from biglearn.model.blocks import diagonals, each, in_blocks, outer, unscaled
from biglearn.model.components import Components


@dataclass(frozen=True, eq=False)
class Fixed:
    """Weights, means and covariances that stay as given; NaN marks those to estimate.

    Parameters
    ----------
    weights : array of shape (K,)
    means : array of shape (K, D)
        Rows of numbers, or of NaN.
    covariances : array of shape (K, D, D), or in blocks (see `biglearn.model.blocks`)
        Matrices of numbers, or of NaN.
    """

    weights: Array
    means: Array
    covariances: Array

    @property
    def has_mean(self) -> BoolArray:
        """Which components have a given mean, shape (K,)."""
        return ~np.isnan(self.means[:, 0])

    @property
    def has_covariance(self) -> BoolArray:
        """Which components have a given covariance, shape (K,)."""
        return ~np.isnan(diagonals(self.covariances)[:, 0])

    @property
    def components(self) -> BoolArray:
        """Which components are tied to a place or a shape, shape (K,)."""
        return self.has_mean | self.has_covariance

    def inward(self, centre: Array, scale: Array) -> Fixed:
        """Return the same in the units of an engine."""
        means = (self.means - centre) / scale
        return Fixed(self.weights, means, unscaled(self.covariances, scale))

    def before(
        self, weights: Array, means: Array, samples: Array, mean_scales: Array | float = 1.0
    ) -> tuple[Array, Array, Array]:
        """Put given weights and means in, and return sample covariances about these.

        The free weights share what the given ones leave, by their ratios; both are the
        maximisers of the expected log-likelihood under the given parts.  `mean_scales`
        is how much a row counts in the covariances, see `Moments`.
        """
        free = np.isnan(self.weights)
        if not free.all():
            rest, ours = 1.0 - self.weights[~free].sum(), weights[free].sum()
            weights = np.where(free, weights, self.weights)
            if free.any():
                equal = np.full(int(free.sum()), rest / free.sum())
                weights[free] = weights[free] * (rest / ours) if ours > 0 else equal
        held = self.has_mean
        if held.any():
            gaps = np.where(held[:, None], means - self.means, 0.0)
            weight = each(np.broadcast_to(mean_scales, held.shape), samples)
            samples = samples + weight * outer(gaps, gaps, samples)
            means = np.where(held[:, None], self.means, means)
        return weights, means, samples

    def shares(self, shares: Array) -> Array:
        """Return the shares of the rows with which components form a common covariance."""
        free = np.where(self.has_covariance, 0.0, shares)
        total = free.sum()
        return free / total if total > 0 else shares

    def after(self, covariances: Array) -> Array:
        """Put given covariances in."""
        given = in_blocks(self.covariances, covariances.shape[-1])
        return np.where(each(self.has_covariance, covariances), given, covariances)

    def restore(self, weights: Array, components: Components) -> tuple[Array, Components]:
        """Put given parameters in exactly as they were given, in the units that they have here.

        Returns
        -------
        weights : array of shape (K,)
        components : Components
            Their own weights stay.
        """
        restored = components.replace(
            means=np.where(self.has_mean[:, None], self.means, components.means),
            covariances=self.after(components.blocks),
        )
        return np.where(np.isnan(self.weights), weights, self.weights), restored

    def part(self, active: IntArray, weight: float) -> Fixed:
        """Return the given parts of some components, whose weights sum to `weight`."""
        return Fixed(self.weights[active] / weight, self.means[active], self.covariances[active])

    def joined(self, other: Fixed) -> Fixed:
        """Return these given parts of the first components, and the other's of the last."""
        rest = slice(len(self.weights), None)
        last = in_blocks(other.covariances[rest], self.covariances.shape[-1])
        return Fixed(
            np.concatenate([self.weights, other.weights[rest]]),
            np.concatenate([self.means, other.means[rest]]),
            np.concatenate([self.covariances, last]),
        )

    def order(self, means: Array) -> IntArray:
        """Return the permutation of components that matches each given mean to its nearest one.

        Each given mean gets a different component, by the least sum of squared distances; the
        others stay in their order.
        """
        held = self.has_mean
        gaps = self.means[held, None] - means
        return assigned((gaps**2).sum(axis=2), np.flatnonzero(held))

    def near(self, centres: Array) -> Array:
        """Put each given mean, in its place, instead of its nearest centre, shape (K, D)."""
        return np.where(self.has_mean[:, None], self.means, centres[self.order(centres)])


def assigned(costs: Array, places: IntArray, movable: BoolArray | None = None) -> IntArray:
    """Return the permutation that puts the cheapest components in certain places.

    Parameters
    ----------
    costs : array of shape (P, K)
        Cost of each component in each of P places.
    places : array of shape (P,)
        Their numbers, below K.
    movable : array of shape (K,), optional
        Components that may change places; all if left out.

    Returns
    -------
    array of shape (K,)
        Component for every place.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.fixed import assigned
    >>> assigned(np.array([[5.0, 5.0, 0.0]]), np.array([0])).tolist()
    [2, 0, 1]
    """
    from scipy.optimize import linear_sum_assignment  # loading scipy takes long

    n_components = costs.shape[1]
    chosen = np.arange(n_components) if movable is None else np.flatnonzero(movable)
    wanted = np.isin(places, chosen)
    rows, columns = linear_sum_assignment(costs[wanted][:, chosen])
    order = np.arange(n_components)
    taken, there = chosen[columns], places[wanted][rows]
    order[there] = taken
    order[np.setdiff1d(chosen, there)] = np.setdiff1d(chosen, taken)
    return order
