"""Profiles: which features tell a component from the rest of the mixture."""

from __future__ import annotations

import numpy as np

from biglearn._types import Array
from biglearn.model.blocks import diagonals, unscaled
from biglearn.model.components import Components

#: Keeps quotients finite.
_LEAST = 1e-12


def variances(mixture: Components) -> Array:
    """Return the variances of every component, shape (K, D).

    Those of the scale matrix where a component has tails so heavy that it has no variance.
    """
    spread = mixture.family.spread(mixture.shapes)
    return np.asarray(
        diagonals(mixture.blocks) * np.where(np.isfinite(spread), spread, 1.0)[:, None]
    )


def _centred(mixture: Components) -> Array:
    """Return the means less the mean of the whole mixture."""
    return np.asarray(mixture.means - mixture.weights @ mixture.means)


def deviations(mixture: Components) -> Array:
    """Return the standard deviations of every component, shape (K, D)."""
    return np.sqrt(variances(mixture))


def distinctness(mixture: Components) -> Array:
    """Return the share of each feature's variance that lies between components, shape (D,).

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.model.profiles import distinctness
    >>> distinctness(Mixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], [np.eye(2), np.eye(2)]))
    array([0.5, 0. ])
    """
    between = mixture.weights @ _centred(mixture) ** 2
    within = mixture.weights @ variances(mixture)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.nan_to_num(between / (between + within), nan=1.0)


def telling(mixture: Components, most: int) -> list[int]:
    """Return the features whose means differ most between components, in their own order."""
    order = np.argsort(-distinctness(mixture), kind="stable")[:most]
    return sorted(order.tolist())


def rest_means(mixture: Components) -> Array:
    """Return the means of all other components together, for every component, shape (K, D)."""
    weights = mixture.weights[:, None]
    left = np.maximum(1.0 - weights, _LEAST)
    return np.asarray(mixture.weights @ mixture.means - weights * _centred(mixture) / left)


def profiles(mixture: Components) -> Array:
    """Return how far each component stands off the rest in every feature, shape (K, D).

    The standardised difference of means (μ_k - μ_rest) / √((σ²_k + σ²_rest) / 2), where "rest"
    is the mixture of all other components; 0 for a single component, which has no rest.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.model.profiles import profiles
    >>> profiles(Mixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], [np.eye(2), np.eye(2)]))
    array([[-2.,  0.],
           [ 2.,  0.]])
    """
    weights, ours = mixture.weights[:, None], variances(mixture)
    if len(weights) == 1:
        return np.zeros_like(ours)
    left = np.maximum(1.0 - weights, _LEAST)
    centred = _centred(mixture)
    rest = -weights * centred / left
    squares = ours + centred**2
    theirs = (mixture.weights @ squares - weights * squares) / left - rest**2
    return np.asarray((centred - rest) / np.sqrt((ours + np.maximum(theirs, 0.0)) / 2))


def conditioning(mixture: Components) -> Array:
    """Return the largest over the smallest eigenvalue of every covariance, shape (K,).

    In units of each column's deviation over the whole mixture, so that it does not depend on
    the units of the data.
    """
    scale = np.sqrt(mixture.weights @ (variances(mixture) + _centred(mixture) ** 2))
    values = np.linalg.eigvalsh(unscaled(mixture.blocks, scale)).reshape(-1, scale.size)
    return np.asarray(values.max(axis=1) / np.maximum(values.min(axis=1), 1e-300))
