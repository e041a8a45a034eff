"""Components: the body of a mixture that engines, moves and starts pass on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from biglearn._types import Array, BoolArray, IntArray
from biglearn.model.blocks import gram, in_blocks, whole
from biglearn.model.families import GAUSSIAN, Family
from biglearn.model.linalg import sound_factors
from biglearn.model.views import View

Places = IntArray | BoolArray | slice | Sequence[int]


class Components:
    """K components over D features: immutable, unchecked, without names.

    Every method returns a new object.  Weights need not sum to one: those of some components
    of a mixture keep theirs.

    Parameters
    ----------
    weights : array of shape (K,)
    means : array of shape (K, D)
    covariances : array of shape (K, D, D) or (K, B, m, m)
        Whole, or in blocks of one size (see `biglearn.model.blocks`); kept as `blocks`.
    shapes : array of shape (K, S), optional
        Shapes of the family, such as degrees of freedom; those that a fit of the family begins
        with if left out.
    family : Family, optional
        Gaussian if left out.
    memo : array of shape (K, M), optional
        What the covariance structure begins its next fit from, see `Structure.refit`; NaN
        where nothing is known.

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
    blocks: Array
    shapes: Array
    family: Family
    memo: Array | None = None

    def __init__(
        self,
        weights: Array,
        means: Array,
        covariances: Array,
        shapes: Array | None = None,
        family: Family = GAUSSIAN,
        memo: Array | None = None,
    ) -> None:
        if shapes is None:
            shapes = family.starting_shapes(len(weights))
        self.__dict__.update(
            weights=weights,
            means=means,
            blocks=covariances,
            shapes=shapes,
            family=family,
            memo=memo,
        )
        for array in self._arrays.values():
            array.setflags(write=False)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"a {type(self).__name__} is immutable; build a new one to change {name!r}"
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable; {name!r} cannot be deleted")

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "covariances" in state:  # pickles from before covariances were kept in blocks
            state = {"blocks": state["covariances"], **state}
            del state["covariances"]
        needed = ("weights", "means", "blocks", "shapes", "family")
        if lacking := [name for name in needed if name not in state]:
            raise ValueError(
                f"this pickle of a {type(self).__name__} is of another version of biglearn: it "
                f"lacks {', '.join(lacking)}; load it there, and pass it on with save_model"
            )
        self.__dict__.update(state)
        # Arrays come back writeable from a pickle or a deep copy.
        for array in (*self._arrays.values(), *state.get("_factors", ())):
            array.setflags(write=False)

    @property
    def _arrays(self) -> dict[str, Array]:
        """The arrays by the names of the parameters that take them."""
        arrays = {
            "weights": self.weights,
            "means": self.means,
            "covariances": self.blocks,
            "shapes": self.shapes,
        }
        return arrays if self.memo is None else {**arrays, "memo": self.memo}

    def _like(self, other: Components) -> dict[str, Array]:
        """Return the arrays of another one, in blocks like these, and with a memo like these."""
        arrays = other.in_blocks(self.block_size)._arrays
        if self.memo is None:
            arrays.pop("memo", None)
        elif other.memo is None:
            arrays["memo"] = np.full((other.n_components, self.memo.shape[1]), np.nan)
        return arrays

    @property
    def n_components(self) -> int:
        """Number of components K."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return int(self.means.shape[1])

    @property
    def block_size(self) -> int:
        """Size m of the blocks of the covariances: D if any entry may differ from zero."""
        return int(self.blocks.shape[-1])

    @property
    def covariances(self) -> Array:
        """Covariances Σ_k, shape (K, D, D); made anew where they are kept in blocks."""
        return whole(self.blocks)

    @property
    def named_shapes(self) -> dict[str, Array]:
        """Shapes of the components by name, shape (K,) each."""
        return dict(zip(self.family.shape_names, self.shapes.T, strict=True))

    @cached_property
    def _factors(self) -> tuple[Array, Array]:
        factors = sound_factors(self.blocks)
        for array in factors:
            array.flags.writeable = False
        return factors

    @property
    def whitening(self) -> Array:
        """Lower triangular W_k with W Σ Wᵀ = I, shape (K, D, D)."""
        return whole(self.whitening_blocks)

    @property
    def whitening_blocks(self) -> Array:
        """The same in blocks as the covariances are."""
        return self._factors[0]

    @property
    def half_log_det(self) -> Array:
        """½ log|Σ_k⁻¹|, shape (K,)."""
        return self._factors[1]

    @cached_property
    def precisions(self) -> Array:
        """Inverse covariances, shape (K, D, D)."""
        precisions = whole(gram(self.whitening_blocks))
        precisions.flags.writeable = False
        return precisions

    def replace(self, **changes: Any) -> Components:
        """Return the components with other weights, means, covariances, shapes or family."""
        forgotten = {"memo": None} if "covariances" in changes else {}
        new = Components(**{**self._arrays, "family": self.family, **forgotten, **changes})
        if "covariances" not in changes and "_factors" in self.__dict__:
            new.__dict__["_factors"] = self._factors
        return new

    def part(self, chosen: Places, scale: float = 1.0) -> Components:
        """Return some components in the given order, their weights times `scale`.

        Weights are not renormalised.
        """
        arrays = {name: array[chosen] for name, array in self._arrays.items()}
        return Components(**{**arrays, "weights": arrays["weights"] * scale}, family=self.family)

    def put(self, places: Places, other: Components) -> Components:
        """Return these components with others in some places; family and block size stay."""
        arrays = self._arrays
        for name, theirs in self._like(other).items():
            arrays[name] = arrays[name].copy()
            arrays[name][places] = theirs
        return Components(**arrays, family=self.family)

    def in_blocks(self, size: int) -> Components:
        """Return the components with covariances in blocks of a size, and zeros elsewhere."""
        if size == self.block_size:
            return self
        return self.replace(covariances=in_blocks(self.blocks, size))

    def joined(self, *others: Components) -> Components:
        """Return these components and then others of the same family, in blocks like these."""
        parts = [self._like(part) for part in (self, *others)]
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
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
        return self.replace(means=view.rows(self.means), covariances=view.covariances(self.blocks))
