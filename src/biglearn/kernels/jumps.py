"""SQUAREM's jump from three points of EM, to be compiled into the loops of `climb_loops`."""

from __future__ import annotations

import numpy as np
from numba import njit

from biglearn.kernels.em_steps import factorise, raise_to


@njit
def _log_weight(weight):
    return np.log(max(weight, 1e-12))


@njit
def _step_length(points, whitening):
    """Return SQUAREM's step length from three points; see `ascent.extrapolate`."""
    weights, means, covariances = points
    n_components, size = means.shape[1:]
    rr, vv = 0.0, 0.0
    one, two = np.empty((size, size)), np.empty((size, size))
    ahead = np.empty((2, size, size))
    for k in range(n_components):
        heavy = weights[2, k]
        root = np.sqrt(heavy)
        middle = _log_weight(weights[1, k])
        r = root * (middle - _log_weight(weights[0, k]))
        v = root * (_log_weight(weights[2, k]) - middle) - r
        rr, vv = rr + r * r, vv + v * v
        w = whitening[k]
        for i in range(size):
            r, v = 0.0, 0.0
            for j in range(i + 1):
                a = means[1, k, j] - means[0, k, j]
                r += w[i, j] * a
                v += w[i, j] * (means[2, k, j] - means[1, k, j] - a)
            rr, vv = rr + heavy * r * r, vv + heavy * v * v
        for i in range(size):
            for j in range(size):
                one[i, j] = covariances[1, k, i, j] - covariances[0, k, i, j]
                two[i, j] = covariances[2, k, i, j] - covariances[1, k, i, j] - one[i, j]
        for i in range(size):  # W A, of which W A Wᵀ follows
            for j in range(size):
                a, b = 0.0, 0.0
                for c in range(i + 1):
                    a += w[i, c] * one[c, j]
                    b += w[i, c] * two[c, j]
                ahead[0, i, j], ahead[1, i, j] = a, b
        for i in range(size):
            for j in range(size):
                a, b = 0.0, 0.0
                for c in range(j + 1):
                    a += ahead[0, i, c] * w[j, c]
                    b += ahead[1, i, c] * w[j, c]
                rr, vv = rr + heavy * a * a, vv + heavy * b * b
    if not vv > 0:
        return 0.0
    return min(np.sqrt(rr / vv), 64.0)


@njit
def extrapolate(points, whitening, new, roots, raised):
    """Write SQUAREM's jump from three points; return whether there is one."""
    weights, means, covariances = points
    new_weights, new_means, new_covariances = new
    n_components, size = new_means.shape
    length = _step_length(points, whitening)
    upper = np.empty((n_components, size, size))
    sound = np.empty(n_components, dtype=np.bool_)
    while length > 1.0:
        a, b, c = (1 - length) ** 2, 2 * length * (1 - length), length**2
        for k in range(n_components):
            for i in range(size):
                for j in range(size):
                    new_covariances[k, i, j] = (
                        a * covariances[0, k, i, j]
                        + b * covariances[1, k, i, j]
                        + c * covariances[2, k, i, j]
                    )
        factorise(new_covariances, upper, sound)
        if sound.all():
            highest, total = -np.inf, 0.0
            for k in range(n_components):
                for i in range(size):
                    new_means[k, i] = a * means[0, k, i] + b * means[1, k, i] + c * means[2, k, i]
                new_weights[k] = (
                    a * _log_weight(weights[0, k])
                    + b * _log_weight(weights[1, k])
                    + c * _log_weight(weights[2, k])
                )
                highest = max(highest, new_weights[k])
                raised[0] += raise_to(new_covariances[k], roots)
            for k in range(n_components):
                new_weights[k] = np.exp(new_weights[k] - highest)
                total += new_weights[k]
            for k in range(n_components):
                new_weights[k] /= total
            return True
        length = 1.0 + (length - 1.0) / 2 if length > 1.1 else 1.0
    return False
