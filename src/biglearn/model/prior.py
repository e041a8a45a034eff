"""Priors on covariances: pseudo-rows of a common covariance for every component.

With c pseudo-rows of covariance T the objective of a fit gains, for every component,

    -c KL(N(0, T) ‖ N(0, Σ_k)) = -(c/2) [tr(T Σ_k⁻¹) - log|T Σ_k⁻¹| - D] ≤ 0,

and the M-step becomes Σ_k = (S_k + c T) / (n_k + c), S_k the scatter of the component's rows:
a conjugate prior (Fraley and Raftery, J. Classification 24, 2007, use one like it).  It is the
same in every view, since B Σ_k Bᵀ = (B S_k Bᵀ + c B T Bᵀ) / (n_k + c).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array
from biglearn.model.blocks import (
    averaged,
    diagonals,
    each,
    eigh,
    in_blocks,
    rebuilt,
    split,
    sums_of,
    weighted_outer,
)
from biglearn.model.components import Components
from biglearn.model.linalg import symmetrise
from biglearn.model.views import View

#: Share of the total covariance, of the size of one of K parts, in a pooled target: it keeps
#: the target from degenerating with the components.
_TOTAL_SHARE = 0.05

#: Relative size below which an eigenvalue is lost in rounding.
_LEAST = 1e-13

#: Targets between which "auto" chooses.
FOLLOWED = ("pooled", "geometric")

TARGETS = ("auto", "pooled", "geometric", "total")


@dataclass(frozen=True, eq=False)
class CovariancePrior:
    """Pseudo-rows of a common covariance for every component.

    Parameters
    ----------
    target : {"pooled", "geometric", "total", "auto"} or array of shape (D, D), default="pooled"
        Covariance of the pseudo-rows: the average covariance within components, or their
        geometric mean, which one wide component hardly widens, both with a little of the
        next; the covariance of all rows times K^(-2/D); or a given one in the user's units.
        The first three follow the fit.  "auto" is the better of the first two by
        leave-one-out likelihood.
    rows : float or "auto", default="auto"
        Pseudo-rows c of every component; "auto" chooses them by leave-one-out likelihood.

    Raises
    ------
    ValueError
        If the target is unknown or no covariance, or the rows are negative.

    Examples
    --------
    >>> from biglearn import CovariancePrior
    >>> CovariancePrior(rows=2.0).rows
    2.0
    """

    target: str | ArrayLike = "pooled"
    rows: float | str = "auto"

    def __post_init__(self) -> None:
        if isinstance(self.target, str):
            if self.target not in TARGETS:
                raise ValueError(
                    f"target must be one of {list(TARGETS)} or a covariance, got {self.target!r}"
                )
        else:
            matrix = np.asarray(self.target, dtype=np.float64)
            if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
                raise ValueError(f"target must have shape (D, D), got {matrix.shape}")
            if not np.isfinite(matrix).all() or np.linalg.eigvalsh(matrix)[0] <= 0:
                raise ValueError("target must be symmetric and positive definite")
        if self.rows != "auto" and not (
            isinstance(self.rows, int | float) and np.isfinite(self.rows) and self.rows >= 0
        ):
            raise ValueError(f'rows must be "auto" or a number at least 0, got {self.rows!r}')

    @property
    def is_automatic(self) -> bool:
        """Whether leave-one-out likelihood has something to choose."""
        return self.rows == "auto" or (isinstance(self.target, str) and self.target == "auto")


def prior_of(value: Any) -> CovariancePrior | None:
    """Return the prior that a parameter asks for: "auto", None, a number, or a prior.

    Raises
    ------
    ValueError
        If it is none of them.

    Examples
    --------
    >>> from biglearn.model.prior import prior_of
    >>> prior_of(3).rows, prior_of("auto").rows, prior_of(None)
    (3.0, 'auto', None)
    """
    if value is None or isinstance(value, CovariancePrior):
        return value
    if isinstance(value, str) and value == "auto":
        return CovariancePrior("auto")
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return CovariancePrior(rows=float(value)) if value else None
    raise ValueError(
        f'prior must be "auto", None, a number of pseudo-rows or a CovariancePrior, got {value!r}'
    )


@dataclass(frozen=True, eq=False)
class PseudoRows:
    """A prior in units: c pseudo-rows of covariance T; none of them by default.

    Parameters
    ----------
    rows : float
        c, in the weight of rows.
    target : array of shape (D, D) or (B, m, m), optional
        T, in blocks as the covariances are (see `biglearn.model.blocks`).
    follows : {"pooled", "geometric", "total"} or None
        How the target follows the components; None leaves it as given.
    thinning : float
        Share of the rows that M-steps see.
    """

    rows: float = 0.0
    target: Array | None = None
    follows: str | None = None
    thinning: float = 1.0

    @property
    def is_active(self) -> bool:
        """Whether there are any."""
        return self.rows > 0 and self.target is not None

    @cached_property
    def factor(self) -> Array:
        """Cholesky factor of T, which stays through a climb, in blocks as T."""
        assert self.target is not None
        return np.asarray(np.linalg.cholesky(self.target), dtype=np.float64)

    def within(self, size: int) -> PseudoRows:
        """Return the prior with a target in blocks of a size, as covariances are."""
        if self.target is None or self.target.shape[-1] == size:
            return self
        return replace(self, target=in_blocks(self.target[None], size)[0])

    def following(self, components: Components) -> PseudoRows:
        """Return the prior with the target that these components ask for."""
        if self.follows is None or not self.rows:
            return self
        return replace(self, target=target_of(components, self.follows))

    def blended(self, samples: Array, counts: Array, view: View | None = None) -> Array:
        """Return (n_k C_k + c T) / (n_k + c) in a view, in blocks as the samples.

        Parameters
        ----------
        samples : array of shape (K, d, d), or in blocks
            Sample covariances C_k.
        counts : array of shape (K,)
        view : View, optional
        """
        if not self.is_active or self.target is None:
            return samples
        target = self.target[None] if view is None else view.covariances(self.target[None])
        share = each(counts / (counts + self.rows * self.thinning), samples)
        return np.asarray(share * samples + (1 - share) * in_blocks(target, samples.shape[-1]))

    def log_density(self, components: Components) -> Array:
        """Return -c KL(N(0, T) ‖ N(0, Σ_k)) of each component, shape (K,)."""
        if not self.is_active or self.target is None:
            return np.zeros(components.n_components)
        factor = self.within(components.block_size).factor
        target_log_det = 2 * float(np.log(diagonals(factor[None])).sum())
        traces = sums_of((components.whitening_blocks @ factor) ** 2)
        log_det = target_log_det + 2 * components.half_log_det
        return np.asarray(-0.5 * self.rows * (traces - log_det - components.n_features))


def target_of(components: Components, kind: str) -> Array:
    """Return the target T of a prior that follows components in units, (D, D) or in blocks.

    Parameters
    ----------
    components : Components
    kind : {"pooled", "geometric", "total"}
    """
    weights, share = components.weights, components.weights.sum()
    # where all rows are noise the components are as good as each other
    weights = weights / share if share > 0 else np.full(len(weights), 1 / len(weights))
    centred = components.means - weights @ components.means
    total = averaged(weights, components.blocks)
    total += weighted_outer(weights, centred, components.blocks)
    total = _capped(total[None])
    part = total * components.n_components ** (-2.0 / components.n_features)
    if kind == "total":
        return symmetrise(part[0])
    parts = np.concatenate([_capped(components.blocks), part])
    shares = np.append((1 - _TOTAL_SHARE) * weights, _TOTAL_SHARE)
    mean = symmetrise(averaged(shares, parts))
    return mean if kind == "pooled" else _geometric_mean(parts, shares, mean)


def _geometric_mean(covariances: Array, shares: Array, mean: Array) -> Array:
    """Return about the weighted geometric mean of covariances, one matrix in blocks.

    One step towards it from the arithmetic mean A, `mean`,

        A^½ exp(Σ_k w_k log(A^-½ Σ_k A^-½)) A^½,

    which has the mean log-determinant, and goes along with every linear map of the features.
    One wide covariance of little weight hardly moves it, nor does a narrow one.
    """
    lower = np.linalg.cholesky(mean)
    inside = np.linalg.solve(lower, covariances)
    inside = np.linalg.solve(lower, np.swapaxes(inside, -1, -2))
    values, vectors = eigh(symmetrise(inside))
    logs = np.log(np.maximum(values, _LEAST))
    log_mean = averaged(shares, rebuilt(logs, vectors))
    values, vectors = eigh(symmetrise(log_mean))
    half = lower @ (vectors * np.exp(0.5 * values)[..., None, :])
    return symmetrise(half @ np.swapaxes(half, -1, -2))


def _capped(covariances: Array) -> Array:
    """Return covariances of no more than unit variances, their correlations as they are.

    In units no clean column varies by more; components that reach for far values do.
    """
    deviations = np.sqrt(np.maximum(diagonals(covariances), 1.0))
    if (deviations == 1.0).all():
        return covariances
    each_of = split(deviations, covariances)
    return np.asarray(covariances / each_of[..., :, None] / each_of[..., None, :])
