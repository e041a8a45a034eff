"""Checks of the user's parameters: messages name the fault, the value and the remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, IntArray
from biglearn.model.blocks import diagonals, shape_of
from biglearn.model.fixed import Fixed
from biglearn.model.linalg import symmetrise
from biglearn.model.structures import Structure
from biglearn.tables.containers import as_array

#: A feature, by column number or by name.
Feature = int | str


class _Words(NamedTuple):
    """What to say of an array of a wrong shape, and of one that is not finite."""

    shape: str
    finite: str


_OURS = _Words(
    "{name} must have shape {shape}, got {given}", "{name} must be finite, got NaN or infinity"
)

#: Of starting parameters, in scikit-learn's words.
_THEIRS = _Words(
    "The parameter {name!r} should have the shape of {shape}, but got {given}",
    "The parameter {name!r} should be finite, but got NaN or infinity",
)


def check_fixed(fixed: Any, structure: Structure, shape: tuple[int, int]) -> Fixed | None:
    """Check given parameters; every entry of a component to estimate is NaN."""
    if fixed is None:
        return None
    known = ("weights", "means", "covariances")
    if not isinstance(fixed, Mapping) or not fixed or not set(fixed) <= set(known):
        raise ValueError(
            f"fixed must be a dictionary with some of {list(known)}, got "
            + (f"the keys {list(fixed)}" if isinstance(fixed, Mapping) else repr(fixed))
        )
    weights = _partly("weights", fixed, shape[:1])
    free, sum_of_given = np.isnan(weights), float(np.nansum(weights))
    if (
        (weights[~free] < 0).any()
        or sum_of_given > 1 + 1e-6
        or (not free.any() and sum_of_given < 1 - 1e-6)
    ):
        raise ValueError(
            "fixed['weights'] must be at least 0 and sum to 1, or to less where some are NaN, "
            f"got sum {sum_of_given}"
        )
    means = _partly("means", fixed, shape)
    given = _partly("covariances", fixed, structure.shape(*shape), whole=structure.is_shared)
    covariances = structure.expand(given, *shape)
    held = covariances[~np.isnan(diagonals(covariances)[:, 0])]
    if len(held):
        _check_definite("fixed['covariances']", held)
    return Fixed(weights, means, covariances)


def _partly(
    name: str, fixed: Mapping[str, Any], shape: tuple[int, ...], *, whole: bool = False
) -> Array:
    """Return an array of which whole components may be NaN, and are if it is left out."""
    array = np.array(fixed.get(name, np.full(shape, np.nan)), dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"fixed[{name!r}] must have shape {shape}, got {array.shape}")
    missing = np.isnan(array.reshape(1 if whole else shape[0], -1))
    if np.isinf(array).any() or (missing.any(axis=1) & ~missing.all(axis=1)).any():
        raise ValueError(
            f"fixed[{name!r}] must hold finite numbers, or NaN for all of a component that is to "
            "be estimated"
        )
    return array


def check_number(
    name: str, value: Any, *, low: float, integer: bool = False, above: bool = False
) -> None:
    """Refuse a parameter that is not finite, or below (`above`: not above) `low`."""
    kinds = (int, np.integer) if integer else (int, float, np.integer, np.floating)
    ok = isinstance(value, kinds) and not isinstance(value, bool | np.bool_)
    if not ok or not math.isfinite(value) or not (value > low if above else value >= low):
        kind = "an integer" if integer else "a finite number"
        bound = f"above {low}" if above else f"at least {low}"
        raise ValueError(f"{name} must be {kind} {bound}, got {value!r}")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Refuse a parameter that is not one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}")


def check_given(
    weights: ArrayLike | None,
    means: ArrayLike | None,
    precisions: ArrayLike | None,
    structure: Structure,
    shape: tuple[int, int],
) -> tuple[Array | None, Array | None, Array | None]:
    """Check given starting parameters; return weights, means and covariances.

    Precisions come in scikit-learn's shape for the structure and leave
    as covariances of shape (K, D, D), or in blocks as the structure has them.
    """
    given_weights = None if weights is None else _shaped("weights", weights, shape[:1], _THEIRS)
    if given_weights is not None:
        _check_weights(given_weights)
    given_means = None if means is None else _shaped("means", means, shape, _THEIRS)
    if precisions is None:
        return given_weights, given_means, None
    name = f"{structure.name} precision"
    values = _shaped(name, precisions, structure.shape(*shape), _THEIRS)
    matrices = structure.expand(values, *shape)
    wanted = "positive" if structure.block_size(2) == 1 else "symmetric, positive-definite"
    _check_definite(f"The parameter {name!r}", matrices, verb="should", wanted=wanted)
    return given_weights, given_means, symmetrise(np.asarray(np.linalg.inv(matrices)))


def _check_weights(weights: Array) -> None:
    """Refuse starting weights that are not shares, in scikit-learn's words."""
    if (weights < 0).any() or (weights > 1).any():
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got "
            f"max value {weights.max():.5f}, min value {weights.min():.5f}"
        )
    if abs(weights.sum() - 1) > 1e-6:
        raise ValueError(
            "The parameter 'weights' should be normalized, "
            f"but got sum(weights) = {weights.sum():.5f}"
        )


