"""Constraints: the one place where structure, floor, fixed parts and family shape parameters.

Pure functions of data: sums or parameters go in, components and a count of repairs come out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from biglearn._types import Array, BoolArray, IntArray
from biglearn.model.components import Components
from biglearn.model.families import GAUSSIAN, Family
from biglearn.model.fixed import Fixed
from biglearn.model.linalg import floor_covariances
from biglearn.model.prior import PseudoRows
from biglearn.model.ratio import bound_ratio
from biglearn.model.structures import FULL, Structure


@dataclass(frozen=True)
class Repairs:
    """Count of repairs made to parameters.

    Attributes
    ----------
    raised : int
        Eigenvalues raised to the floor.
    reseeded : int
        Components re-seeded because they had lost their rows.
    """

    raised: int = 0
    reseeded: int = 0

    def __add__(self, other: Repairs) -> Repairs:
        return Repairs(self.raised + other.raised, self.reseeded + other.reseeded)


#: Components, and the repairs made to them.
Fitted = tuple[Components, Repairs]


@dataclass(frozen=True)
class Constraints:
    """Conditions that parameters have to meet, whatever the method.

    Parameters
    ----------
    structure : Structure
        Of the covariances.
    floor : float or array of shape (D,)
        F of Σ ⪰ diag(F) for every covariance, in the engine's units.
    fixed : Fixed, optional
        Parameters that stay as they are, in the engine's units.
    family : Family
        Of the components.
    prior : PseudoRows
        On the covariances.
    max_ratio : float, optional
        Largest eigenvalue of any covariance over the smallest of any, in the engine's units.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.constraints import Constraints
    >>> narrow = np.diag([1.0, 1e-9])[None]
    >>> found, repairs = Constraints(floor=1e-3).impose(np.ones(1), np.zeros((1, 2)), narrow)
    >>> found.covariances[0].diagonal(), repairs.raised
    (array([1.   , 0.001]), 1)
    """

    structure: Structure = FULL
    floor: float | Array = 1e-6
    fixed: Fixed | None = None
    family: Family = GAUSSIAN
    prior: PseudoRows = PseudoRows()  # noqa: RUF009  immutable
    max_ratio: float | None = None

    @property
    def held(self) -> BoolArray | None:
        """Components with a given mean or covariance, shape (K,); None where none has."""
        return None if self.fixed is None else self.fixed.components

    @property
    def held_in_place(self) -> BoolArray | None:
        """Components with any given parameter, shape (K,); None where none has."""
        fixed = self.fixed
        return None if fixed is None else fixed.components | ~np.isnan(fixed.weights)

    @property
    def held_places(self) -> set[int]:
        """Numbers of the components with a given mean or covariance."""
        return set() if self.held is None else set(np.flatnonzero(self.held).tolist())

    def fit(
        self,
        weights: Array,
        means: Array,
        samples: Array,
        counts: Array,
        *,
        shapes: Array | None = None,
        mean_scales: Array | float = 1.0,
        blended: bool = False,
        former: Array | None = None,
        memo: Array | None = None,
    ) -> Fitted:
        """Return the likeliest components under the constraints, given sums over rows.

        Parameters
        ----------
        weights : array of shape (K,)
        means : array of shape (K, D)
        samples : array of shape (K, D, D), or in blocks (see `biglearn.model.blocks`)
            Sample covariances about the means.
        counts : array of shape (K,)
            Weight Σ r of the rows that each component answers for.
        shapes : array of shape (K, S), optional
            Shapes of the family; those that a fit begins with if left out.
        mean_scales : array of shape (K,) or float
            How much a row counts in the covariances; see `Moments.mean_scales`.
        blended : bool, default=False
            Whether the samples hold the pseudo-rows of the prior already.
        former, memo : array, optional
            Of the covariances so far, see `Structure.refit`.
        """
        start = {"former": former, "memo": memo}
        given = weights, means, samples, counts, shapes, mean_scales
        return self._shaped(*given, blend=not blended, start=start)

    def impose(
        self,
        weights: Array,
        means: Array,
        covariances: Array,
        *,
        shapes: Array | None = None,
        shares: Array | None = None,
        memo: Array | None = None,
    ) -> Fitted:
        """Return the components nearest to given parameters that respect the constraints.

        Parameters
        ----------
        weights, means, covariances, shapes
            As in `fit`.
        shares : array of shape (K,), optional
            By which a tied covariance averages; the weights if left out.
        memo : array, optional
            Of covariances near to these, see `Structure.refit`.
        """
        given = weights, means, covariances, weights if shares is None else shares, shapes, 1.0
        return self._shaped(*given, blend=False, start={"memo": memo})

    def impose_on(self, components: Components) -> Fitted:
        """Return the nearest components that respect the constraints."""
        return self.impose(
            components.weights,
            components.means,
            components.blocks,
            shapes=components.shapes,
            memo=components.memo,
        )

    def _shaped(
        self,
        weights: Array,
        means: Array,
        covariances: Array,
        shares: Array,
        shapes: Array | None,
        mean_scales: Array | float,
        *,
        blend: bool,
        start: dict[str, Array | None],
    ) -> Fitted:
        fixed = self.fixed
        if fixed is not None:
            weights, means, covariances = fixed.before(weights, means, covariances, mean_scales)
        if blend:
            covariances = self.prior.blended(covariances, shares)
            shares = shares + self.prior.rows * self.prior.thinning
        if fixed is not None:
            shares = fixed.shares(shares)
        fitted, raised, memo = self.structure.refit(covariances, shares, self.floor, **start)
        if self.max_ratio is not None:
            free = shares if fixed is None else np.where(fixed.has_covariance, 0.0, shares)
            fitted, moved = bound_ratio(fitted, free, self.max_ratio)
            raised, memo = raised + moved, None if moved else memo
        if fixed is not None:
            fitted = fixed.after(fitted)
        return Components(weights, means, fitted, shapes, self.family, memo), Repairs(raised)

    def log_prior(self, components: Components) -> Array:
        """Return each component's term of the log-prior, shape (K,).

        It is added to the log-likelihood of all rows wherever mixtures are ranked: in climbs,
        cuts, merges, trials and legs.  It is zero for maximum likelihood.
        """
        prior, fixed = self.prior.log_density(components), self.fixed
        # surgery asks of some components, or merged ones, and never touches given ones
        if fixed is not None and len(prior) == len(fixed.has_covariance):
            prior = np.where(fixed.has_covariance, 0.0, prior)
        return prior

    def part(self, chosen: IntArray, weight: float = 1.0) -> Constraints:
        """Return the constraints of some components, whose weights sum to `weight`."""
        if self.fixed is None:
            return self
        return replace(self, fixed=self.fixed.part(chosen, weight))

    def following(self, components: Components) -> Constraints:
        """Return the constraints with the target of the prior that components ask for.

        Components with a given covariance, such as noise, have no part in it.
        """
        if self.fixed is not None and not self.fixed.has_covariance.all():
            components = components.part(~self.fixed.has_covariance)
        size = self.structure.block_size(components.n_features)
        prior = self.prior.following(components.in_blocks(size))
        if prior.target is not None:
            target, _ = floor_covariances(prior.target[None], self.floor)
            prior = replace(prior, target=target[0])
        return replace(self, prior=prior)

    def thinned(self, share: float) -> Constraints:
        """Return the constraints for M-steps on a share of the rows, by which the prior thins."""
        prior = self.prior
        return replace(self, prior=replace(prior, thinning=share)) if prior.rows else self


def n_parameters(
    limits: Constraints, fixed: Fixed | None, has_noise: bool, shape: tuple[int, int]
) -> int:
    """Return how many free numbers a mixture of K components over D features holds."""
    n_components, n_features = shape
    weights = means = covariances = n_components
    if fixed is not None:
        weights = int(np.isnan(fixed.weights).sum())
        means = int((~fixed.has_mean).sum())
        covariances = int((~fixed.has_covariance).sum())
    free = weights + has_noise
    return (
        max(free - 1, 0)
        + means * n_features
        + (limits.structure.n_parameters(covariances, n_features) if covariances else 0)
        + n_components * len(limits.family.shape_names)
    )
