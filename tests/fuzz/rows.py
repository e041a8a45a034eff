"""Hostile rows: every generator takes a random state and a shape, and returns floats."""

from __future__ import annotations

import numpy as np


def blobs(rng, n, d):
    centres = rng.normal(size=(rng.integers(1, 5), d)) * rng.choice([0.5, 3.0, 20.0])
    return centres[rng.integers(len(centres), size=n)] + rng.normal(size=(n, d))


def uniform(rng, n, d):
    return rng.random((n, d))


def cauchy(rng, n, d):
    return rng.standard_cauchy((n, d))


def counts(rng, n, d):
    return rng.poisson(rng.choice([0.1, 1.0, 30.0]), size=(n, d)).astype(float)


def rounded(rng, n, d):
    return blobs(rng, n, d).round(int(rng.integers(-1, 3)))


def one_hot(rng, n, d):
    return np.eye(d)[rng.integers(d, size=n)]


def spikes(rng, n, d):
    """Draw rows of which most are copies of a few."""
    X = rng.normal(size=(n, d))
    return X[rng.integers(max(1, n // 6), size=n)]


def alike(rng, n, d):
    return np.tile(rng.normal(size=d), (n, 1))


def collinear(rng, n, d):
    """Draw rows in a subspace, exactly or but for rounding."""
    rank = max(1, d // 2)
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d))


def lognormal(rng, n, d):
    return np.exp(rng.normal(size=(n, d)) * rng.choice([1.0, 5.0]))


def arithmetic(rng, n, d):
    """Draw columns that are constant but for the rounding of sums."""
    return np.full((n, d), 0.1) * 3 + rng.integers(-2, 3, size=(n, d)) * 2.0**-54


SHAPES = [
    *(blobs, blobs, blobs, uniform, cauchy, counts, rounded, rounded, one_hot, spikes),
    *(alike, collinear, lognormal, arithmetic),
]


def spoil(rng, X):
    """Put constants, copies and far values in."""
    n, d = X.shape
    if rng.random() < 0.15:
        X[:, rng.integers(d)] = rng.choice([0.0, 1.0, -7.3, 1e9])
    if rng.random() < 0.1 and d > 1:
        X[:, 0] = X[:, 1]
    if rng.random() < 0.2:
        X[rng.integers(n), rng.integers(d)] = 10.0 ** rng.uniform(2, 20)
    if rng.random() < 0.1:
        X[rng.random(n) < 0.05, rng.integers(d)] = -999.0
    if rng.random() < 0.1:
        X[rng.random(n) < 0.5] = X[0]
    return X


def move(rng, X):
    """Bring columns to other scales and offsets."""
    d = X.shape[1]
    how = rng.random()
    if how < 0.45:
        return X
    scales, offsets = np.ones(d), np.zeros(d)
    for j in range(d):
        wide = rng.choice([0.0, 3.0, 12.0, 140.0], p=[0.4, 0.35, 0.2, 0.05])
        scales[j] = 10.0 ** rng.uniform(-wide, wide)
        if rng.random() < 0.4:
            offsets[j] = scales[j] * 10.0 ** rng.uniform(0, 18)
    if how > 0.97:
        scales *= rng.choice([1e-150, 1e150])
    return X * scales + offsets


def open_gaps(rng, X):
    """Make values missing: some, a whole row, or all of a column but one."""
    share = rng.choice([0.02, 0.2, 0.6])
    X = np.where(rng.random(X.shape) < share, np.nan, X)
    if rng.random() < 0.2:
        X[rng.integers(len(X))] = np.nan
    return X


#: Of the numbers of rows in `draw_rows`.
CHANCES = [0.02, 0.06, 0.06, 0.08, 0.13, 0.2, 0.22, 0.15, 0.06, 0.02]


def draw_rows(rng):
    """Return hostile rows, float64 or float32."""
    n = int(rng.choice([1, 2, 3, 4, 7, 15, 40, 100, 250, 600], p=CHANCES))
    d = int(rng.choice([1, 2, 3, 5, 8, 20], p=[0.2, 0.3, 0.25, 0.15, 0.07, 0.03]))
    shape = SHAPES[rng.integers(len(SHAPES))]
    X = move(rng, spoil(rng, shape(rng, n, d)))
    if rng.random() < 0.2:
        X = open_gaps(rng, X)
    if rng.random() < 0.12 and np.nanmax(np.abs(X), initial=0) < 1e38:
        X = X.astype(np.float32)
    return X
