"""Climbs on parts of judged rows, compiled: cuts of components, and trials of surgery.

A call gathers the rows that take part, makes the climbs, and says what they gain.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import float64, int64, njit, types

from biglearn.kernels.climb_loops import climbs
from biglearn.kernels.compiling import compiled
from biglearn.kernels.em_steps import copy_of, impose, log_prior, whitening_of
from biglearn.kernels.layouts import (
    BEST,
    DEAD,
    FORM,
    GOAL,
    N_OUT,
    N_TRAIL,
    PATIENCE,
    PRIOR_SCALE,
    RAISED,
    STEPS,
    TOL,
)

_climb, _, _directions = climbs()
_LOG_2PI = float(np.log(2 * np.pi))


@njit
def _halve(covariance, whitening, direction, form, roots, new):
    """Write two halves about the mean, apart along a direction of the whitened frame.

    Halves of N(0, 1) have means ± √(2/π) and variance 1 - 2/π.
    """
    size = len(direction)
    aside = np.empty(size)
    raised = 0
    for i in range(size):
        total = direction[i]
        for j in range(i):
            total -= whitening[i, j] * aside[j]
        aside[i] = total / whitening[i, i]
    for i in range(size):
        aside[i] *= np.sqrt(2 / np.pi)
    for half in range(2):
        new[0][half] = 0.5
        for i in range(size):
            new[1][half, i] = aside[i] if half == 0 else -aside[i]
            for j in range(size):
                new[2][half, i, j] = covariance[i, j] - aside[i] * aside[j]
        raised += impose(new[2][half], form, roots)
    return raised


def cuts(
    values, shares, row_weights, weights, means, covariances, parents, roots, target, factor,
    order, pairs, places, alone, alone_places, settings, cutting, all_weights, all_means,
    all_covariances, found,
):  # fmt: skip
    """Cut components in two along the better of two directions, and let EM settle the halves.

    Parameters
    ----------
    values : array of shape (n, d)
    shares : array of shape (K, n)
        Responsibilities.
    row_weights : array of shape (n,)
        Summing to the weight of the sample.
    weights, means, covariances : arrays of shape (K,), (K, d), (K, d, d)
    parents : array of shape (P,)
    roots, target, factor, order, pairs, places, settings
        As in `climb`, for two components.
    alone, alone_places
        Pairs and places for one.
    cutting : array of shape (5,)
        Least responsibility of a row that takes part; the largest number of rows; steps before
        the better direction is chosen; steps in all; and sums for one component.
    all_weights, all_means, all_covariances : arrays of shape (P, 2), ...
        Get the halves, about the mean.
    found : array of shape (P, 4)
        Gets the gain times the weight of the sample, -inf where there are too few rows; the rows
        that took part; E-steps; and eigenvalues raised.
    """
    size, n_rows, sample = values.shape[1], len(row_weights), 0.0
    least, most = cutting[0], int(cutting[1])
    scale, dead = settings[PRIOR_SCALE], settings[DEAD]
    for n in range(n_rows):
        sample += row_weights[n]
    nothing, none, out = np.empty(0), np.empty(0, dtype=np.int64), np.empty(N_OUT)
    trail, counts = np.empty((0, N_TRAIL)), np.empty((0, 2))
    no_means, no_covariances = np.empty((0, 2, size)), np.empty((0, 2, size, size))
    one, half_log_det = np.empty((1, size, size)), np.empty(1)
    directions, distance, origin = np.empty((2, size)), np.empty(1), np.zeros(size)
    now = (np.empty(2), np.empty((2, size)), np.empty((2, size, size)))
    for p in range(len(parents)):
        k, count = parents[p], 0
        for n in range(n_rows):
            count += shares[k, n] > least
        step = max(1, -(-count // most))
        some = -(-count // step)
        found[p, 0], found[p, 1], found[p, 2], found[p, 3] = -np.inf, some, 0.0, 0.0
        if some <= size + 1 or not whitening_of(covariances[k : k + 1], one, half_log_det):
            continue
        block, ours, total, at, seen = np.empty((size + 1, some)), np.empty(some), 0.0, 0, 0
        for n in range(n_rows):
            if shares[k, n] > least:
                if seen % step == 0:
                    for i in range(size):
                        block[i, at] = values[n, i] - means[k, i]
                    block[size, at] = 1.0
                    ours[at] = row_weights[n] * shares[k, n]
                    total += ours[at]
                    at += 1
                seen += 1
        weight = weights[k] * sample  # a component with very many rows is thinned
        for n in range(some):
            ours[n] *= weight / total
        _directions(
            block, ours, origin, one[0], alone, alone_places, int(cutting[4]), directions, distance
        )
        settings[PRIOR_SCALE] = scale / weight
        settings[DEAD] = dead * min(1.0, weight / some)
        before = half_log_det[0] - 0.5 * (distance[0] + size * _LOG_2PI)
        if scale > 0:
            before += settings[PRIOR_SCALE] * log_prior(one, half_log_det, factor)
        best = (all_weights[p], all_means[p], all_covariances[p])
        first = min(cutting[2], cutting[3])
        reached = -np.inf
        for trial in range(3):  # both directions, and then the better one again
            if trial < 2:
                found[p, 3] += _halve(
                    covariances[k], one[0], directions[trial], settings[FORM], roots, now
                )
                settings[PATIENCE] = first
            else:
                if cutting[3] <= first:
                    break
                copy_of(best, now)
                settings[PATIENCE] = cutting[3] - first
            _climb(
                block, ours, nothing, roots, target, factor, order, pairs, places, none, none, none,
                settings, now[0], now[1], now[2], out, trail, counts, counts, no_means,
                no_covariances,
            )  # fmt: skip
            found[p, 2] += out[STEPS]
            found[p, 3] += out[RAISED]
            if out[BEST] > reached:
                reached = out[BEST]
                copy_of(now, best)
        if reached > -np.inf:
            found[p, 0] = (reached - before) * weight


@njit
def _carry_out(
    active, surgery, old_weights, old_means, old_covariances,
    half_weights, half_means, half_covariances, weights, means, covariances,
):  # fmt: skip
    """Write components after surgery, with weights that sum to one; see `attempt`."""
    lost, partner, parent = surgery
    size = means.shape[1]
    for a in range(len(active)):
        k, half = active[a], -1
        if k == parent:
            half = 0
        elif k == lost:
            half = 1
        if half >= 0:
            weights[a] = half_weights[half] * old_weights[parent]
            means[a] = half_means[half] + old_means[parent]
            covariances[a] = half_covariances[half]
        else:
            weights[a], means[a] = old_weights[k], old_means[k]
            covariances[a] = old_covariances[k]
        if k == partner:  # it takes what was lost along, with the moments of both
            total = max(old_weights[lost] + old_weights[k], 1e-300)
            one, other = old_weights[lost] / total, old_weights[k] / total
            weights[a] = total
            for i in range(size):
                means[a, i] = one * old_means[lost, i] + other * old_means[k, i]
                for j in range(size):
                    gaps = old_means[lost, i] - old_means[k, i]
                    gaps *= old_means[lost, j] - old_means[k, j]
                    covariances[a, i, j] = one * old_covariances[lost, i, j] + one * other * gaps
                    covariances[a, i, j] += other * old_covariances[k, i, j]
    weights /= weights.sum()


def attempt(
    values, shares, log_density, row_weights, old_weights, old_means, old_covariances, active,
    surgery, half_weights, half_means, half_covariances, roots, target, factor, order, pairs,
    places, settings, trying, weights, means, covariances, found,
):  # fmt: skip
    """Make a surgery, and let EM settle some components on the rows that they answer for.

    Parameters
    ----------
    values : array of shape (n, d)
    shares : array of shape (K, n)
        Responsibilities before.
    log_density : array of shape (n,)
        Before.
    row_weights : array of shape (n,)
        Summing to the weight of the sample.
    old_weights, old_means, old_covariances : arrays of shape (K,), (K, d), (K, d, d)
        The components before, of which those that are not active stay.
    active : array of shape (a,)
    surgery : array of shape (3,)
        The component that is given up, that with which it is merged or -1, and that which is cut.
    half_weights, half_means, half_covariances : arrays of shape (2,), (2, d), (2, d, d)
        The halves of the one that is cut, about its mean, with weights that sum to one.
    roots, target, factor, order, pairs, places, settings
        As in `climb`; the goal and what is left are those of the whole sample.
    trying : array of shape (3,)
        Least share of a row that takes part, joint weight of the active components, and their
        log-prior before.
    weights, means, covariances : arrays of shape (a,), (a, d), (a, d, d)
        Get the best components found, with weights that sum to one.
    found : array of shape (4,)
        Gets the gain times the weight of the sample, -inf where rounding broke a covariance; the
        rows that took part; E-steps; and eigenvalues raised.
    """
    _carry_out(
        active, surgery, old_weights, old_means, old_covariances,
        half_weights, half_means, half_covariances, weights, means, covariances,
    )  # fmt: skip
    size, n_rows = values.shape[1], len(row_weights)
    n_active, log_weight, some = len(active), np.log(trying[1]), 0
    share = np.zeros(n_rows)
    for a in range(n_active):
        for n in range(n_rows):
            share[n] += shares[active[a], n]
    for n in range(n_rows):
        some += share[n] > trying[0]
    block, ours, background = np.empty((size + 1, some)), np.empty(some), np.empty(some)
    centre = np.zeros(size)
    for a in range(n_active):
        for i in range(size):
            centre[i] += weights[a] * means[a, i]
    total, before, at, weighted = 0.0, 0.0, 0, False
    for n in range(n_rows):
        if share[n] > trying[0]:
            for i in range(size):
                block[i, at] = values[n, i] - centre[i]
            block[size, at] = 1.0
            ours[at] = row_weights[n]
            weighted = weighted or row_weights[n] != 1.0
            rest = 1.0 - share[n]
            # a row of these components alone has no background
            elsewhere = np.log(rest) if rest > 0 else -np.inf
            background[at] = elsewhere + log_density[n] - log_weight
            total += ours[at]
            before += ours[at] * log_density[n]
            at += 1
    scale = settings[PRIOR_SCALE]
    settings[PRIOR_SCALE] = scale / total
    settings[DEAD] *= min(1.0, total / max(some, 1))
    before = before / total - log_weight + settings[PRIOR_SCALE] * trying[2]
    settings[TOL] /= total
    settings[GOAL] = before
    for a in range(n_active):
        for i in range(size):
            means[a, i] -= centre[i]
    lifted = 0
    for a in range(n_active):
        lifted += impose(covariances[a], settings[FORM], roots)
    out, none = np.empty(N_OUT), np.empty(0, dtype=np.int64)
    trail, counts = np.empty((0, N_TRAIL)), np.empty((0, n_active))
    no_means = np.empty((0, n_active, size))
    no_covariances = np.empty((0, n_active, size, size))
    _climb(
        block, ours if weighted else ours[:0], background, roots, target, factor, order, pairs,
        places, none, none, none, settings, weights, means, covariances, out, trail, counts, counts,
        no_means, no_covariances,
    )  # fmt: skip
    for a in range(n_active):
        for i in range(size):
            means[a, i] += centre[i]
    found[0], found[1] = (out[BEST] - before) * total, some
    found[2], found[3] = out[STEPS], out[RAISED] + lifted


class Patches(NamedTuple):
    """The loops, compiled."""

    cuts: Callable[..., None]
    attempt: Callable[..., None]


@lru_cache(maxsize=1)
def patches() -> Patches:
    """Compile the loops, or load them from an earlier process."""
    one, two, three, four = (types.Array(float64, n, "C") for n in (1, 2, 3, 4))
    fixed = [types.Array(float64, n, "C", readonly=True) for n in range(5)]
    indices, pairs = int64[::1], int64[:, ::1]
    given = (one, two, two)
    return Patches(
        compiled(
            cuts, two, fixed[2], one, fixed[1], fixed[2], fixed[3], indices, *given, pairs, pairs,
            indices, pairs, indices, one, one, two, three, four, two,
        ),
        compiled(
            attempt, two, fixed[2], one, one, *fixed[1:4], indices, indices, *fixed[1:4], *given,
            pairs, pairs, indices, one, one, one, two, three, one,
        ),
    )  # fmt: skip
