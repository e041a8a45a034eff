"""Components: the body of a mixture that engines, moves and starts pass on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from biglearn._types import Array, BoolArray, IntArray
from biglearn.model.families import GAUSSIAN, Family
from biglearn.model.linalg import sound_factors, symmetrise
from biglearn.model.views import View

Places = IntArray | BoolArray | slice | Sequence[int]

_FIELDS = ("weights", "means", "covariances", "shapes", "family")


class Components:
    """K components over D features: immutable, unchecked, without names.

    Every method returns a new object.  Weights need not sum to one: those of some components
    of a mixture keep theirs.

    Parameters
    ----------
    weights : array of shape (K,)
    means : array of shape (K, D)
    covariances : array of shape (K, D, D)
    shapes : array of shape (K, S), optional
        Shapes of the family, such as degrees of freedom; those that a fit of the family begins
        with if left out.
    family : Family, optional
        Gaussian if left out.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.components import Components
    >>> two = Components(np.array([0.4, 0.6]), np.zeros((2, 3)), np.tile(np.eye(3), (2, 1, 1)))
    >>> two.part([1], scale=0.5).weights
    array([0.3])
    """

    weights: Array
    means: Array
    covariances: Array
    shapes: Array
    family: Family

    def __init__(
        self,
        weights: Array,
        means: Array,
        covariances: Array,
        shapes: Array | None = None,
        family: Family = GAUSSIAN,
    ) -> None:
        if shapes is None:
            shapes = family.starting_shapes(len(weights))
        for array in (weights, means, covariances, shapes):
            array.setflags(write=False)
        self.__dict__.update(
            weights=weights, means=means, covariances=covariances, shapes=shapes, family=family
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"a {type(self).__name__} is immutable; build a new one to change {name!r}"
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable; {name!r} cannot be deleted")

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # Arrays come back writeable from a pickle or a deep copy.
        for array in (*(state[name] for name in _FIELDS[:4]), *state.get("_factors", ())):
            array.setflags(write=False)

    @property
    def n_components(self) -> int:
        """Number of components K."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return int(self.means.shape[1])

    @property
    def named_shapes(self) -> dict[str, Array]:
        """Shapes of the components by name, shape (K,) each."""
        return dict(zip(self.family.shape_names, self.shapes.T, strict=True))

    @cached_property
    def _factors(self) -> tuple[Array, Array]:
        factors = sound_factors(self.covariances)
        for array in factors:
            array.flags.writeable = False
        return factors

    @property
    def whitening(self) -> Array:
        """Lower triangular W_k with W Σ Wᵀ = I, shape (K, D, D)."""
        return self._factors[0]

    @property
    def half_log_det(self) -> Array:
        """½ log|Σ_k⁻¹|, shape (K,)."""
        return self._factors[1]

    @property
    def precisions(self) -> Array:
        """Inverse covariances, shape (K, D, D)."""
        return np.swapaxes(self.whitening, 1, 2) @ self.whitening

    def replace(self, **changes: Any) -> Components:
        """Return the components with other weights, means, covariances, shapes or family."""
        new = Components(**{name: changes.get(name, getattr(self, name)) for name in _FIELDS})
        if "covariances" not in changes and "_factors" in self.__dict__:
            new.__dict__["_factors"] = self._factors
        return new

    def part(self, chosen: Places, scale: float = 1.0) -> Components:
        """Return some components in the given order, their weights times `scale`.

        Weights are not renormalised.
        """
        return Components(
            self.weights[chosen] * scale,
            self.means[chosen],
            self.covariances[chosen],
            self.shapes[chosen],
            self.family,
        )

    def put(self, places: Places, other: Components) -> Components:
        """Return these components with others in some places; the family stays."""
        arrays = {}
        for name in _FIELDS[:4]:
            arrays[name] = getattr(self, name).copy()
            arrays[name][places] = getattr(other, name)
        return self.replace(**arrays)

    def joined(self, *others: Components) -> Components:
        """Return these components and then others of the same family."""
        parts = [self, *others]
        arrays = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS[:4]
        }
        return Components(**arrays, family=self.family)

    def reweighted(self) -> Components:
        """Return the components with weights that sum to one."""
        return self.replace(weights=self.weights / self.weights.sum())

    def shifted(self, step: Array) -> Components:
        """Return the components with `step`, shape (D,), added to the means."""
        return self.replace(means=self.means + step)

    def project(self, view: View) -> Components:
        """Return the components of y = B x: weights, B μ_k and B Σ_k Bᵀ."""
        if view.is_joint:
            return self
        covariances = symmetrise(view.basis @ self.covariances @ view.basis.T)
        return self.replace(means=self.means @ view.basis.T, covariances=covariances)
