"""Component families: Gaussians, and heavier tails as Gaussians whose scale differs by row.

Given its component, a row is Gaussian with covariance Σ/u, where u ≥ 0 has a distribution
with mean 1 that the family names; a Gaussian has u = 1.  A family turns squared distances
into log-densities and into E(u), by which a row counts in means and covariances, and
estimates the *shapes* of its components: S numbers beside weight, mean and covariance.

Engines, moves and starts never ask which family they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array

#: Keeps logarithms of scales finite, in float32 too.
_LEAST_SCALE = 1e-38

#: Halvings of the interval in which degrees of freedom are sought.
_HALVINGS = 60


@dataclass(frozen=True)
class Family:
    """Gaussian components; base class of the other families.

    Parameters
    ----------
    name : str
        Value of the estimator's parameter `family`.

    Examples
    --------
    >>> from biglearn.model.families import FAMILIES
    >>> FAMILIES["gaussian"].shape_names, FAMILIES["student"].shape_names
    ((), ('dof',))
    """

    name: str = "gaussian"

    @property
    def title(self) -> str:
        """Name for people to read."""
        return self.name

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Names of the S shapes of a component; none for Gaussians."""
        return ()

    @property
    def n_statistics(self) -> int:
        """Number M of sums over rows that the shapes are estimated from."""
        return 0

    @property
    def has_tails(self) -> bool:
        """Whether u differs from row to row."""
        return False

    def starting_shapes(self, n_components: int) -> Array:
        """Return the shapes that a fit begins with, shape (K, S)."""
        return np.empty((n_components, 0))

    def check_shapes(self, shapes: Array) -> None:
        """Refuse shapes, (K, S), that no component of the family has."""

    def numbers(self, shapes: Array, size: int) -> Array:
        """Return the numbers of each component that `weigh` needs in d dimensions, (K, P)."""
        return np.empty((len(shapes), 0))

    def weigh(self, distances: Any, numbers: Sequence[Any], xp: Any) -> tuple[Any, Any]:
        """Return the log-density relative to the peak of a Gaussian, and E(u), both (K, n).

        Parameters
        ----------
        distances : array of shape (K, n)
            Squared distances from the component, in its covariance.
        numbers : sequence of P arrays of shape (K, 1)
            See `numbers`.
        xp : module
            numpy or torch, whichever the arrays are of.
        """
        return -0.5 * distances, xp.ones_like(distances)

    def statistics(self, scales: Any, xp: Any) -> list[Any]:
        """Return M arrays of shape (K, n) that are summed over rows, from their E(u)."""
        return []

    def complete(self, statistics: Array, counts: Array, shapes: Array, size: int) -> Array:
        """Return the statistics, (K, M), with the part that all rows seen in d dimensions share.

        Parameters
        ----------
        statistics : array of shape (K, M)
            Sums over those rows.
        counts : array of shape (K,)
            Σ r of those rows.
        shapes : array of shape (K, S)
            The shapes that gave them.
        size : int
            d.
        """
        return statistics

    def update(self, counts: Array, scaled: Array, statistics: Array) -> Array:
        """Return the likeliest shapes, (K, S).

        Parameters
        ----------
        counts, scaled : array of shape (K,)
            Σ r and Σ r E(u).
        statistics : array of shape (K, M)
            See `statistics` and `complete`.
        """
        return np.empty((len(counts), 0))

    def coordinates(self, shapes: Array) -> Array:
        """Return the shapes in coordinates that may be extrapolated, (K, S)."""
        return shapes

    def from_coordinates(self, coordinates: Array) -> Array:
        """Return the shapes of coordinates, (K, S), brought into their range."""
        return coordinates

    def draw_scales(self, shapes: Array, rng: np.random.Generator) -> Array:
        """Draw u for n rows, shape (n,), given the shapes of their components, (n, S)."""
        return np.ones(len(shapes))

    def spread(self, shapes: Array) -> Array:
        """Return E(1/u), shape (K,), by which covariances exceed Σ."""
        return np.ones(len(shapes))

    def given(self, shapes: Array, size: int) -> Array:
        """Return the shapes, (K, S), of components conditioned on d values."""
        return shapes

    def stretch(self, shapes: Array, distances: Array, size: int) -> Array:
        """Return the factors, (N, K), of covariances conditioned on d values.

        Parameters
        ----------
        shapes : array of shape (K, S)
        distances : array of shape (N, K)
            Squared distances of the values.
        size : int
            d.
        """
        return np.ones(distances.shape)


