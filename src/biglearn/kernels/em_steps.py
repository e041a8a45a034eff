"""EM steps on a few rows, to be compiled into the loops of `climb_loops`.

Rows come as a block (d + 1, n), features first, the last row ones.  Sets of components are
arrays (a,), (a, d), (a, d, d) of weights, means and covariances.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from biglearn.kernels import PRODUCTS
from biglearn.kernels.layouts import (
    DEAD,
    FORM,
    FULL,
    PSEUDO_ROWS,
    SPHERICAL,
)
from biglearn.kernels.row_loops import PAIR, STRIP, passes
from biglearn.kernels.triangle_loops import triangles
from biglearn.kernels.vectors import lanes

_loops = passes(np.dtype(np.float64))
_log_joint, _normalise, add_sums = _loops.log_joint, _loops.normalise, _loops.add_sums
factorise, _invert = triangles()
LANES = lanes(np.dtype(np.float64))
CHUNK = 65 * LANES

#: Relative size below which an eigenvalue is rounding noise; see `biglearn.model.linalg`.
_NOISE = 1e-13
#: See `biglearn.model.moments`.
_LOST = 1e-14
_LOG_2PI = float(np.log(2 * np.pi))
_LEAST_EXPONENT, _LOWEST = -708.0, -1e308
#: Bytes of a block of rows and their responsibilities.
_BLOCK_BYTES = 1 << 18
#: Numbers of which one logarithm is taken; each is at most K + 1, or what a background adds.
_AT_ONCE = 32
_TINY = 1e-300


@njit
def whitening_of(covariances, whitening, half_log_det):
    """Write W_k and ½ log|Σ_k⁻¹|; return whether all covariances are positive definite."""
    size = covariances.shape[1]
    upper = np.empty(covariances.shape)
    sound = np.empty(len(covariances), dtype=np.bool_)
    factorise(covariances, upper, sound)
    for k in range(len(covariances)):
        if not sound[k]:
            return False
        total = 0.0
        for i in range(size):
            total -= np.log(upper[k, i, i])
        half_log_det[k] = total
    _invert(upper, np.empty((size, size)), whitening)
    return True


@njit
def numbers_of(weights, means, whitening, half_log_det, order):
    """Return the numbers of each component that `row_loops.log_joint` reads, (K, P)."""
    n_components, size = means.shape
    odd = size % 2
    numbers = np.empty((n_components, size + odd + 2 + order.shape[1]))
    for k in range(n_components):
        for i in range(size):
            total = 0.0
            for j in range(i + 1):
                total += whitening[k, i, j] * means[k, j]
            numbers[k, i] = -total
        if odd:
            numbers[k, size] = 0.0
        numbers[k, size + odd] = -0.5
        top = np.log(weights[k]) if weights[k] > 0 else -np.inf
        numbers[k, size + odd + 1] = top + half_log_det[k] - 0.5 * size * _LOG_2PI
        for c in range(order.shape[1]):
            i, j = order[0, c], order[1, c]
            numbers[k, size + odd + 2 + c] = whitening[k, i, j] if i < size else 0.0
    return numbers


@njit
def lay_out(numbers, near, n_near, out):
    """Write the numbers of some components as `row_loops.log_joint` reads them."""
    each, at = numbers.shape[1], 0
    for first in range(0, n_near - n_near % PAIR, PAIR):
        for c in range(each):
            for a in range(first, first + PAIR):
                out[at] = numbers[near[a], c]
                at += 1
    if n_near % PAIR:
        for c in range(each):
            out[at + c] = numbers[near[n_near - 1], c]


@njit
def _expect(data, point, shapes, sums):
    """Make an E-step: write the sums, return Σ w log p, or NaN where a covariance is unsound.

    `shapes` gets W_k and ½ log|Σ_k⁻¹|.
    """
    block, row_weights, background, layout, tiles = data
    order, pairs, _ = layout
    starts, firsts, near = tiles
    weights, means, covariances = point
    whitening, half_log_det = shapes
    n_components, size = means.shape
    n_rows = block.shape[1]
    if not whitening_of(covariances, whitening, half_log_det):
        return np.nan
    numbers = numbers_of(weights, means, whitening, half_log_det, order)
    tiled = len(near) > 0
    some = rows_at_once(n_components, size)
    n_tiles, most = -(-n_rows // some), n_components
    if tiled:
        n_tiles, some, most = len(starts) - 1, 0, 0
        for t in range(n_tiles):
            some = max(some, starts[t + 1] - starts[t])
            most = max(most, firsts[t + 1] - firsts[t])
    parameters, work, total = np.empty(most * numbers.shape[1]), rooms(most, size, some), 0.0
    found = work[2]
    products, room = np.empty((PRODUCTS, CHUNK)), np.empty((most + size + 1, LANES))
    all_shares, parts = np.empty((most, some + 8)), np.empty((most, sums.shape[1]))
    everyone = np.arange(n_components)
    for k in range(n_components):
        for p in range(sums.shape[1]):
            sums[k, p] = 0.0
    for t in range(n_tiles):
        here, n_near = everyone, n_components
        start, stop = t * some, min((t + 1) * some, n_rows)
        if tiled:
            start, stop = starts[t], starts[t + 1]
            here, n_near = near[firsts[t] : firsts[t + 1]], firsts[t + 1] - firsts[t]
        if tiled or t == 0:
            lay_out(numbers, here, n_near, parameters)
        rows, shares = block[:, start:stop], all_shares[:n_near, : stop - start]
        read = parameters[: n_near * numbers.shape[1]]
        behind = background[start:stop] if len(background) else background
        respond(rows, behind, read, shares, work)
        if len(row_weights):
            for n in range(stop - start):
                total += row_weights[start + n] * (found[0, n] + np.log(found[1, n]))
            for a in range(n_near):
                for n in range(stop - start):
                    shares[a, n] *= row_weights[start + n]
        else:
            total += _sum_of_logs(found, stop - start)
        if not tiled:
            add_sums(shares, rows, pairs[0], pairs[1], sums, products, room)
            continue
        for a in range(n_near):
            for p in range(sums.shape[1]):
                parts[a, p] = 0.0
        add_sums(shares, rows, pairs[0], pairs[1], parts[:n_near], products, room)
        for a in range(n_near):
            for p in range(sums.shape[1]):
                sums[here[a], p] += parts[a, p]
    return total


@njit
def rooms(n_components, size, n_rows):
    """Return work space for `respond`."""
    width = STRIP * LANES
    return (
        np.empty((size, width)),
        np.empty((n_components, width)),
        np.empty((2, n_rows)),
        np.empty((n_components + 3, LANES)),
    )


@njit
def respond(rows, background, parameters, shares, work):
    """Write responsibilities of a block of rows; `work[2]` gets what log p is made of."""
    _log_joint(rows[: rows.shape[0] - 1], parameters, 0, shares, work[0], work[1])
    _normalise(shares, background, _LEAST_EXPONENT, _LOWEST, work[2], work[3])


@njit
def rows_at_once(n_components, size):
    """Return how many rows a block has that stays in the second-level cache."""
    return _BLOCK_BYTES // (8 * (n_components + size + 3)) // 32 * 32 + 32


@njit
def _sum_of_logs(found, n_rows):
    """Return the sum of tops and of logarithms, of which one is taken for several rows."""
    total, most = 0.0, 1e200
    for first in range(0, n_rows, _AT_ONCE):
        product = 1.0
        for n in range(first, min(first + _AT_ONCE, n_rows)):
            if product > most:
                total += np.log(product)
                product = 1.0
            product *= found[1, n]
            total += found[0, n]
        total += np.log(product)
    return total


@njit
def raise_to(covariance, roots):
    """Raise a covariance to the floor in place, see `linalg.floor_covariances`; count."""
    size = len(roots)
    scaled, upper = np.empty((1, size, size)), np.empty((1, size, size))
    sound = np.empty(1, dtype=np.bool_)
    for i in range(size):
        for j in range(size):
            scaled[0, i, j] = covariance[i, j] / (roots[i] * roots[j])
        scaled[0, i, i] -= 1.0
    factorise(scaled, upper, sound)
    if sound[0]:
        return 0
    for i in range(size):
        scaled[0, i, i] += 1.0
    values, vectors = np.linalg.eigh(scaled[0])
    lowest = max(1.0, _NOISE * values[-1])
    raised = 0
    for i in range(size):
        raised += values[i] < lowest * (1 - 1e-9)
        values[i] = max(values[i], lowest)
    for i in range(size):
        for j in range(i + 1):
            total = 0.0
            for c in range(size):
                total += vectors[i, c] * values[c] * vectors[j, c]
            covariance[i, j] = covariance[j, i] = total * roots[i] * roots[j]
    return raised


@njit
def impose(covariance, form, roots):
    """Bring a covariance to its form and the floor in place; count the eigenvalues raised."""
    size = len(roots)
    if form != FULL:
        mean_variance = 0.0
        for i in range(size):
            mean_variance += covariance[i, i] / size
            for j in range(i):
                covariance[i, j] = covariance[j, i] = 0.0
        if form == SPHERICAL:
            for i in range(size):
                covariance[i, i] = mean_variance
    return raise_to(covariance, roots)


@njit
def maximise(sums, places, old, new, roots, target, settings):
    """Make an M-step from sums; return how many eigenvalues the floor raised.

    The sums of products, of rows and of ones are at `places`.
    """
    pseudo_rows, dead, form = settings[PSEUDO_ROWS], settings[DEAD], settings[FORM]
    n_components, size = old[1].shape
    weights, means, covariances = new
    n_pairs = size * (size + 1) // 2
    total, raised = 0.0, 0
    for k in range(n_components):
        total += max(sums[k, places[n_pairs + size]], 0.0)
    for k in range(n_components):
        count = sums[k, places[n_pairs + size]]
        weights[k] = max(count, 0.0) / total
        mean, covariance = means[k], covariances[k]
        if count > dead:
            for i in range(size):
                mean[i] = sums[k, places[n_pairs + i]] / count
            place = 0
            for i in range(size):
                for j in range(i, size):
                    value = sums[k, places[place]] / count - mean[i] * mean[j]
                    covariance[i, j] = covariance[j, i] = value
                    place += 1
            for i in range(size):
                if covariance[i, i] <= _LOST * mean[i] ** 2:
                    for j in range(size):
                        covariance[i, j] = covariance[j, i] = 0.0
        else:
            for i in range(size):
                mean[i] = old[1][k, i]
                for j in range(size):
                    covariance[i, j] = old[2][k, i, j]
        if pseudo_rows > 0:
            share = count / (count + pseudo_rows)
            for i in range(size):
                for j in range(size):
                    covariance[i, j] = share * covariance[i, j] + (1 - share) * target[i, j]
        raised += impose(covariance, form, roots)
    return raised


@njit
def log_prior(whitening, half_log_det, factor):
    """Return the sum over components of -½ (tr Σ⁻¹T - log|Σ⁻¹T| - d), less ½ log|T|."""
    n_components, size = half_log_det.shape[0], factor.shape[0]
    total = 0.0
    for k in range(n_components):
        trace = 0.0
        for i in range(size):
            for j in range(i + 1):
                value = 0.0
                for c in range(j, i + 1):
                    value += whitening[k, i, c] * factor[c, j]
                trace += value * value
        log_det = 2 * half_log_det[k]
        for i in range(size):
            log_det += 2 * np.log(factor[i, i])
        total -= 0.5 * (trace - log_det - size)
    return total


@njit
def values_of(data, prior, point, room, sums):
    """Return log-likelihood and objective per row; -inf where a covariance is unsound."""
    block, row_weights = data[0], data[1]
    factor, scale = prior
    found = _expect(data, point, room, sums)
    if np.isnan(found):
        return -np.inf, -np.inf
    found /= row_weights.sum() if len(row_weights) else float(block.shape[1])
    if scale > 0:
        return found, found + scale * log_prior(room[0], room[1], factor)
    return found, found


@njit
def copy_of(source, goal):
    """Copy weights, means and covariances."""
    for k in range(len(source[0])):
        goal[0][k] = source[0][k]
        for i in range(source[1].shape[1]):
            goal[1][k, i] = source[1][k, i]
            for j in range(source[1].shape[1]):
                goal[2][k, i, j] = source[2][k, i, j]
