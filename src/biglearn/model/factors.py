"""Factor analysis: the likeliest ΛΛᵀ + Ψ of sample covariances S.

Given Ψ the likeliest Λ is in closed form: with the q largest eigenvalues θ and their
vectors U of Ψ^-½ S Ψ^-½ it is Λ = Ψ^½ U (θ - 1)₊^½.  The rest is a smooth function
of the D noise variances, with the gradient 1 - diag(S - ΛΛᵀ) / Ψ in their logarithms, and
about the second derivatives (I - UUᵀ)², element by element: Newton's steps with these take a
few eigendecompositions, for all components at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from biglearn._types import Array, BoolArray, IntArray

#: Ridge for the first guess at the noise, in units of the variances.
_RIDGE = 1e-2

#: Another guess: half of every variance is noise.
_HALF = 0.5

#: From this size on the leading eigenvectors alone are cheaper than all.
_LARGE = 200

#: The floor is at least this share of a variance, which rounding still resolves.
_RESOLUTION = 1e-12

#: Newton's steps, at most, and those from noise that is known from a fit before.
_STEPS, _FEW_STEPS = 200, 2

#: Steps end where the gradient, or the gain that it promises, is below these.
_FLAT, _NO_GAIN = 1e-10, 1e-17

#: Losses that differ by less are the same but for rounding.
EQUAL = 1e-10

#: A step is at most this long in a log-variance, and is shortened at most so many times.
_LONGEST, _SHORTENED = 2.0, 12

#: Added to second derivatives, which are singular where there are many factors.
_DAMPING = 1e-9


class Factors(NamedTuple):
    """Loadings and noise variances of covariances Σ = ΛΛᵀ + Ψ.

    Attributes
    ----------
    loadings : array of shape (K, D, q)
        Λ; determined up to a rotation, which is chosen here so that the first
        column explains most.
    noise : array of shape (K, D)
        The diagonal of Ψ.
    """

    loadings: Array
    noise: Array


def fit_factors(
    samples: Array, n_factors: int, floor: float | Array, known: Array | None = None
) -> tuple[Array, Array, int]:
    """Return loadings, noise variances, and how many of these the floor raised.

    Parameters
    ----------
    samples : array of shape (K, D, D)
        Sample covariances S.
    n_factors : int
        q; more than D count as D.
    floor : float or array of shape (D,)
        Smallest noise variance.
    known : array of shape (K, D), optional
        Noise variances of an earlier fit of about the same samples, from which a few steps
        begin: none of them loses likelihood.  NaN stands for a component without one.

    Returns
    -------
    loadings : array of shape (K, D, q)
        Λ; the factor that explains most first, each column with a positive sum in units of
        the features' deviations.
    noise : array of shape (K, D)
        The diagonal of Ψ.
    n_raised : int

    References
    ----------
    K. G. Jöreskog, "Some contributions to maximum likelihood factor analysis",
    Psychometrika 32, 1967.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.factors import fit_factors
    >>> loadings = np.array([[1.0], [2.0], [0.5], [1.0]])
    >>> S = loadings @ loadings.T + np.diag([0.5, 1.0, 0.2, 2.0])
    >>> found, noise, _ = fit_factors(S[None], 1, floor=1e-6)
    >>> found[0].T.round(3), noise[0].round(3)
    (array([[1. , 2. , 0.5, 1. ]]), array([0.5, 1. , 0.2, 2. ]))
    """
    q, index = min(n_factors, samples.shape[-1]), np.arange(samples.shape[-1])
    least = np.maximum(floor, np.finfo(float).tiny)
    variances = np.maximum(samples[:, index, index], least)
    deviations = np.sqrt(variances)
    correlations = samples / deviations[:, :, None] / deviations[:, None, :]
    lowest = np.maximum(least / variances, _RESOLUTION)
    if known is None:
        known = np.full_like(variances, np.nan)
    new = np.isnan(known[:, 0])
    start = np.clip(np.where(new[:, None], 1.0, known / variances), lowest, 1.0)
    point = _Point.empty(len(start), start.shape[1], q)
    for chosen, descend in ((new, _best_of_two), (~new, _a_few_steps)):
        if chosen.any():
            some = correlations[chosen], lowest[chosen], start[chosen]
            point.put(chosen, descend(*some, q))
    noise = np.exp(point.log_noise)
    loadings = np.sqrt(noise)[:, :, None] * point.vectors * np.sqrt(point.excess)[:, None, :]
    loadings *= np.where(loadings.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    wanted = correlations[:, index, index] - (loadings**2).sum(axis=2)
    n_raised = int((wanted < lowest * (1 - 1e-6)).sum())
    return deviations[:, :, None] * loadings, noise * variances, n_raised


class _Point(NamedTuple):
    """Noise of P problems, and what follows from it.

    Attributes
    ----------
    log_noise : array of shape (P, D)
    value : array of shape (P,)
        Minus twice the log-likelihood per row, less a constant.
    gradient : array of shape (P, D)
    excess : array of shape (P, q)
        (θ - 1)₊ of the q largest eigenvalues.
    vectors : array of shape (P, D, q)
    """

    log_noise: Array
    value: Array
    gradient: Array
    excess: Array
    vectors: Array

    @classmethod
    def empty(cls, n_problems: int, size: int, q: int) -> _Point:
        shapes = (size,), (), (size,), (q,), (size, q)
        return cls(*(np.empty((n_problems, *shape)) for shape in shapes))

    def part(self, chosen: BoolArray | slice) -> _Point:
        return _Point(*(array[chosen] for array in self))

    def put(self, places: BoolArray | IntArray, other: _Point) -> None:
        for array, theirs in zip(self, other, strict=True):
            array[places] = theirs


def _a_few_steps(correlations: Array, lowest: Array, start: Array, q: int) -> _Point:
    """Return where a few steps lead."""
    return _descend(correlations, np.log(lowest), np.log(start), q, _FEW_STEPS)


def _best_of_two(correlations: Array, lowest: Array, start: Array, q: int) -> _Point:
    """Return the better end of two starts of its own: singular samples have several optima."""
    size = correlations.shape[-1]
    inverse = np.linalg.inv(correlations + _RIDGE * np.eye(size))
    guess = (1.0 - 0.5 * q / size) / np.diagonal(inverse, axis1=1, axis2=2)
    starts = np.concatenate([np.clip(guess, lowest, 1.0), np.clip(_HALF, lowest, 1.0)])
    twice = np.concatenate([lowest, lowest])
    both = _descend(np.concatenate([correlations] * 2), np.log(twice), np.log(starts), q, _STEPS)
    one, other = both.part(slice(len(lowest))), both.part(slice(len(lowest), None))
    better = other.value < one.value - EQUAL
    one.put(better, other.part(better))
    return one


def _descend(correlations: Array, low: Array, log_noise: Array, q: int, steps: int) -> _Point:
    """Make Newton's steps within bounds (P, D), each of which loses no likelihood."""
    point, going = _look(correlations, log_noise, q), np.ones(len(low), dtype=bool)
    for _ in range(steps):
        now = point.part(going)
        at_bound = (now.log_noise <= low[going]) & (now.gradient > 0)
        at_bound |= (now.log_noise >= 0.0) & (now.gradient < 0)
        gradient = np.where(at_bound, 0.0, now.gradient)
        step = _newton(now, gradient, at_bound)
        promise = -(gradient * step).sum(axis=1)
        worth = (np.abs(gradient).max(axis=1) > _FLAT) & (promise > _NO_GAIN)
        going[going] = worth
        if not going.any():
            break
        moved = _search(correlations[going], low[going], now.part(worth), step[worth], q)
        better = moved.value < point.value[going]
        going[going] = better
        point.put(going, moved.part(better))
    return point


