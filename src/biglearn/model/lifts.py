"""Lifts: from new parameters in a view back to the joint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from biglearn._types import Array
from biglearn.model.blocks import applied, whole
from biglearn.model.components import Components
from biglearn.model.linalg import symmetrise
from biglearn.model.views import View

#: From components and a view to the gain G, shape (K, D, d).
Lift = Callable[[Components, View], Array]


def block_gain(components: Components, view: View) -> Array:
    """Replace the view's blocks of μ and Σ and keep all others: G = Bᵀ.

    The published lift.  Next to old cross-covariances a new block can leave
    Σ indefinite; the eigenvalue floor then repairs it, and is counted.
    """
    return np.broadcast_to(view.basis.T, (components.n_components, *view.basis.T.shape))


def regression_gain(components: Components, view: View) -> Array:
    """Keep p(the rest | view, k) as it is: G = Σ Bᵀ (B Σ Bᵀ)⁻¹.

    Always positive definite.
    """
    cross = np.swapaxes(applied(components.blocks, view.basis), 1, 2)
    whitening = components.project(view).whitening
    return (cross @ np.swapaxes(whitening, 1, 2)) @ whitening


#: The lifts by name.
LIFTS: dict[str, Lift] = {"block": block_gain, "regression": regression_gain}


def lift(
    components: Components, view: View, means: Array, covariances: Array, gain: Array
) -> tuple[Array, Array]:
    """Give the components new means m and covariances C in a view.

    Both lifts are μ + G(m - Bμ) and Σ + G(C - BΣBᵀ)Gᵀ, and leave the view's
    marginal exactly as asked; they differ in the gain G alone.

    Returns
    -------
    means : array of shape (K, D)
    covariances : array of shape (K, D, D)
    """
    projected = components.project(view)
    shift = np.einsum("kij,kj->ki", gain, means - projected.means)
    change = whole(covariances - projected.blocks)
    change = gain @ change @ np.swapaxes(gain, 1, 2)
    return components.means + shift, symmetrise(components.covariances + change)
