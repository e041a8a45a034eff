"""Conditionals of a mixture, for one condition or for many rows at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, IntArray
from biglearn.model.blocks import selected
from biglearn.model.components import Components
from biglearn.model.densities import Tails, log_normaliser, normalise
from biglearn.model.linalg import symmetrise
from biglearn.tables.containers import as_array

M = TypeVar("M")


class ConditionalMixture(Generic[M]):
    """p(rest | given) of a mixture, one conditional mixture for each row.

    Each component conditions like a Gaussian, its weight becomes its
    responsibility for the given values; the covariances do not depend on the
    values but for a factor, so N conditionals share them.

    Parameters
    ----------
    joint : Components
        The joint distribution.
    given : array of shape (d,)
        Column numbers of the given features.
    values : array of shape (N, d)
        Their values, one row for each conditional.
    names : tuple of D str, optional
        Names of the features of the joint distribution.
    build : callable
        From components and names to the mixture of one row.

    Attributes
    ----------
    weights : array of shape (N, K)
    means : array of shape (N, K, D - d)
    covariances : array of shape (K, D - d, D - d)
    stretch : array of shape (N, K)
        By which the covariances of a row are multiplied: 1 for Gaussians, and
        (ν + δ) / (ν + d) for Student-t components at distance δ from the given values.
    shapes : array of shape (K, S)
        Shapes given the values: ν + d for Student-t components.
    feature_names : tuple of str or None
        Of the features that remain.
    """

    def __init__(
        self,
        joint: Components,
        given: IntArray,
        values: Array,
        *,
        names: tuple[str, ...] | None = None,
        build: Callable[[Components, tuple[str, ...] | None], M],
    ) -> None:
        rest = np.setdiff1d(np.arange(joint.n_features), given)
        if not len(rest):
            raise ValueError("all features are given, so none is left to condition")
        if values.ndim != 2 or values.shape[1] != len(given):
            raise ValueError(f"given must have shape (N, {len(given)}), got {values.shape}")
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise ValueError(
                f"given values must be finite, got {values[row, column]} "
                f"in row {row}, column {column}"
            )
        self._family, self._build = joint.family, build
        marginal = joint.replace(
            means=joint.means[:, given], covariances=selected(joint.blocks, given)
        )
        # With the given features first, the factor L of Σ holds everything:
        # Σ_rg Σ_gg⁻¹ = L_rg L_gg⁻¹, and Σ_rr - Σ_rg Σ_gg⁻¹ Σ_gr = L_rr L_rrᵀ,
        # which unlike the difference cannot lose its definiteness.
        order, size = np.concatenate([given, rest]), len(given)
        factors = np.linalg.cholesky(joint.covariances[:, order[:, None], order])
        gain = factors[:, size:, :size] @ marginal.whitening
        within: Array = np.asarray(factors[:, size:, size:], dtype=np.float64)
        shift = values[:, None, :] - marginal.means
        with np.errstate(over="ignore", invalid="ignore"):  # far values have density 0
            whitened = np.einsum("kij,nkj->nki", marginal.whitening, shift)
            distances = np.nan_to_num((whitened**2).sum(axis=2), nan=np.inf)
        self.weights: Array = _responsibilities(marginal, distances)
        self.means: Array = joint.means[:, rest] + np.einsum("kij,nkj->nki", gain, shift)
        self.covariances: Array = symmetrise(within @ np.swapaxes(within, 1, 2))
        self.shapes: Array = joint.family.given(joint.shapes, size)
        self.stretch: Array = joint.family.stretch(joint.shapes, distances, size)
        self.feature_names = None if names is None else tuple(names[i] for i in rest)

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, row: int) -> M:
        """Return the conditional mixture of one row."""
        components = Components(
            self.weights[row].copy(),
            self.means[row].copy(),
            self.stretch[row, :, None, None] * self.covariances,
            self.shapes.copy(),
            self._family,
        )
        return self._build(components, self.feature_names)

    @property
    def dof(self) -> Array | None:
        """Degrees of freedom of Student-t components, shape (K,); None for other families."""
        return dict(zip(self._family.shape_names, self.shapes.T, strict=True)).get("dof")

    @property
    def mean(self) -> Array:
        """Conditional means, shape (N, D - d)."""
        return np.asarray(np.einsum("nk,nki->ni", self.weights, self.means))

    @property
    def covariance(self) -> Array:
        """Conditional covariances, shape (N, D - d, D - d)."""
        centred = self.means - self.mean[:, None, :]
        shares = self.weights * self.stretch * self._family.spread(self.shapes)
        within = np.einsum("nk,kij->nij", shares, self.covariances)
        return np.asarray(within + np.einsum("nk,nki,nkj->nij", self.weights, centred, centred))

    @cached_property
    def _centred(self) -> Components:
        """The components about their own means, equally weighted."""
        n_components, size, _ = self.covariances.shape
        weights = np.full(n_components, 1.0 / n_components)
        return Components(weights, np.zeros((n_components, size)), self.covariances.copy())

    def log_density(self, Y: ArrayLike) -> Array:
        """Return log p(y_n | given_n), shape (N,), of one value for each row."""
        values = np.asarray(as_array(Y, "Y"), dtype=np.float64)
        if values.shape != (len(self), self.means.shape[2]):
            raise ValueError(
                f"Y must have shape {(len(self), self.means.shape[2])}, got {values.shape}"
            )
        whitened = np.einsum(
            "kij,nkj->nki", self._centred.whitening, values[:, None, :] - self.means
        )
        with np.errstate(divide="ignore"):
            top = np.log(self.weights) + self._centred.half_log_det
        size = values.shape[1]
        top -= 0.5 * size * np.log(2 * np.pi * self.stretch)
        log_joint = top - 0.5 * (whitened**2).sum(axis=2) / self.stretch
        if self._family.has_tails:
            Tails(self._family, self.shapes, size, top.T).apply(log_joint.T)
        return np.asarray(normalise(log_joint.T))

    def sample(self, rng: np.random.Generator | int | None = None) -> Array:
        """Draw one value for each row, shape (N, D - d)."""
        rng = np.random.default_rng(rng)
        cumulative = self.weights.cumsum(axis=1)
        draws = rng.random((len(self), 1)) * cumulative[:, -1:]
        labels = (cumulative < draws).sum(axis=1)
        factors = np.linalg.cholesky(self.covariances)[labels]
        everyone = np.arange(len(self))
        noise = rng.standard_normal((len(self), self.means.shape[2]))
        scales = self._family.draw_scales(self.shapes[labels], rng)
        noise *= np.sqrt(self.stretch[everyone, labels] / scales)[:, None]
        means = self.means[everyone, labels]
        return np.asarray(means + np.einsum("nij,nj->ni", factors, noise))


def _responsibilities(given: Components, distances: Array) -> Array:
    """Return p(k | given values), shape (N, K), from squared distances (N, K)."""
    constant = log_normaliser(given)[:, None]
    log_joint = constant - 0.5 * distances.T
    tails = Tails.of(given)
    if tails is not None:
        tails.apply(log_joint)
    normalise(log_joint)
    return np.asarray(log_joint.T)