def _newton(point: _Point, gradient: Array, held: BoolArray) -> Array:
    """Return Newton's step of the features that are not held at a bound, (P, D)."""
    vectors = point.vectors * (point.excess > 0)[:, None, :]
    size = gradient.shape[1]
    rest = np.eye(size) - vectors @ np.swapaxes(vectors, 1, 2)
    second = rest**2
    second[held] = 0.0
    np.swapaxes(second, 1, 2)[held] = 0.0
    index = np.arange(size)
    second[:, index, index] += np.where(held, 1.0, _DAMPING)
    step = -np.linalg.solve(second, gradient[:, :, None])[:, :, 0]
    longest = np.abs(step).max(axis=1, keepdims=True)
    return np.asarray(step * np.minimum(1.0, _LONGEST / np.maximum(longest, _LONGEST)))


def _search(correlations: Array, low: Array, start: _Point, step: Array, q: int) -> _Point:
    """Return the first point along each step, or a shorter one, that gains enough."""
    found = _Point(*(array.copy() for array in start))
    left, length = np.ones(len(low), dtype=bool), 1.0
    for _ in range(_SHORTENED):
        tried = np.clip(start.log_noise[left] + length * step[left], low[left], 0.0)
        point = _look(correlations[left], tried, q)
        change = ((tried - start.log_noise[left]) * start.gradient[left]).sum(axis=1)
        good = point.value <= start.value[left] + 1e-4 * np.minimum(change, 0.0)
        places = np.flatnonzero(left)[good]
        found.put(places, point.part(good))
        left[places] = False
        if not left.any():
            break
        length /= 3.0
    return found


def _look(correlations: Array, log_noise: Array, q: int) -> _Point:
    """Evaluate noise of P problems."""
    noise, roots = np.exp(log_noise), np.exp(0.5 * log_noise)
    excess, vectors = _leading(correlations / roots[:, :, None] / roots[:, None, :], q)
    own = np.diagonal(correlations, axis1=1, axis2=2)
    value = log_noise.sum(axis=1) + (own / noise).sum(axis=1)
    value += (np.log1p(excess) - excess).sum(axis=1)
    left = own - noise * (vectors**2 @ excess[:, :, None])[:, :, 0]
    return _Point(log_noise.copy(), value, 1.0 - left / noise, excess, vectors)


def _leading(matrices: Array, q: int) -> tuple[Array, Array]:
    """Return (θ - 1)₊ of the q largest eigenvalues, (P, q), and vectors, (P, D, q)."""
    size = matrices.shape[-1]
    if size >= _LARGE and q < size // 10:
        from scipy.sparse.linalg import eigsh  # loading scipy takes long

        pairs = [eigsh(matrix, q, v0=np.ones(size)) for matrix in matrices]
        values, vectors = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
    else:
        values, vectors = np.linalg.eigh(matrices)
    order = np.argsort(-values, axis=1)[:, :q]
    largest = np.take_along_axis(values, order, axis=1)
    chosen = np.take_along_axis(vectors, order[:, None, :], axis=2)
    return np.maximum(largest - 1.0, 0.0), chosen


def deviance(covariances: Array, samples: Array) -> Array:
    """Return minus twice the expected log-likelihood per row, less a constant, shape (K,)."""
    ratios = np.linalg.solve(covariances, samples)
    return np.asarray(np.linalg.slogdet(covariances)[1] + np.trace(ratios, axis1=1, axis2=2))
