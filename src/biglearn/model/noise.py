"""A uniform component for rows that belong to no cluster.

It is the last of K + 1 components, with a constant density 1/V in place of a Gaussian:
V is the volume of the box that holds the rows (Banfield and Raftery, Biometrics 49,
1993).  Wherever a Gaussian is needed, as under a rotation, the one with the mean and the
covariance of the box stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, FloatArray, IntArray
from biglearn.model.blocks import diagonals, shape_of
from biglearn.model.components import Components
from biglearn.model.densities import FromLogJoint
from biglearn.model.families import Family
from biglearn.model.fixed import Fixed
from biglearn.model.mixture import Mixture

#: Shortest side of the box, in the units of an engine: there the noise is as dense as the peak of
#: a Gaussian at the default floor of 1e-6, so that a constant column speaks for neither.
_LEAST = float(np.sqrt(2 * np.pi * 1e-6))


@dataclass(frozen=True, eq=False)
class Noise:
    """A constant density over a box.

    Attributes
    ----------
    weight : float
        Its share of all rows.
    low, high : array of shape (D,)
        The box.
    sides : array of shape (D,)
        Its sides; `high` less `low` if left out, which far from 0 loses a thin one.
    """

    weight: float
    low: Array
    high: Array
    sides: Array | None = None

    @property
    def log_sides(self) -> Array:
        """Log of the sides, shape (D,)."""
        return np.asarray(np.log(self.high - self.low if self.sides is None else self.sides))

    @classmethod
    def over_box(cls, low: Array, high: Array) -> Noise:
        """Return the noise over a box in the units of an engine, of no weight yet.

        A constant column gets a short side, so that there is a volume.
        """
        short = np.maximum(_LEAST - (high - low), 0.0) / 2
        return cls(0.0, low - short, high + short)

    def log_density(self, rows: FloatArray) -> Array:
        """Return minus the log-volume of the sides of which rows show a value, shape (N,).

        It is the same for rows outside of the box, so that a row far from every
        cluster is noise wherever it lies.
        """
        return np.asarray(-(~np.isnan(rows) @ self.log_sides))

    @classmethod
    def split(cls, components: Components) -> tuple[Components, Noise]:
        """Return the K components of a fit of K + 1, with weights that sum to 1, and the noise."""
        half = np.sqrt(3.0 * diagonals(components.blocks[-1:])[0])
        first, centre = components.part(slice(-1)), components.means[-1]
        total = first.weights.sum()
        equal = np.full_like(first.weights, 1 / len(first.weights))
        shares = first.weights / total if total > 0 else equal
        noise = cls(float(components.weights[-1]), centre - half, centre + half, 2 * half)
        return first.replace(weights=shares), noise

    def outward(self, centre: Array, scale: Array) -> Noise:
        """Return the same in the user's units."""
        low, high = self.low * scale + centre, self.high * scale + centre
        return Noise(self.weight, low, high, np.exp(self.log_sides) * scale)

    def fixed(self, n_components: int) -> Fixed:
        """Return the fixed parts of a fit of K + 1 components: the moments of the last."""
        size = len(self.low)
        fixed = Fixed(
            np.full(n_components + 1, np.nan),
            np.full((n_components + 1, size), np.nan),
            np.full((n_components + 1, *shape_of(size, 1)), np.nan),
        )
        fixed.means[-1] = (self.low + self.high) / 2
        fixed.covariances[-1].flat = (self.high - self.low) ** 2 / 12
        return fixed

    def components(self, family: Family, weight: float) -> Components:
        """Return the one component, of a family, that stands for the noise."""
        fixed = self.fixed(0)
        return Components(np.array([weight]), fixed.means, fixed.covariances, family=family)


class NoisyMixture(FromLogJoint):
    """A mixture of K Gaussians with a uniform component, as a distribution.

    Parameters
    ----------
    mixture : Mixture
        The Gaussians, of weights that sum to one.
    noise : Noise

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.model.noise import Noise, NoisyMixture
    >>> noise = Noise(0.1, low=np.array([-10.0]), high=np.array([10.0]))
    >>> model = NoisyMixture(Mixture([1.0], [[0.0]], [[[1.0]]]), noise)
    >>> model.responsibilities([[0.0], [5.0]]).round(3)
    array([[0.986, 0.014],
           [0.   , 1.   ]])
    """

    def __init__(self, mixture: Mixture, noise: Noise) -> None:
        self.mixture, self.noise = mixture, noise

    def log_joint(self, X: ArrayLike) -> Array:
        """Return the log of weight times density of every component, noise last, (N, K + 1)."""
        with np.errstate(divide="ignore"):  # there may be no noise, or nothing else
            share, rest = np.log(self.noise.weight), np.log1p(-self.noise.weight)
        ours = self.mixture.log_joint(X) + rest
        theirs = self.noise.log_density(np.asarray(X, dtype=np.float64)) + share
        return np.column_stack([ours, theirs])

    def labels(self, X: ArrayLike) -> IntArray:
        """Return the component of largest responsibility, -1 for noise, shape (N,)."""
        chosen = self.log_joint(X).argmax(axis=1)
        return np.where(chosen == self.mixture.n_components, -1, chosen)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, IntArray]:
        """Draw rows and their components; noise is -1."""
        rows, labels = self.mixture.sample(n, rng)
        lost = rng.random(n) < self.noise.weight
        low, high = self.noise.low, self.noise.high
        rows[lost] = rng.uniform(low, high, size=(int(lost.sum()), len(low)))
        return rows, np.where(lost, -1, labels)
