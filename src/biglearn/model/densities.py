"""Component densities over a block of rows, and the sums of its moments.

Rows come as a block of shape (d, b), features first, so that every operation
runs along contiguous memory.  Two forms give the same numbers:

* quadratic: log π_k N(y; μ_k, Σ_k) is linear in φ(y) = (pairs y_i y_j, y, 1), so
  the E-step is one matrix product Θ Φ and the M-step another, R Φᵀ;
* whitened: ½‖W_k (y - μ_k)‖², which costs twice the arithmetic but neither
  builds Φ nor cancels where a covariance is nearly singular.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, FloatArray
from biglearn.model.blocks import entries, gram, shape_of, side_by_side, split, sums_of, times
from biglearn.model.components import Components
from biglearn.model.families import Family

_LOG_2PI = float(np.log(2.0 * np.pi))

#: Largest rounding error in a log-density that the quadratic form may cause.
_QUADRATIC_NOISE = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-3}

#: Responsibilities below its exponential are raised to it, which changes no sum:
#: an exponential that underflows costs several times one that does not.
LEAST_EXPONENT = {np.dtype(np.float64): -300.0, np.dtype(np.float32): -60.0}

#: Stands for -inf where that must be finite.
LOWEST = {np.dtype(t): 0.5 * float(np.finfo(t).min) for t in (np.float64, np.float32)}


class FromLogJoint:
    """Densities and responsibilities of whatever knows its log-joint."""

    def log_joint(self, X: ArrayLike) -> Array:
        """Return the log of weight times density of every component, shape (N, K)."""
        raise NotImplementedError

    def log_density(self, X: ArrayLike) -> Array:
        """Return log p(x_n), shape (N,)."""
        return np.asarray(normalise(self.log_joint(X).T))

    def responsibilities(self, X: ArrayLike) -> Array:
        """Return p(k | x_n), shape (N, K); rows sum to one."""
        log_joint = self.log_joint(X)
        normalise(log_joint.T)
        return log_joint


def log_normaliser(components: Components) -> Array:
    """Return log π_k + ½ log|Σ_k⁻¹| - d/2 log 2π, shape (K,)."""
    with np.errstate(divide="ignore"):  # an empty component has log-weight -inf
        log_weights = np.log(components.weights)
    size = components.means.shape[1]
    return np.asarray(log_weights + components.half_log_det - 0.5 * size * _LOG_2PI)


class WhitenedDensity:
    """log π_k N(y) through whitened differences: accurate for every covariance."""

    def __init__(self, components: Components, dtype: np.dtype[np.floating]) -> None:
        self._whitening = side_by_side(components.whitening_blocks).astype(dtype)
        centre = split(
            times(components.whitening_blocks, components.means), components.whitening_blocks
        )
        self._centre = side_by_side(centre[..., None]).astype(dtype)
        self._n_components = components.n_components
        self._constant = log_normaliser(components)[:, None].astype(dtype)

    def log_joint(self, rows: FloatArray) -> FloatArray:
        """Return log π_k N(y_n) of a block (d, b), shape (K, b)."""
        n_blocks, _, size = self._whitening.shape
        whitened = self._whitening @ rows.reshape(n_blocks, size, -1)
        whitened -= self._centre
        np.multiply(whitened, whitened, out=whitened)
        distances = whitened.reshape(n_blocks, self._n_components, size, -1).sum(axis=(0, 2))
        distances *= -0.5
        distances += self._constant
        return np.asarray(distances)


class QuadraticDensity:
    """log π_k N(y) as one product with the quadratic features."""

    def __init__(self, components: Components, pairs: Pairs, dtype: np.dtype[np.floating]) -> None:
        means, precisions = components.means, gram(components.whitening_blocks)
        linear = times(precisions, means)
        constant = log_normaliser(components) - 0.5 * np.einsum("ki,ki->k", linear, means)
        constant = np.maximum(constant, LOWEST[dtype])  # -inf times 0 is NaN within BLAS
        quadratic = -entries(precisions, pairs.left, pairs.right)
        quadratic[:, pairs.left == pairs.right] *= 0.5
        self.theta = np.concatenate([quadratic, linear, constant[:, None]], axis=1).astype(dtype)

    def log_joint(self, features: FloatArray) -> FloatArray:
        """Return log π_k N(y_n) of the features of a block (P, b), shape (K, b)."""
        return np.asarray(self.theta @ features)


def density_of(components: Components) -> Callable[[Array], FloatArray]:
    """Return a function from rows (n, d) to log π_k N(y_n), shape (K, n).

    Through the squares of rows where covariances are diagonal and that is accurate, since
    they are less than differences from all components.
    """
    double, size = np.dtype(np.float64), components.n_features
    is_diagonal = components.block_size == 1 < size
    if not is_diagonal or not quadratic_is_accurate(components, double):
        whitened = WhitenedDensity(components, double)
        return lambda rows: whitened.log_joint(np.ascontiguousarray(rows.T))
    theta = QuadraticDensity(components, Pairs.of(size, diagonal=True), double).theta
    squares, linear, constant = np.split(theta, [size, 2 * size], axis=1)
    return lambda rows: squares @ (rows * rows).T + linear @ rows.T + constant


def quadratic_is_accurate(components: Components, dtype: np.dtype[np.floating]) -> bool:
    """Whether the quadratic form's cancellation stays harmless.

    Near component k its terms are of size λ_max(Σ_k⁻¹)(‖μ_k‖² + d), of which
    the rounding unit is lost.
    """
    means = components.means
    with np.errstate(over="ignore"):  # what overflows is not accurate
        sharpness = sums_of(components.whitening_blocks**2)
        size = sharpness * ((means**2).sum(axis=1) + means.shape[1])
    return bool(np.finfo(dtype).eps * size.max() < _QUADRATIC_NOISE[np.dtype(dtype)])


class Pairs:
    """The products y_i y_j that a covariance structure needs.

    All pairs i <= j, or the squares alone where covariances are diagonal.
    """

    def __init__(self, size: int, *, diagonal: bool = False) -> None:
        self.size = size
        self.diagonal = diagonal
        if diagonal:
            self.left = self.right = np.arange(size)
        else:
            self.left, self.right = np.triu_indices(size)

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, size: int, *, diagonal: bool = False) -> Pairs:
        """Return the pairs of a size, made once."""
        return cls(size, diagonal=diagonal)

    @property
    def n_features(self) -> int:
        """Number P of features: the pairs, the rows themselves, and 1."""
        return len(self.left) + self.size + 1

    def fill(self, rows: FloatArray, out: FloatArray) -> FloatArray:
        """Write the features of a block (d, b) into `out`, shape (P, b)."""
        if self.diagonal:
            np.multiply(rows, rows, out=out[: self.size])
        else:
            start = 0
            for i in range(self.size):
                stop = start + self.size - i
                np.multiply(rows[i], rows[i:], out=out[start:stop])
                start = stop
        out[-self.size - 1 : -1] = rows
        out[-1] = 1.0
        return out

    def unpack(self, sums: Array) -> tuple[Array, Array, Array]:
        """Split sums over the features, (K, P), into counts, first and second moments.

        The second moments are in blocks of 1 x 1 where the squares are all there is.
        """
        n_pairs = len(self.left)
        products = sums[:, :n_pairs]
        if self.diagonal:
            second = products.reshape(len(sums), *shape_of(self.size, 1)).copy()
        else:
            second = np.zeros((len(sums), self.size, self.size))
            second[:, self.left, self.right] = products
            second[:, self.right, self.left] = products
        return sums[:, -1].copy(), sums[:, n_pairs:-1].copy(), second


def outer_sums(responsibilities: FloatArray, rows: FloatArray) -> Array:
    """Sum over a block in the order of the features, without building them, (K, P)."""
    size = len(rows)
    left, right = np.triu_indices(size)
    sums = np.empty((len(responsibilities), len(left) + size + 1))
    for k, weight in enumerate(responsibilities):
        sums[k, : len(left)] = ((rows * weight) @ rows.T)[left, right]
    sums[:, len(left) : -1] = responsibilities @ rows.T
    sums[:, -1] = responsibilities.sum(axis=1, dtype=np.float64)
    return sums


def normalise(log_joint: FloatArray, background: FloatArray | None = None) -> FloatArray:
    """Turn log π_k N(y_n), shape (K, b), into responsibilities in place.

    Returns log p(y_n), shape (b,).  A row that no component reaches
    (all -inf) keeps log-density -inf and equal responsibilities.  With a
    background, shape (b,), that log-density is part of p(y_n) and takes its
    share of every row.
    """
    highest = log_joint.max(axis=0)
    if background is not None:
        highest = np.maximum(highest, background)
    lost = np.isneginf(highest)
    if lost.any():
        log_joint[:, lost] = 0.0
        highest[lost] = 0.0
    log_joint -= highest
    np.maximum(log_joint, LEAST_EXPONENT[log_joint.dtype], out=log_joint)
    np.exp(log_joint, out=log_joint)
    total = log_joint.sum(axis=0)
    if background is not None:
        total += np.exp(np.maximum(background - highest, LEAST_EXPONENT[log_joint.dtype]))
    log_joint /= total
    log_density = highest + np.log(total)
    log_density[lost] = -np.inf
    return np.asarray(log_density)


class Tails:
    """Log-densities of Gaussians turned into those of the components' family.

    Parameters
    ----------
    family : Family
    shapes : array of shape (K, S)
    size : int
        d, the dimensions that are seen.
    constant : array of shape (K, n) or (K, 1)
        log π_k N of a row at distance 0.
    dtype : dtype
    """

    def __init__(
        self,
        family: Family,
        shapes: Array,
        size: int,
        constant: Array,
        dtype: np.dtype[Any] | type = np.float64,
    ) -> None:
        self._family, self._constant = family, constant
        numbers = family.numbers(shapes, size).astype(dtype)
        self._numbers = [column[:, None] for column in numbers.T]

    @classmethod
    def of(cls, components: Components, dtype: np.dtype[Any] | type = np.float64) -> Tails | None:
        """Return the tails of components, or None where these are Gaussian."""
        if not components.family.has_tails:
            return None
        constant, size = log_normaliser(components)[:, None], components.n_features
        return cls(components.family, components.shapes, size, constant, dtype)

    def apply(self, log_joint: FloatArray) -> FloatArray:
        """Turn log π_k N(y), shape (K, n), into the family's in place; return E(u), (K, n)."""
        constant, dtype = self._constant, log_joint.dtype
        with np.errstate(invalid="ignore"):
            distances = 2 * (constant.astype(dtype) - log_joint)
        # an empty component has log-weight -inf, and so no distance
        distances = np.maximum(np.nan_to_num(distances, nan=0.0, posinf=np.inf), 0)
        log_density, scales = self._family.weigh(distances, self._numbers, np)
        log_joint[:] = constant + log_density
        return np.asarray(scales, dtype=dtype)


def scale_sums(family: Family, shares: FloatArray, scales: FloatArray) -> Array:
    """Return Σ r and the family's sums over a block, shape (K, 1 + M)."""
    terms = [shares, *(shares * term for term in family.statistics(scales, np))]
    return np.column_stack([term.sum(axis=1, dtype=np.float64) for term in terms])