def _check_definite(
    name: str,
    matrices: Array,
    *,
    verb: str = "must",
    wanted: str = "symmetric and positive definite",
) -> None:
    """Refuse matrices, of which one is not symmetric and positive definite."""
    lowest = np.linalg.eigvalsh(matrices)[..., 0]
    skew = np.abs(matrices - np.swapaxes(matrices, -1, -2)).max()
    if (lowest <= 0).any() or skew > 1e-6 * np.abs(matrices).max():
        raise ValueError(
            f"{name} {verb} be {wanted}, got a smallest eigenvalue of {lowest.min():.3g}"
        )


def check_structure(
    name: str, values: ArrayLike, structure: Structure, shape: tuple[int, int]
) -> Array:
    """Check covariances or precisions in scikit-learn's shape; return matrices."""
    return structure.expand(_shaped(name, values, structure.shape(*shape)), *shape)


def _shaped(name: str, value: ArrayLike, shape: tuple[int, ...], words: _Words = _OURS) -> Array:
    """Return finite numbers of a shape, or say in these words what is wrong."""
    array = np.array(value, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(words.shape.format(name=name, shape=shape, given=array.shape))
    if not np.isfinite(array).all():
        raise ValueError(words.finite.format(name=name))
    return array


def check_mixture(weights: Array, means: Array, covariances: Array) -> None:
    """Refuse parameters that are not those of a mixture.

    Covariances have shape (K, D, D), or are in blocks (see `biglearn.model.blocks`).
    """
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(f"means must have shape (K, D), got {means.shape}")
    n_components, n_features = means.shape
    if weights.shape != (n_components,):
        raise ValueError(f"weights must have shape ({n_components},), got {weights.shape}")
    size = covariances.shape[-1] if covariances.ndim == 4 else n_features
    if not size or covariances.shape != (n_components, *shape_of(n_features, size)):
        raise ValueError(
            f"covariances must have shape {(n_components, n_features, n_features)}, "
            f"got {covariances.shape}"
        )
    for name, array in (("weights", weights), ("means", means), ("covariances", covariances)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    if (weights < 0).any() or abs(weights.sum() - 1) > 1e-6:
        raise ValueError(
            f"weights must be at least 0 and sum to 1, got {weights} with sum {weights.sum()}"
        )
    scale = np.abs(covariances).max(axis=(-1, -2), keepdims=True)
    skew = np.abs(covariances - np.swapaxes(covariances, -1, -2)) > 1e-8 * scale
    if skew.any():
        raise ValueError(f"covariances[{int(np.argwhere(skew)[0, 0])}] is not symmetric")


def feature_columns(
    features: Sequence[Feature], names: tuple[str, ...] | None, n_features: int
) -> IntArray:
    """Translate names and numbers of features into column numbers."""
    chosen = []
    for feature in features:
        if isinstance(feature, str):
            known = names or ()
            if feature not in known:
                given = list(known) or "none, this mixture has no feature names"
                raise ValueError(f"unknown feature {feature!r}; known names: {given}")
            chosen.append(known.index(feature))
        elif not isinstance(feature, int | np.integer) or isinstance(feature, bool):
            raise ValueError(f"features are named by column numbers or names, got {feature!r}")
        elif not -n_features <= feature < n_features:
            raise ValueError(f"feature {feature} is out of range for {n_features} features")
        else:
            chosen.append(int(feature) % n_features)
    if not chosen or len(set(chosen)) != len(chosen):
        raise ValueError(f"name at least one feature and none twice, got {list(features)}")
    return np.array(chosen, dtype=np.intp)


def check_rows(X: ArrayLike, n_features: int) -> Array:
    """Return rows of the features of a mixture, shape (N, D), NaN where a value is missing."""
    rows: Array = np.asarray(as_array(X))
    if rows.ndim != 2 or rows.shape[1] != n_features:
        raise ValueError(
            f"X must have shape (N, {n_features}), got {rows.shape}; "
            "reshape one row with X.reshape(1, -1)"
        )
    return rows
