"""A background model adapted to the rows of one speaker, machine or place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from biglearn._types import Array
from biglearn.engines.rows.units import Units
from biglearn.estimators.fitting import FittingMixin, adopt_mixture
from biglearn.model.blocks import diagonals, each, in_blocks, outer
from biglearn.model.checks import check_number
from biglearn.model.components import Components
from biglearn.model.mixture import Mixture
from biglearn.model.moments import Moments
from biglearn.model.structures import Structure

#: What may be adapted.
PARAMETERS = ("weights", "means", "covariances")


class AdaptationMixin(FittingMixin):
    """The method of an estimator that adapts its mixture to new rows."""

    def adapt(
        self,
        X: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        relevance: float = 16.0,
        parameters: Sequence[str] = ("means",),
        n_iter: int = 1,
    ) -> Self:
        """Return a new estimator whose mixture is moved towards rows, as far as they reach.

        This mixture is the background: a prior of `relevance` rows for every component.  With
        n_k the weight of the rows that component k answers for, each parameter is
        α_k times what they say plus 1 - α_k times what it was, α_k = n_k / (n_k + relevance).
        So a component without rows stays as it is, and few rows never break one.

        Parameters
        ----------
        X : array-like of shape (N, D)
            A few rows are enough; NaN is a value missing at random.
        sample_weight : array-like of shape (N,), default=None
        relevance : float, default=16
            Rows after which a component is half-way; 16 is usual for speakers.
        parameters : sequence of {"weights", "means", "covariances"}, default=("means",)
            What to adapt; means alone serve best where rows are few.
        n_iter : int, default=1
            Times that the rows are given to the components anew.

        Returns
        -------
        GaussianMixture
            With the parameters of this one, fitted; attributes that only a fit can set are
            missing.

        Raises
        ------
        ValueError
            If a parameter is unknown or out of range, or the family is not "gaussian", or there
            is a noise component.

        References
        ----------
        D. A. Reynolds, T. F. Quatieri and R. B. Dunn, "Speaker verification using adapted
        Gaussian mixture models", Digital Signal Processing 10, 2000.

        Examples
        --------
        >>> import numpy as np
        >>> from biglearn import GaussianMixture
        >>> background = GaussianMixture.from_parameters(
        ...     [0.5, 0.5], [[0.0], [10.0]], [[[1.0]], [[1.0]]]
        ... )
        >>> background.adapt(np.full((16, 1), 1.0)).means_.ravel()
        array([ 0.5, 10. ])
        """
        check_number("relevance", relevance, low=0, above=True)
        check_number("n_iter", n_iter, low=1, integer=True)
        chosen = [parameters] if isinstance(parameters, str) else list(parameters)
        unknown = [name for name in chosen if name not in PARAMETERS]
        if unknown or not chosen:
            raise ValueError(f"parameters must be some of {list(PARAMETERS)}, got {parameters!r}")
        source, _ = self._fitted(X, sample_weight)
        if self.noise or self.mixture_.family.has_tails:
            what = "noise" if self.noise else f"family {self.mixture_.family.name!r}"
            raise ValueError(f"adapt() does not support {what}; fit the background without")
        structure = self._limits().structure
        units = _units_of(self.mixture_, structure)
        engine, ours = source.engine(units), units.inward(self.mixture_)
        now = ours
        with engine.running():
            for _ in range(int(n_iter)):
                now = adapted(ours, engine.expect(now), float(relevance), chosen, structure)
        mixture = Mixture.of(units.outward(now), self.mixture_.feature_names)
        return self._with(mixture)

    def _with(self, mixture: Mixture) -> Self:
        """Return an estimator like this one with another mixture of the same shape."""
        new: Any = clone(self)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(new, name, getattr(self, name))
        new.n_components = mixture.n_components
        adopt_mixture(new, mixture)
        return new  # type: ignore[no-any-return]


def adapted(
    background: Components,
    moments: Moments,
    relevance: float,
    parameters: Sequence[str],
    structure: Structure,
) -> Components:
    """Return components between a background and what rows say.

    Parameters
    ----------
    background : Components
    moments : Moments
        Of the rows, about components that may have been adapted already.
    relevance : float
    parameters : sequence of str
    structure : Structure
        Of the covariances.
    """
    alive = moments.alive
    counts = np.where(alive, moments.counts, 0.0) / moments.row_weight
    share = counts / (counts + relevance)
    theirs = np.where(alive[:, None], moments.means, background.means)
    samples = in_blocks(moments.covariances, background.block_size)
    samples = np.where(each(alive, samples), samples, background.blocks)
    weights, means, blocks = background.weights, background.means, background.blocks
    if "weights" in parameters:
        weights = share * counts / counts.sum() + (1 - share) * weights
        weights = weights / weights.sum()
    if "means" in parameters:
        means = share[:, None] * theirs + (1 - share)[:, None] * means
    if "covariances" in parameters:
        away, back = theirs - means, background.means - means
        mixed = each(share, samples) * (samples + outer(away, away, samples))
        mixed += each(1 - share, samples) * (blocks + outer(back, back, samples))
        blocks = structure.likeliest(mixed, weights)
    return background.replace(weights=weights, means=means, covariances=blocks)


def _units_of(mixture: Mixture, structure: Structure) -> Units:
    """Return units of the background, since a few rows have none of their own."""
    spread: Array = np.sqrt(diagonals(mixture.blocks).mean(axis=0))
    if not structure.is_separable and structure.block_size(2) == 1:
        spread = np.full_like(spread, np.sqrt(np.mean(spread**2)))
    return Units(mixture.mean, spread)