@dataclass(frozen=True)
class StudentT(Family):
    """Student-t components, with estimated degrees of freedom ν.

    u has a Gamma distribution with shape and rate ν/2, so that with squared distance δ in d
    dimensions

        log t = log N + δ/2 - (ν + d)/2 log(1 + δ/ν) + c(ν, d),   E(u) = (ν + d) / (ν + δ).

    Marginals and affine maps keep ν; the limit of large ν is the Gaussian.

    Parameters
    ----------
    name : str
    start : float
        ν that a fit begins with.
    least, most : float
        Range of the estimates; the largest is as good as Gaussian.

    References
    ----------
    D. Peel and G. J. McLachlan, Statistics and Computing 10, 2000.
    """

    name: str = "student"
    start: float = 5.0
    least: float = 1.0
    most: float = 200.0

    @property
    def title(self) -> str:
        """Student-t."""
        return "Student-t"

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Degrees of freedom."""
        return ("dof",)

    @property
    def n_statistics(self) -> int:
        """One: Σ r E(log u)."""
        return 1

    @property
    def has_tails(self) -> bool:
        """The scale differs from row to row."""
        return True

    def starting_shapes(self, n_components: int) -> Array:
        """Return `start` for every component, shape (K, 1)."""
        return np.full((n_components, 1), self.start)

    def check_shapes(self, shapes: Array) -> None:
        """Refuse degrees of freedom that are not finite and positive."""
        if not (np.isfinite(shapes) & (shapes > 0)).all():
            raise ValueError(
                f"dof must be {len(shapes)} positive finite numbers, got {shapes.ravel().tolist()}"
            )

    def numbers(self, shapes: Array, size: int) -> Array:
        """Return ν, (ν + d)/2 and the constant c(ν, d), shape (K, 3)."""
        from scipy.special import gammaln  # loading scipy takes long

        half = shapes[:, 0] / 2
        constant = gammaln(half + size / 2) - gammaln(half) - size / 2 * np.log(half)
        return np.column_stack([shapes[:, 0], half + size / 2, constant])

    def weigh(self, distances: Any, numbers: Sequence[Any], xp: Any) -> tuple[Any, Any]:
        """Return log t relative to the peak of a Gaussian, and E(u), both (K, n)."""
        dof, power, constant = numbers
        log_density = constant - power * xp.log1p(distances / dof)
        return log_density, 2 * power / (dof + distances)

    def statistics(self, scales: Any, xp: Any) -> list[Any]:
        """Return log E(u), which is finite where the distance of a row overflows."""
        return [xp.log(scales + _LEAST_SCALE)]

    def complete(self, statistics: Array, counts: Array, shapes: Array, size: int) -> Array:
        """Turn Σ r log E(u) into Σ r E(log u), for rows seen in d dimensions."""
        from scipy.special import digamma

        half = (shapes + size) / 2
        return np.asarray(statistics + counts[:, None] * (digamma(half) - np.log(half)))

    def update(self, counts: Array, scaled: Array, statistics: Array) -> Array:
        """Return the likeliest degrees of freedom, shape (K, 1).

        The root of log(ν/2) - ψ(ν/2) + 1 + Σ r (E log u - E u) / Σ r, which decreases in ν,
        within `least` and `most`.
        """
        from scipy.special import digamma

        with np.errstate(invalid="ignore", divide="ignore"):
            target = 1 + (statistics[:, 0] - scaled) / counts
        low, high = (
            np.full(len(counts), np.log(self.least)),
            np.full(len(counts), np.log(self.most)),
        )
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            half = np.exp(middle) / 2
            above = np.log(half) - digamma(half) + target > 0
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return np.asarray(np.exp((low + high) / 2))[:, None]

    def coordinates(self, shapes: Array) -> Array:
        """Return log ν."""
        return np.asarray(np.log(shapes))

    def from_coordinates(self, coordinates: Array) -> Array:
        """Return ν within its range."""
        return np.asarray(np.exp(np.clip(coordinates, np.log(self.least), np.log(self.most))))

    def draw_scales(self, shapes: Array, rng: np.random.Generator) -> Array:
        """Draw u from Gamma distributions of mean 1, shape (n,)."""
        return rng.gamma(shapes[:, 0] / 2, 2 / shapes[:, 0], size=len(shapes))

    def spread(self, shapes: Array) -> Array:
        """Return ν / (ν - 2), shape (K,); infinite for ν ≤ 2."""
        dof = shapes[:, 0]
        return np.where(dof > 2, dof / np.maximum(dof - 2, np.finfo(float).tiny), np.inf)

    def given(self, shapes: Array, size: int) -> Array:
        """Return ν + d."""
        return shapes + size

    def stretch(self, shapes: Array, distances: Array, size: int) -> Array:
        """Return (ν + δ) / (ν + d)."""
        dof = shapes[:, 0]
        return np.asarray((dof + distances) / (dof + size))


GAUSSIAN = Family()

#: The families by name.
FAMILIES: dict[str, Family] = {"gaussian": GAUSSIAN, "student": StudentT()}


def family_of(family: str | Family) -> Family:
    """Return the family of a name, or the family itself.

    Parameters
    ----------
    family : {"gaussian", "student"} or Family

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> from biglearn.model.families import family_of
    >>> family_of("student").starting_shapes(2)
    array([[5.],
           [5.]])
    """
    if isinstance(family, Family):
        return family
    if not isinstance(family, str) or family not in FAMILIES:
        raise ValueError(
            f"family must be one of {list(FAMILIES)} or a Family object, got {family!r}"
        )
    return FAMILIES[family]


def family_and_shapes(
    n_components: int,
    dof: ArrayLike | None,
    family: str | Family | None,
    shapes: ArrayLike | None,
) -> tuple[Family, Array]:
    """Return the family that is meant, and checked shapes of its components, (K, S)."""
    if dof is not None and shapes is not None:
        raise ValueError("give dof or shapes, not both: dof are the shapes of Student-t components")
    default = "gaussian" if dof is None else "student"
    kind = family_of(default if family is None else family)
    if dof is not None:
        shapes = np.array(dof, dtype=np.float64)
        if shapes.shape != (n_components,) or kind.shape_names != ("dof",):
            raise ValueError(
                f"dof must be {n_components} positive finite numbers of family 'student', "
                f"got {dof!r}"
            )
        shapes = shapes[:, None]
    if shapes is None:
        return kind, kind.starting_shapes(n_components)
    values = np.array(shapes, dtype=np.float64)
    wanted = (n_components, len(kind.shape_names))
    if values.shape != wanted:
        raise ValueError(f"shapes must have shape {wanted}, got {values.shape}")
    kind.check_shapes(values)
    return kind, values
