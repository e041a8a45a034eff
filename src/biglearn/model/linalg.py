"""Batched linear algebra on stacks of symmetric matrices."""

from __future__ import annotations

import math

import numpy as np

from biglearn._types import Array, BoolArray
from biglearn.kernels import triangles
from biglearn.model.blocks import sums_of

_TINY = float(np.finfo(np.float64).tiny)

#: Relative size below which an eigenvalue counts as rounding noise.
_NOISE = 1e-13

#: Eigenvalues of correlations further below 0 than this were not made so by rounding.
_BROKEN = 1e-8

#: Up to this size compiled loops are faster than LAPACK.
_SMALL = 96

#: Triangular matrices up to this size are inverted by the general solver.
_SOLVED = 64


def symmetrise(matrices: Array) -> Array:
    """Return the symmetric part of a stack of matrices, shape (..., D, D)."""
    return 0.5 * (matrices + np.swapaxes(matrices, -1, -2))


def floor_covariances(covariances: Array, floor: float | Array) -> tuple[Array, int]:
    """Raise covariances to Σ ⪰ diag(F), where F is `floor` for every feature or one for each.

    With features divided by √F_j the floor is the identity, and eigenvalues below 1 are raised
    to it: the maximiser of the expected log-likelihood among such covariances.

    Returns the covariances, in blocks as they were given (see `blocks`), and how many
    eigenvalues rose.
    """
    if np.ndim(floor) == 0:
        return floor_eigenvalues(covariances, float(floor))
    roots = np.sqrt(np.asarray(floor, dtype=np.float64)).reshape(covariances.shape[1:-1])
    outer = roots[..., :, None] * roots[..., None, :]
    scaled, n_raised = floor_eigenvalues(covariances / outer, 1.0)
    found = scaled * outer if n_raised else covariances
    if covariances.shape[-1] == 1:
        return found, n_raised
    # rounding breaks those alone whose scales differ by too much
    largest = np.diagonal(found, axis1=-2, axis2=-1).max(axis=-1)
    doubtful = np.nonzero(_NOISE * largest >= roots.min(axis=-1) ** 2)
    chosen = _indefinite(found[doubtful]) if len(doubtful[0]) else []
    if not len(chosen):
        return found, n_raised
    sound, broken = found.copy(), tuple(axis[chosen] for axis in doubtful)
    values, vectors = np.linalg.eigh(found[broken])
    raised = np.maximum(values, _NOISE * values[:, -1:])
    sound[broken] = (vectors * raised[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    return symmetrise(sound), n_raised + len(chosen)


def floor_eigenvalues(covariances: Array, floor: float) -> tuple[Array, int]:
    """Raise every eigenvalue below `floor` to it; keep the eigenvectors.

    This is the maximiser of the expected log-likelihood among covariances
    whose eigenvalues are all at least `floor`.  A floor of zero still lifts
    eigenvalues that are lost in rounding, so that a Cholesky factor exists.

    Returns the covariances, in blocks as they were given, and how many eigenvalues rose.
    """
    size = covariances.shape[-1]
    least = max(floor, _TINY)
    if size == 1:
        return np.maximum(covariances, least), int((covariances < least * (1 - 1e-9)).sum())
    shape, covariances = covariances.shape, covariances.reshape(-1, size, size)
    touched = _indefinite(covariances - floor * np.eye(size))
    if not touched:
        return covariances.reshape(shape), 0
    values, vectors = np.linalg.eigh(covariances[touched])
    lowest = np.maximum(least, _NOISE * values[:, -1:])
    raised = np.maximum(values, lowest)
    # An eigenvalue at the floor up to rounding is not a repair.
    n_raised = int((values < lowest * (1 - 1e-9)).sum())
    floored = covariances.copy()  # sound ones stay as they are, whatever the others need
    floored[touched] = symmetrise((vectors * raised[:, None, :]) @ np.swapaxes(vectors, 1, 2))
    return floored.reshape(shape), n_raised


def _indefinite(matrices: Array) -> list[int]:
    """Return which matrices have no Cholesky factor, which is far cheaper than eigenvalues."""
    found = _compiled_factors(matrices)
    return _halved(matrices, 0) if found is None else np.flatnonzero(~found[1]).tolist()


def _halved(matrices: Array, first: int) -> list[int]:
    """Return which matrices have no Cholesky factor, by halving the stack: mostly all have."""
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return [first]
        half = len(matrices) // 2
        return _halved(matrices[:half], first) + _halved(matrices[half:], first + half)
    return []


def inverse_cholesky(covariances: Array) -> tuple[Array, Array]:
    """Return W with W Σ Wᵀ = I (lower triangular) and ½ log|Σ⁻¹|.

    W in blocks as the covariances are (see `blocks`), and shape (K,).  Raises
    `numpy.linalg.LinAlgError` where a covariance is not positive definite.
    """
    shape, size = covariances.shape, covariances.shape[-1]
    covariances = covariances.reshape(math.prod(shape[:-2]), size, size)
    found = _compiled_factors(covariances)
    if found is None:
        factors = np.asarray(np.linalg.cholesky(covariances), dtype=np.float64)
    else:
        factors, sound = found
        if not sound.all():
            raise np.linalg.LinAlgError(f"covariance {sound.argmin()} is not positive definite")
    logs = np.log(np.diagonal(factors, axis1=1, axis2=2)).reshape(shape[:-1])
    inverse = lower_inverse(factors) if found is None else _compiled_inverses(factors)
    return inverse.reshape(shape), -sums_of(logs)


def sound_factors(covariances: Array) -> tuple[Array, Array]:
    """Return what `inverse_cholesky` does, of covariances that rounding may have broken.

    Under a rotation, or in a sum, the digits of a narrow direction are lost beside a wide one.
    There the eigenvalues of the correlations that are no more than rounding errors are lifted
    just above them, a change that the entries of the covariance cannot show.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where more than rounding makes a covariance indefinite, or it is not finite.
    """
    try:
        return inverse_cholesky(covariances)
    except np.linalg.LinAlgError:
        variances = np.diagonal(covariances, axis1=-2, axis2=-1)
        if not np.isfinite(covariances).all() or variances.min() <= 0:
            raise
        roots = np.sqrt(variances)
        correlations = covariances / roots[..., :, None] / roots[..., None, :]
        values, vectors = np.linalg.eigh(correlations)
        if values.min() < -_BROKEN:
            raise
        lifted = np.maximum(values, _NOISE * values[..., -1:])
        sound = symmetrise((vectors * lifted[..., None, :]) @ np.swapaxes(vectors, -1, -2))
        lower, half_log_det = inverse_cholesky(sound)
        return lower / roots[..., None, :], half_log_det - sums_of(np.log(roots))


def _compiled_factors(matrices: Array) -> tuple[Array, BoolArray] | None:
    """Return Cholesky factors Uᵀ U and which of them exist; None where LAPACK is better."""
    loops = triangles() if matrices.shape[-1] <= _SMALL else None
    if loops is None:
        return None
    upper, sound = np.empty(matrices.shape), np.empty(len(matrices), dtype=bool)
    loops.factorise(np.ascontiguousarray(matrices, dtype=np.float64), upper, sound)
    return upper, sound


def _compiled_inverses(upper: Array) -> Array:
    """Return U⁻ᵀ of the factors that `_compiled_factors` found."""
    loops = triangles()
    assert loops is not None
    lower = np.empty_like(upper)
    loops.invert(upper, np.empty(upper.shape[1:]), lower)
    return lower


def lower_inverse(factors: Array) -> Array:
    """Return the inverses of lower triangular matrices, shape (K, d, d).

    Large ones by halves, as [[A, 0], [B, C]]⁻¹ = [[A⁻¹, 0], [-C⁻¹BA⁻¹, C⁻¹]]: products are
    much faster than the general solver, which does not know of the zeros.
    """
    size = factors.shape[-1]
    if size <= _SOLVED:
        identity = np.broadcast_to(np.eye(size), factors.shape)
        return np.tril(np.linalg.solve(factors, identity))
    half = size // 2
    inverse = np.zeros_like(factors)
    inverse[:, :half, :half] = lower_inverse(factors[:, :half, :half])
    inverse[:, half:, half:] = lower_inverse(factors[:, half:, half:])
    across = factors[:, half:, :half] @ inverse[:, :half, :half]
    inverse[:, half:, :half] = -inverse[:, half:, half:] @ across
    return inverse


def log_product(factors: Array) -> Array:
    """Return Σ log f of factors, (..., P), from 1e-9 to 1.

    Up to twenty are multiplied first, which costs less than their logarithms.
    """
    for _ in range(4):
        half = factors.shape[-1] // 2
        odd = factors[..., 2 * half :]
        if not half:
            break
        factors = factors[..., :half] * factors[..., half : 2 * half]
        factors[..., : odd.shape[-1]] *= odd
    return np.asarray(np.log(factors).sum(axis=-1))


def random_rotation(n_features: int, rng: np.random.Generator) -> Array:
    """Draw a Haar-distributed orthogonal matrix, shape (D, D).

    QR of a Gaussian matrix with the signs of R's diagonal moved into Q
    (Mezzadri, Notices of the AMS 54(5), 2007).
    """
    q, r = np.linalg.qr(rng.standard_normal((n_features, n_features)))
    return np.asarray(q * np.sign(np.diagonal(r)))
