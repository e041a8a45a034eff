"""How well rows determine the parameters of a mixture: scores, information, and the sandwich.

Each component is moved from where it is, with Σ = L Lᵀ, by a step a of its mean and a symmetric S:

    μ(a) = μ + L a,   Σ(S) = L (I + S) Lᵀ,   π(η) ∝ π exp(η).

A row shows the features o.  With P their rows of the identity, L_o L_oᵀ = Σ_oo, R = L_o⁻¹ P L
(which has orthonormal rows), Π = RᵀR and y = Rᵀ L_o⁻¹ (x_o - μ_o), the score under one component is

    1 for η,   y for a,   ½ (yᵀ E y - tr Π E) for the coordinate of S along E,

and minus the second derivatives are Π for a and a, Π E y for a and E, and
yᵀ E Π F y - ½ tr(Π E Π F) for E and F.  Without gaps Π = I.  The score of the mixture weighs them
by responsibilities, and its information is theirs less the covariance of the scores over the
unknown components (Louis, J. R. Statist. Soc. B 44, 1982).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array
from biglearn.model.gaps import find_patterns
from biglearn.model.mixture import Mixture
from biglearn.model.noise import NoisyMixture
from biglearn.model.views import View

#: Rows that scores are kept of at a time.
_PIECE = 1024


@dataclass(frozen=True, eq=False)
class Information:
    """Sums over rows; they add.

    The coordinates are η of all L components, those of the noise last, and then for each of the
    K components a, (D,), and S along M matrices E.

    Attributes
    ----------
    total : float
        Weight of the rows.
    n_rows : int
    scores : array of shape (P,)
    outer : array of shape (P, P)
        Of scores with themselves.
    within : array of shape (K, 1 + D + M, 1 + D + M)
        Of each component's scores with themselves, weighted by responsibilities.
    curvature : array of shape (K, D + M, D + M)
        Minus the second derivatives, weighted by responsibilities.
    second : array of shape (K, D, D)
        Σ r (y yᵀ + I - Π): the second moments of the rows with their gaps filled.
    """

    total: float
    n_rows: int
    scores: Array
    outer: Array
    within: Array
    curvature: Array
    second: Array

    def __add__(self, other: Information) -> Information:
        return Information(
            self.total + other.total,
            self.n_rows + other.n_rows,
            self.scores + other.scores,
            self.outer + other.outer,
            self.within + other.within,
            self.curvature + other.curvature,
            self.second + other.second,
        )


@dataclass(frozen=True, eq=False)
class Steps:
    """The coordinates in which a mixture is moved.

    Parameters
    ----------
    mixture : Mixture or NoisyMixture
    kind : {"full", "tied", "diag", "spherical"}
        Which S its covariances may take.
    """

    mixture: Mixture | NoisyMixture
    kind: str = "full"

    @property
    def gaussians(self) -> Mixture:
        """The mixture without its noise."""
        found = self.mixture
        return found.mixture if isinstance(found, NoisyMixture) else found

    @property
    def basis(self) -> Array:
        """The matrices E, orthonormal, shape (M, D, D)."""
        size = self.gaussians.n_features
        if self.kind == "spherical":
            return np.asarray(np.eye(size)[None] / np.sqrt(size))
        ones = np.einsum("ij,ik->ijk", np.eye(size), np.eye(size))
        if self.kind == "diag":
            return np.asarray(ones)
        i, j = np.triu_indices(size, 1)
        mixed = np.zeros((len(i), size, size))
        mixed[np.arange(len(i)), i, j] = mixed[np.arange(len(i)), j, i] = np.sqrt(0.5)
        return np.concatenate([ones, mixed])

    def information(self, rows: Array, weights: Array | None = None) -> Information:
        """Return the sums over a block of rows; NaN is missing."""
        ours = np.ones(len(rows)) if weights is None else weights
        missing, basis, found = np.isnan(rows), self.basis, None
        shares = self.mixture.responsibilities(rows)
        for pattern in find_patterns(missing, View.joint(rows.shape[1])):
            for start in range(0, len(pattern.rows), _PIECE):
                some = pattern.rows[start : start + _PIECE]
                there = ~missing[some[0]]
                own = self._of(rows[some][:, there], there, shares[some], ours[some], basis)
                found = own if found is None else found + own
        assert found is not None
        return found

    def _of(
        self, values: Array, there: Array, shares: Array, weights: Array, basis: Array
    ) -> Information:
        """Return the sums over rows that show the same features."""
        lower = np.linalg.cholesky(self.gaussians.covariances)
        size, (K, D) = len(basis), self.gaussians.means.shape
        L, width = shares.shape[1], D + size
        outer_scores = np.empty((len(values), L + K * width))
        outer_scores[:, :L] = shares
        within = np.empty((K, 1 + width, 1 + width))
        curvature, second = np.zeros((K, width, width)), np.empty((K, D, D))
        for k in range(K):
            seen = lower[k][there]
            root = np.linalg.cholesky(seen @ seen.T)
            turn = np.linalg.solve(root, seen)
            flat = turn.T @ turn
            y = np.linalg.solve(root, (values - self.gaussians.means[k][there]).T).T @ turn
            along = 0.5 * (np.einsum("ni,mij,nj->nm", y, basis, y) - _traces(flat, basis))
            u = np.column_stack([np.ones(len(y)), y, along])
            r = shares[:, k] * weights
            outer_scores[:, L + k * width : L + (k + 1) * width] = shares[:, k, None] * u[:, 1:]
            within[k] = (r[:, None] * u).T @ u
            moment = (r[:, None] * y).T @ y
            curvature[k] = _curvature(r.sum(), r @ y, moment, flat, basis)
            second[k] = moment + r.sum() * (np.eye(D) - flat)
        weighted = weights[:, None] * outer_scores
        sums = (weighted.sum(axis=0), weighted.T @ outer_scores)
        return Information(float(weights.sum()), len(values), *sums, within, curvature, second)


def _traces(matrix: Array, basis: Array) -> Array:
    return np.asarray(np.einsum("ij,mji->m", matrix, basis))


def _curvature(count: float, first: Array, moment: Array, flat: Array, basis: Array) -> Array:
    """Return minus the second derivatives for one component and pattern, (D + M, D + M)."""
    size = len(flat)
    out = np.empty((size + len(basis),) * 2)
    out[:size, :size] = count * flat
    out[:size, size:] = np.einsum("ij,mjk,k->im", flat, basis, first)
    out[size:, :size] = out[:size, size:].T
    turned = flat @ basis  # Π E
    middle = np.einsum("mij,njk->mnik", basis, turned)
    twice = np.einsum("mnik,ki->mn", middle, moment)
    out[size:, size:] = 0.5 * (twice + twice.T)
    out[size:, size:] -= 0.5 * count * np.einsum("mij,nji->mn", turned, turned)
    return out


@dataclass(frozen=True, eq=False)
class Covariances:
    """Covariance of estimates.

    Attributes
    ----------
    weights : array of shape (L, L)
        Of the weights, that of the noise last.
    means : array of shape (K, D, D)
    variances : array of shape (K, D, D)
        Variance of each entry of each covariance.
    """

    weights: Array
    means: Array
    variances: Array


def sandwich(steps: Steps, found: Information, pseudo_rows: float = 0.0) -> Covariances:
    """Return the sandwich covariance A⁻¹ B Aᵀ⁻¹ of a fit from the sums over its rows.

    A is the observed information, with that of the prior, and B the covariance of the scores:
    it holds where the rows are no mixture of Gaussians, too (White, Econometrica 50, 1982).  It
    is enlarged by N / (N - p), p the number of free parameters (MacKinnon and White, J.
    Econometrics 29, 1985).

    Parameters
    ----------
    steps : Steps
    found : Information
    pseudo_rows : float
        Of the prior on covariances.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the information is singular.
    """
    gaussians, basis = steps.gaussians, steps.basis
    K, D = gaussians.means.shape
    L, width = len(found.scores) - K * (D + len(basis)), D + len(basis)
    counts = found.scores[:L]
    bread = found.outer.copy()  # less the covariance over components: outer less within
    bread[:L, :L] -= np.outer(counts, counts) / found.total
    for k in range(K):
        own = np.r_[k, L + k * width : L + (k + 1) * width]
        inside = found.within[k].copy()
        inside[0, 0] = 0.0  # of η the part of all components is above
        inside[1:, 1:] -= found.curvature[k]
        inside[1 + D :, 1 + D :] -= _of_prior(pseudo_rows, counts[k], found.second[k], basis)
        bread[np.ix_(own, own)] -= inside
    meat = found.outer - np.outer(found.scores, found.scores) / found.total
    free = _free(L, K, D, len(basis), tied=steps.kind == "tied")
    half = np.linalg.solve(free.T @ bread @ free, free.T)
    unit = min(1.0, found.total / found.n_rows)  # weights below 1 stand for whole rows
    n_rows, n_free = found.total / unit, free.shape[1]
    if n_rows > n_free:  # residual scores are smaller than true ones, as residuals are (HC1)
        unit *= n_rows / (n_rows - n_free)
    whole = unit * half.T @ (free.T @ meat @ free) @ half
    return _outward(steps, whole, counts / found.total, basis)


def _of_prior(pseudo_rows: float, count: float, second: Array, basis: Array) -> Array:
    """Return the information of the prior on S, of a fit that is at its optimum.

    There the scatter of the rows and that of c pseudo-rows are together (n + c) I.
    """
    if not pseudo_rows:
        return np.zeros((len(basis),) * 2)
    rest = (count + pseudo_rows) * np.eye(len(second)) - second
    twice = np.einsum("mij,njk,ki->mn", basis, basis, rest)
    return np.asarray(0.5 * (twice + twice.T) - 0.5 * pseudo_rows * np.eye(len(basis)))


def _free(L: int, K: int, D: int, M: int, *, tied: bool) -> Array:
    """Return how the coordinates depend on free ones, (P, p): Σ η = 0, and S may be shared."""
    centred = np.linalg.svd(np.eye(L) - 1.0 / L)[0][:, : L - 1]
    n_steps = K * D + (M if tied else K * M)
    out = np.zeros((L + K * (D + M), L - 1 + n_steps))
    out[:L, : L - 1] = centred
    for k in range(K):
        row, column = L + k * (D + M), L - 1 + k * D
        out[row : row + D, column : column + D] = np.eye(D)
        column = L - 1 + K * D + (0 if tied else k * M)
        out[row + D : row + D + M, column : column + M] = np.eye(M)
    return out


def _outward(steps: Steps, whole: Array, shares: Array, basis: Array) -> Covariances:
    """Return the covariance of the coordinates as that of weights, means and covariances."""
    gaussians, L = steps.gaussians, len(shares)
    K, D = gaussians.means.shape
    width, lower = D + len(basis), np.linalg.cholesky(gaussians.covariances)
    jacobian = np.diag(shares) - np.outer(shares, shares)
    means, variances = np.empty((K, D, D)), np.empty((K, D, D))
    for k in range(K):
        start = L + k * width
        own = whole[start : start + width, start : start + width]
        means[k] = lower[k] @ own[:D, :D] @ lower[k].T
        change = lower[k] @ basis @ lower[k].T
        variances[k] = np.einsum("mij,mn,nij->ij", change, own[D:, D:], change)
    return Covariances(jacobian @ whole[:L, :L] @ jacobian, means, variances)
