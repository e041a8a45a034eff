"""EM of a few components on a few rows, compiled from end to end.

Surgery makes hundreds of these climbs, of one call each: the interpreter between the steps would
cost more than their arithmetic.  `biglearn.search.climbing.ascent` does the same in NumPy, for any
family, structure and engine.

Rows come as a block (d + 1, n), features first, the last row ones.  Sets of components are
arrays (a,), (a, d), (a, d, d) of weights, means and covariances.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import float64, int64, njit, types

from biglearn.kernels import PRODUCTS
from biglearn.kernels.compiling import compiled
from biglearn.kernels.em_steps import (
    CHUNK,
    LANES,
    add_sums,
    copy_of,
    lay_out,
    maximise,
    numbers_of,
    respond,
    rooms,
    rows_at_once,
    values_of,
    whitening_of,
)
from biglearn.kernels.jumps import extrapolate
from biglearn.kernels.layouts import (
    ACCELERATE,
    ALL_LIVE,
    BEST,
    DEAD,
    ENDED,
    GOAL,
    GRACE,
    HOPE,
    LEFT,
    LIFTED,
    LOG_LIKELIHOOD,
    N_SUMS,
    PATIENCE,
    POINTS,
    PRIOR_SCALE,
    RAISED,
    REMAINS,
    SO_FAR,
    STEPS,
    TOL,
    VALUE,
)

_TINY = 1e-300


@njit
def _left(values, n_values):
    """Bound the gain that EM has left, by its last values; see `ascent.climb`."""
    if n_values < 2:
        return np.inf
    last = values[n_values - 1] - values[n_values - 2]
    if last <= 0:
        return 0.0
    if n_values < 3:
        return np.inf
    previous = values[n_values - 2] - values[n_values - 3]
    rate = min(last / previous, 0.9999) if previous > 0 else 0.9999
    return max(last, last * rate / (1.0 - rate))


def climb(
    block, row_weights, background, roots, target, factor, order, pairs, places, starts, firsts,
    near, settings, weights, means, covariances, out, trail, counts, all_weights, all_means,
    all_covariances,
):  # fmt: skip
    """Climb by EM until little is left, the goal is lost, or patience is.

    Parameters
    ----------
    block : array of shape (d + 1, n)
    row_weights : array of shape (n,), or (0,) where all are 1
    background : array of shape (n,), or (0,) for none
    roots : array of shape (d,)
        Roots of the floor.
    target, factor : array of shape (d, d)
        Of the prior, and its lower Cholesky factor.
    order, pairs, places : arrays
        See `layouts.Layout`.
    starts, firsts : arrays of shape (T + 1,), or (0,)
        Where tiles of rows begin, and where the components near to them do.
    near : array, or (0,) where every row meets every component
        The components near to each tile, in order.
    settings : array of shape (N_SETTINGS,)
    weights, means, covariances : arrays of shape (a,), (a, d), (a, d, d)
        Where it begins; get the best components found.
    out : array of shape (N_OUT,)
        Gets the best objective, -inf where rounding broke a covariance; points; E-steps;
        eigenvalues raised; and whether it ended for another reason than patience.
    trail : array of shape (s, N_TRAIL)
        Gets the objective, log-likelihood, what is left, and E-steps and eigenvalues raised so
        far, of the first s points.
    counts, all_weights, all_means, all_covariances : arrays of shape (s, a), ...
        Get Σ r and the components of the first s points.
    """
    n_components, size = means.shape
    data, prior = (
        (block, row_weights, background, (order, pairs, places), (starts, firsts, near)),
        (factor, settings[PRIOR_SCALE]),
    )
    # three points of plain EM, and the jump from them
    slots = (
        np.empty((4, n_components)),
        np.empty((4, n_components, size)),
        np.empty((4, n_components, size, size)),
    )
    best, first = (weights, means, covariances), (slots[0][0], slots[1][0], slots[2][0])
    copy_of(best, first)
    room = (np.empty((n_components, size, size)), np.empty(n_components))
    n_sums, last = int(settings[N_SUMS]), places[len(places) - 1]
    sums, held = np.empty((2, n_components, n_sums)), 0  # those of the point, and others
    values, n_values = np.empty(4), 0  # of plain steps since the last jump
    value, place, at, step, raised = -np.inf, 0, 0, -1, np.zeros(1)
    out[BEST], out[STEPS], out[ENDED] = -np.inf, 0.0, 0.0
    while True:
        point = (slots[0][at], slots[1][at], slots[2][at])
        log_likelihood, found = values_of(data, prior, point, room, sums[1 - held])
        out[STEPS] += 1
        if at < 3 or found > value:
            if at == 3:
                copy_of(point, first)
                n_values = 0
            place, held, value, step = at % 3, 1 - held, found, step + 1
            if n_values == 4:
                values[0], values[1], values[2] = values[1], values[2], values[3]
                n_values = 3
            values[n_values] = value
            n_values += 1
            if not np.isfinite(value):
                out[BEST], out[ENDED] = -np.inf, 1.0
                break
            if value > out[BEST]:
                out[BEST] = value
                copy_of(point, best)
            left, lives = _left(values, n_values), True
            for k in range(n_components):
                lives = lives and sums[held, k, last] > settings[DEAD]
            if step < len(trail):
                trail[step, VALUE], trail[step, LOG_LIKELIHOOD] = value, log_likelihood
                trail[step, LEFT], trail[step, SO_FAR] = left, out[STEPS]
                trail[step, LIFTED] = raised[0]
                copy_of(point, (all_weights[step], all_means[step], all_covariances[step]))
                for k in range(n_components):
                    counts[step, k] = sums[held, k, last]
            lost = step >= settings[GRACE] and value + settings[HOPE] * left < settings[GOAL]
            dead = settings[ALL_LIVE] > 0 and not lives
            out[REMAINS] = left
            out[ENDED] = lost or dead or left <= settings[TOL]
            if out[ENDED] or step >= settings[PATIENCE]:
                break
            points = (slots[0][:3], slots[1][:3], slots[2][:3])
            jump = (slots[0][3], slots[1][3], slots[2][3])
            jumps = place == 2 and settings[ACCELERATE] > 0
            if jumps and extrapolate(points, room[0], jump, roots, raised):
                at = 3
                continue
        old = (slots[0][place], slots[1][place], slots[2][place])
        at = (place + 1) % 3
        new = (slots[0][at], slots[1][at], slots[2][at])
        raised[0] += maximise(sums[held], places, old, new, roots, target, settings)
    out[RAISED], out[POINTS] = raised[0], step + 1


def nearest(
    block, row_weights, background, order, weights, means, covariances, n_shared, least, best,
    shares, counts, found,
):  # fmt: skip
    """Write which components answer for each row most.

    Parameters
    ----------
    block, row_weights, background, order
        As in `climb`.
    weights, means, covariances : arrays of shape (K,), (K, d), (K, d, d)
    n_shared : int
        M.
    least : float
        Responsibilities up to it are left out.
    best : array of shape (N, M)
        Gets the components, most first, and -1 for those that are left out.
    shares : array of shape (N, M)
        Gets their responsibilities.
    counts : array of shape (K,)
        Gets Σ r.
    found : array of shape (1,)
        Gets Σ w log p, or NaN where a covariance is unsound.
    """
    n_components, size = means.shape
    n_rows, some = block.shape[1], rows_at_once(n_components, size)
    whitening, half_log_det = np.empty((n_components, size, size)), np.empty(n_components)
    found[0] = np.nan
    if not whitening_of(covariances, whitening, half_log_det):
        return
    found[0] = 0.0
    numbers = numbers_of(weights, means, whitening, half_log_det, order)
    parameters = np.empty(numbers.size)
    lay_out(numbers, np.arange(n_components), n_components, parameters)
    room = np.empty((n_components, some + 8))
    work = rooms(n_components, size, some)
    for k in range(n_components):
        counts[k] = 0.0
    for start in range(0, n_rows, some):
        stop = min(start + some, n_rows)
        rows, ours = block[:, start:stop], room[:, : stop - start]
        behind = background[start:stop] if len(background) else background
        respond(rows, behind, parameters, ours, work)
        for n in range(stop - start):
            weight = row_weights[start + n] if len(row_weights) else 1.0
            found[0] += weight * (work[2][0, n] + np.log(work[2][1, n]))
            for m in range(n_shared):
                best[start + n, m], shares[start + n, m] = -1, -1.0
        for k in range(n_components):
            for n in range(stop - start):
                share = ours[k, n]
                counts[k] += share * row_weights[start + n] if len(row_weights) else share
                if share > least and share > shares[start + n, n_shared - 1]:
                    m = n_shared - 1
                    while m > 0 and share > shares[start + n, m - 1]:
                        shares[start + n, m] = shares[start + n, m - 1]
                        best[start + n, m] = best[start + n, m - 1]
                        m -= 1
                    shares[start + n, m], best[start + n, m] = share, k


def directions(block, row_weights, middle, whitening, pairs, places, n_sums, out, distance):
    """Write the directions in which rows of one component are least like a Gaussian.

    Parameters
    ----------
    block : array of shape (d + 1, m)
    row_weights : array of shape (m,)
    middle : array of shape (d,)
        Mean of the component.
    whitening : array of shape (d, d)
        W of the component.
    pairs, places, n_sums
        See `layouts.Layout`; for one component.
    out : array of shape (2, d)
        Gets the axis on which the rows weighted by their squared distance are most spread, and
        that principal axis of theirs on which the kurtosis is lowest, in the whitened frame.
    distance : array of shape (1,)
        Gets the mean squared distance of the rows in the whitened frame.
    """
    size, n_rows = block.shape[0] - 1, block.shape[1]
    whitened = np.zeros((size + 1, n_rows))
    shares, along = np.empty((1, n_rows)), np.zeros(n_rows)
    for i in range(size):
        for j in range(i + 1):
            for n in range(n_rows):
                whitened[i, n] += whitening[i, j] * (block[j, n] - middle[j])
        for n in range(n_rows):
            along[n] += whitened[i, n] ** 2
    total = 0.0
    distance[0] = 0.0
    for n in range(n_rows):
        shares[0, n], whitened[size, n] = along[n] * row_weights[n], 1.0
        distance[0] += shares[0, n]
        total += row_weights[n]
    distance[0] /= total
    sums = np.zeros((1, n_sums))
    products, room = np.empty((PRODUCTS, CHUNK)), np.empty((size + 2, LANES))
    add_sums(shares, whitened, pairs[0], pairs[1], sums, products, room)
    scatter = np.empty((size, size))
    place = 0
    for i in range(size):
        for j in range(i, size):
            scatter[i, j] = scatter[j, i] = sums[0, places[place]]
            place += 1
    vectors = np.linalg.eigh(scatter)[1]
    flattest, least = 0, np.inf
    for axis in range(size):
        for n in range(n_rows):
            along[n] = 0.0
        for i in range(size):
            for n in range(n_rows):
                along[n] += vectors[i, axis] * whitened[i, n]
        second, fourth = 0.0, 0.0
        for n in range(n_rows):
            square = along[n] * along[n]
            second += row_weights[n] * square
            fourth += row_weights[n] * square * square
        kurtosis = fourth / max(second * second, _TINY)
        if kurtosis < least:
            flattest, least = axis, kurtosis
    for i in range(size):
        out[0, i], out[1, i] = vectors[i, size - 1], vectors[i, flattest]


class Climbs(NamedTuple):
    """The loops, compiled."""

    climb: Callable[..., None]
    nearest: Callable[..., None]
    directions: Callable[..., None]


@lru_cache(maxsize=1)
def climbs() -> Climbs:
    """Compile the loops, or load them from an earlier process."""
    one, two, three, four = (types.Array(float64, n, "C") for n in (1, 2, 3, 4))
    places, pairs = int64[::1], int64[:, ::1]
    triangle = types.Array(float64, 2, "C", readonly=True)
    rows, bounds = (two, one, one), (one, two, two)
    layout, tiles, trail = (pairs, pairs, places), (places,) * 3, (two, two, two, three, four)
    given = [types.Array(float64, n, "C", readonly=True) for n in (1, 2, 3)]
    return Climbs(
        compiled(climb, *rows, *bounds, *layout, *tiles, one, one, two, three, one, *trail),
        compiled(nearest, *rows, pairs, *given, int64, float64, pairs, two, one, one),
        compiled(directions, two, one, one, triangle, pairs, places, int64, two, one),
    )
