"""Covariance structures: constraints on the form of covariances, with one M-step each.

A structure turns the sample covariances of the components into the likeliest ones
of its kind, under the eigenvalue floor, and knows scikit-learn's arrays for it.
Engines, moves and starts never ask which structure they have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array
from biglearn.model.blocks import (
    averaged,
    diagonals,
    each,
    in_blocks,
    n_features_of,
    shape_of,
    whole,
)
from biglearn.model.factors import EQUAL, Factors, deviance, fit_factors
from biglearn.model.linalg import floor_covariances, log_product

#: Smallest part of a scatter that is left without a row.
_LEAST_SHRINK = 1e-9


@dataclass(frozen=True)
class Structure:
    """Unconstrained covariances; base class of the other structures.

    Parameters
    ----------
    name : str
        As `covariance_type` says it.
    """

    name: str = "full"

    def block_size(self, n_features: int) -> int:
        """Return the size m of the blocks on the diagonal that the covariances consist of.

        Whatever the other methods take or give as covariances of shape (K, D, D) has shape
        (K, D / m, m, m) where m is less than D, so that no zeros are computed or kept: (K, D,
        1, 1) for diagonal covariances.
        """
        return n_features

    @property
    def is_shared(self) -> bool:
        """Whether all components have one covariance."""
        return False

    def fit(self, samples: Array, shares: Array, floor: float | Array) -> tuple[Array, int]:
        """Return the covariances that maximise the expected log-likelihood.

        Parameters
        ----------
        samples : array of shape (K, D, D), or in blocks of any size
            Σ r (y - μ)(y - μ)ᵀ / Σ r of each component.
        shares : array of shape (K,)
            Weights by which a shared covariance averages; they need not sum to one.
        floor : float or array of shape (D,)
            F of Σ ⪰ diag(F).

        Returns
        -------
        covariances : array of shape (K, D, D), or in blocks of `block_size`
        n_raised : int
            Eigenvalues that the floor raised.
        """
        ours = in_blocks(samples, self.block_size(n_features_of(samples)))
        return floor_covariances(self.likeliest(ours, shares), floor)

    def refit(
        self,
        samples: Array,
        shares: Array,
        floor: float | Array,
        *,
        former: Array | None = None,
        memo: Array | None = None,
    ) -> tuple[Array, int, Array | None]:
        """Fit as `fit` does, from where an earlier fit of about the same samples has ended.

        Parameters
        ----------
        samples, shares, floor
            See `fit`.
        former : array like the covariances, optional
            Covariances that the new ones must not be less likely than.
        memo : array of shape (K, M), optional
            What the structure left to itself about the former fit; NaN if unknown.

        Returns
        -------
        covariances : array
        n_raised : int
        memo : array of shape (K, M) or None
        """
        return (*self.fit(samples, shares, floor), None)

    def likeliest(self, samples: Array, shares: Array) -> Array:
        """Return the likeliest covariances of this structure, (K, D, D), without a floor.

        Parameters
        ----------
        samples, shares
            See `fit`; the shares need not sum to one.
        """
        return samples

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return the shape of scikit-learn's arrays."""
        return n_components, n_features, n_features

    def expand(self, values: Array, n_components: int, n_features: int) -> Array:
        """Turn scikit-learn's array of covariances or precisions into matrices."""
        return values

    def collapse(self, matrices: Array) -> Array:
        """Turn matrices of shape (K, D, D), in blocks of `block_size`, into scikit-learn's."""
        return matrices

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Return how many free numbers the covariances hold."""
        return n_components * n_features * (n_features + 1) // 2

    def rows_needed(self, n_features: int) -> int:
        """Return how many rows of its own a component needs for a covariance."""
        return n_features + 1

    @property
    def is_separable(self) -> bool:
        """Whether each feature has a variance of its own and nothing else."""
        return False

    def left_out(
        self, parts: Array, taken: Array, spread: Array, size: Array
    ) -> tuple[Array, Array]:
        """Return how a covariance shrinks without a row, and the row's distance then.

        Without the row the scatter A becomes A - b d dᵀ, as far as the structure lets it.

        Parameters
        ----------
        parts : array of shape (..., P)
            q = dᵀA⁻¹d of each row, P = 1; of each feature by itself, P = D, where the
            structure `is_separable`.
        taken : array of shape (...)
            b.
        spread : array of shape (...)
            By how much fewer rows the scatter is divided.
        size : array of shape (...)
            Features that each row shows.

        Returns
        -------
        log_shrink : array of shape (...)
            log|A - b d dᵀ| - log|A|.
        distance : array of shape (...)
            dᵀ(A - b d dᵀ)⁻¹d.
        """
        shrink = np.maximum(1 - taken[..., None] * parts, _LEAST_SHRINK)
        return log_product(shrink), (parts / shrink).sum(axis=-1)


@dataclass(frozen=True)
class Tied(Structure):
    """One covariance for all components: the weighted average."""

    name: str = "tied"

    @property
    def is_shared(self) -> bool:
        """All components have one covariance."""
        return True

    def likeliest(self, samples: Array, shares: Array) -> Array:
        """Return the average of the sample covariances for every component."""
        total = shares.sum()
        ours = shares / total if total > 0 else np.full(len(shares), 1 / len(shares))
        return np.broadcast_to(averaged(ours, samples), samples.shape).copy()

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return (D, D)."""
        return n_features, n_features

    def expand(self, values: Array, n_components: int, n_features: int) -> Array:
        """Repeat the one matrix."""
        return np.tile(values, (n_components, 1, 1))

    def collapse(self, matrices: Array) -> Array:
        """Return the one matrix."""
        return np.asarray(matrices[0])

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Return D (D + 1) / 2."""
        return n_features * (n_features + 1) // 2

    def rows_needed(self, n_features: int) -> int:
        """Return 1: the covariance is that of all rows."""
        return 1


@dataclass(frozen=True)
class Diagonal(Structure):
    """Features that are independent within a component: the diagonal."""

    name: str = "diag"

    def block_size(self, n_features: int) -> int:
        """Return 1: the variances are enough."""
        return 1

    @property
    def is_separable(self) -> bool:
        """The features are independent."""
        return True

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return (K, D)."""
        return n_components, n_features

    def expand(self, values: Array, n_components: int, n_features: int) -> Array:
        """Put the values on the diagonals."""
        return values.reshape(n_components, *shape_of(n_features, 1))

    def collapse(self, matrices: Array) -> Array:
        """Return the diagonals."""
        return diagonals(matrices)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Return K D."""
        return n_components * n_features

    def rows_needed(self, n_features: int) -> int:
        """Return 2."""
        return 2


@dataclass(frozen=True)
class Spherical(Diagonal):
    """One variance for all features of a component: the mean of the diagonal."""

    name: str = "spherical"

    def fit(self, samples: Array, shares: Array, floor: float | Array) -> tuple[Array, int]:
        """Return the likeliest variances, none below the largest floor of a feature."""
        return super().fit(samples, shares, float(np.max(floor)))

    def likeliest(self, samples: Array, shares: Array) -> Array:
        """Return the mean of the variances of each component."""
        means = diagonals(samples).mean(axis=1)
        return np.broadcast_to(each(means, samples), samples.shape).copy()

    @property
    def is_separable(self) -> bool:
        """One variance is that of all features together."""
        return False

    def left_out(
        self, parts: Array, taken: Array, spread: Array, size: Array
    ) -> tuple[Array, Array]:
        """Take the row out of the sum over all features."""
        mean = parts[..., 0] / np.maximum(size, 1)
        shrink = np.maximum(1 - taken * mean, _LEAST_SHRINK)
        return size * np.log(shrink), parts[..., 0] / shrink

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return (K,)."""
        return (n_components,)

    def expand(self, values: Array, n_components: int, n_features: int) -> Array:
        """Put each value on all of a diagonal."""
        return super().expand(np.repeat(values, n_features), n_components, n_features)

    def collapse(self, matrices: Array) -> Array:
        """Return the mean of each diagonal."""
        return np.asarray(super().collapse(matrices).mean(axis=1))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Return K."""
        return n_components


@dataclass(frozen=True)
class Factor(Structure):
    """A few common factors and noise of each feature's own: Σ = ΛΛᵀ + Ψ.

    Parameters
    ----------
    n_factors : int
        Columns q of Λ, shape (D, q).

    References
    ----------
    Z. Ghahramani and G. E. Hinton, "The EM algorithm for mixtures of factor analyzers",
    technical report CRG-TR-96-1, Toronto, 1996.
    """

    name: str = "factor"
    n_factors: int = 1

    def fit(self, samples: Array, shares: Array, floor: float | Array) -> tuple[Array, int]:
        """Return the likeliest ΛΛᵀ + Ψ with no variance in Ψ below the floor."""
        return self.refit(samples, shares, floor)[:2]

    def refit(
        self,
        samples: Array,
        shares: Array,
        floor: float | Array,
        *,
        former: Array | None = None,
        memo: Array | None = None,
    ) -> tuple[Array, int, Array | None]:
        """Fit from noise variances Ψ that are known; keep what was likelier than a new fit."""
        samples, known = whole(samples), memo
        loadings, noise, n_raised = fit_factors(samples, self.n_factors, floor, known)
        covariances = loadings @ np.swapaxes(loadings, 1, 2)
        index = np.arange(samples.shape[-1])
        covariances[:, index, index] += noise
        new = np.ones(len(noise), dtype=bool) if known is None else np.isnan(known[:, 0])
        if former is not None and new.any():  # there are several optima
            gain = deviance(covariances[new], samples[new]) - deviance(former[new], samples[new])
            new[new] = gain > EQUAL
            covariances[new], noise[new] = former[new], np.nan
        return covariances, n_raised, noise

    def left_out(
        self, parts: Array, taken: Array, spread: Array, size: Array
    ) -> tuple[Array, Array]:
        """Leave the covariance as it is: without a row its factors have no closed form."""
        return size * np.log(spread), parts[..., 0] / spread

    def factors(self, covariances: Array) -> Factors:
        """Return loadings and noise variances of fitted covariances."""
        return Factors(*fit_factors(covariances, self.n_factors, 0.0)[:2])

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Return K (D + q D - q (q - 1) / 2), but no more than without constraint."""
        q = min(self.n_factors, n_features)
        each = n_features * (1 + q) - q * (q - 1) // 2
        return min(n_components * each, super().n_parameters(n_components, n_features))

    def rows_needed(self, n_features: int) -> int:
        """Return q + 2: the noise is diagonal, the rest of rank q."""
        return min(self.n_factors, n_features - 1) + 2


FULL = Structure()

#: The structures by name.
_STRUCTURES: dict[str, Structure] = {
    "full": FULL,
    "tied": Tied(),
    "diag": Diagonal(),
    "spherical": Spherical(),
    "factor": Factor(),
}

COVARIANCE_TYPES = tuple(_STRUCTURES)


def structure_of(covariance_type: str | Structure, n_factors: int = 1) -> Structure:
    """Return the structure of a name, or the structure itself.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical", "factor"} or Structure
    n_factors : int, default=1
        Common factors, for "factor".

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> from biglearn.model.structures import structure_of
    >>> structure_of("factor", n_factors=2).n_parameters(1, 10)
    29
    """
    if isinstance(covariance_type, Structure):
        return covariance_type
    if not isinstance(covariance_type, str) or covariance_type not in _STRUCTURES:
        raise ValueError(
            f"covariance_type must be one of {list(COVARIANCE_TYPES)} or a Structure object, "
            f"got {covariance_type!r}"
        )
    if covariance_type == "factor":
        return Factor(n_factors=n_factors)
    return _STRUCTURES[covariance_type]
