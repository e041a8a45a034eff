"""The Gaussian mixture as a distribution: immutable, in the user's units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, IntArray
from biglearn.model.conditional import ConditionalMixture
from biglearn.model.densities import WhitenedDensity, log_normaliser, normalise
from biglearn.model.gaps import log_joint
from biglearn.model.imputation import impute
from biglearn.model.linalg import inverse_cholesky, symmetrise
from biglearn.model.student import scales, spread, tails
from biglearn.model.views import View

#: Rows per block of a density; bounds the memory of every method.
_BLOCK = 2048

Feature = int | str


class KLEstimate(NamedTuple):
    """A divergence estimated by sampling, in nats, and its standard error."""

    estimate: float
    standard_error: float


class FromLogJoint:
    """What follows from the log-joint of rows and components alone."""

    def log_joint(self, X: ArrayLike) -> Array:
        """Return the log of weight times density of every component."""
        raise NotImplementedError

    def log_density(self, X: ArrayLike) -> Array:
        """Return log p(x_n), shape (N,)."""
        return np.asarray(normalise(self.log_joint(X).T))

    def responsibilities(self, X: ArrayLike) -> Array:
        """Return p(k | x_n), shape (N, K); rows sum to one."""
        log_joint = self.log_joint(X)
        normalise(log_joint.T)
        return log_joint


class Mixture(FromLogJoint):
    """A mixture of K Gaussians, or Student-t components, over D features.

    Closed under marginals, conditionals and affine maps; every method returns
    a new object.

    Parameters
    ----------
    weights : array-like of shape (K,)
        Component weights π; at least 0 and summing to 1 (within 1e-6).
    means : array-like of shape (K, D)
        Component means μ.
    covariances : array-like of shape (K, D, D)
        Component covariances Σ; symmetric positive definite.
    feature_names : sequence of str, optional
        Names by which `marginal` and `conditional` may address the features.
    dof : array-like of shape (K,), optional
        Degrees of freedom of Student-t components, for which `covariances` are their
        scale matrices; Gaussians if left out, which are the limit of large ones.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, the weights do not sum to
        one, or a covariance is not symmetric positive definite.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> mixture = Mixture([0.5, 0.5], [[0.0, 0.0], [3.0, 1.0]], [np.eye(2), np.eye(2)])
    >>> mixture.mean
    array([1.5, 0.5])
    >>> mixture.marginal([1]).means.ravel()
    array([0., 1.])
    >>> mixture.conditional({0: 3.0}).weights.round(3)
    array([0.011, 0.989])
    """

    weights: Array
    means: Array
    covariances: Array
    feature_names: tuple[str, ...] | None
    dof: Array | None

    def __init__(
        self,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
        dof: ArrayLike | None = None,
    ) -> None:
        pi, mu, sigma = (np.array(a, dtype=np.float64) for a in (weights, means, covariances))
        _check_parameters(pi, mu, sigma)
        names = None if feature_names is None else tuple(feature_names)
        nu = None if dof is None else np.array(dof, dtype=np.float64)
        if nu is not None and (nu.shape != pi.shape or not (np.isfinite(nu) & (nu > 0)).all()):
            raise ValueError(f"dof must be {len(pi)} positive finite numbers, got {dof!r}")
        self._assign(pi / pi.sum(), mu, sigma, names, nu)
        if names is not None and (len(names) != self.n_features or len(set(names)) != len(names)):
            raise ValueError(
                f"feature_names must be {self.n_features} different names, got {list(names)}"
            )
        try:
            self.whitening  # noqa: B018  computing it checks the covariances
        except np.linalg.LinAlgError:
            lowest = np.linalg.eigvalsh(self.covariances)[:, 0]
            worst = int(lowest.argmin())
            raise ValueError(
                f"covariances[{worst}] is not positive definite: its smallest eigenvalue is "
                f"{lowest[worst]:.3g}; raise it, for example by adding to the diagonal"
            ) from None

    @classmethod
    def trusted(
        cls,
        weights: Array,
        means: Array,
        covariances: Array,
        feature_names: tuple[str, ...] | None = None,
        dof: Array | None = None,
    ) -> Mixture:
        """Build from parameters that are known to be valid, without checking or copying."""
        mixture = cls.__new__(cls)
        mixture._assign(weights, means, covariances, feature_names, dof)
        return mixture

    def _assign(
        self,
        weights: Array,
        means: Array,
        covariances: Array,
        names: tuple[str, ...] | None,
        dof: Array | None,
    ) -> None:
        for array in (weights, means, covariances, dof):
            if array is not None:
                array.flags.writeable = False
        self.__dict__.update(
            weights=weights, means=means, covariances=covariances, feature_names=names, dof=dof
        )

    def part(self, chosen: IntArray | slice, scale: float = 1.0) -> Mixture:
        """Return some components, in the order given, their weights times `scale`.

        The weights are left as they are then, and sum to what they sum to.
        """
        return Mixture.trusted(
            self.weights[chosen] * scale,
            self.means[chosen],
            self.covariances[chosen],
            self.feature_names,
            None if self.dof is None else self.dof[chosen],
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Mixture is immutable; build a new one to change {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Mixture is immutable; {name!r} cannot be deleted")

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays come back writeable from a pickle or a deep copy.
        names = ("weights", "means", "covariances", "feature_names", "dof")
        self._assign(*(state[name] for name in names))

    def __repr__(self) -> str:
        tails = "" if self.dof is None else ", Student-t"
        return f"Mixture(K={self.n_components}, D={self.n_features}{tails})"

    @property
    def n_components(self) -> int:
        """Number of components K."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return int(self.means.shape[1])

    @cached_property
    def _factors(self) -> tuple[Array, Array]:
        factors = inverse_cholesky(self.covariances)
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

    def log_joint(self, X: ArrayLike) -> Array:
        """Return log π_k N(x_n; μ_k, Σ_k), or of t in place of N, shape (N, K).

        NaN is missing: a row counts by the marginal density of its other values.
        """
        rows = self._rows(X)
        centre = self.mean  # differences first, so that an offset costs no digits
        shifted = Mixture.trusted(self.weights, self.means - centre, self.covariances, dof=self.dof)
        shifted.__dict__["_factors"] = self._factors
        density = WhitenedDensity(shifted, np.dtype(np.float64))
        out = np.empty((len(rows), self.n_components))
        for start in range(0, len(rows), _BLOCK):
            block = np.asarray(rows[start : start + _BLOCK], dtype=np.float64) - centre
            # A row so far away that its distance overflows has log-density -inf.
            with np.errstate(over="ignore", invalid="ignore"):
                values = density.log_joint(np.ascontiguousarray(block.T)).T
                if self.dof is not None:
                    tails(values.T, log_normaliser(shifted)[:, None], self.dof, self.n_features)
            values[np.isnan(values) & np.isfinite(block).all(axis=1, keepdims=True)] = -np.inf
            missing = np.isnan(block)
            if missing.any():
                gaps = missing.any(axis=1)
                filled = np.where(missing, 0.0, block)[gaps]
                values[gaps] = log_joint(shifted, filled, missing[gaps])
            out[start : start + _BLOCK] = values
        return out

    def labels(self, X: ArrayLike) -> IntArray:
        """Return the component of largest responsibility of each row, shape (N,)."""
        return np.asarray(self.log_joint(X).argmax(axis=1))

    def impute(
        self,
        X: ArrayLike,
        *,
        how: str = "mean",
        n: int = 1,
        rng: np.random.Generator | int | None = None,
    ) -> Array:
        """Fill the missing values of rows from p(what is missing | what is there).

        Parameters
        ----------
        X : array-like of shape (N, D)
            NaN is missing; everything else is returned untouched.
        how : {"mean", "mode", "sample"}, default="mean"
            "mean" is the conditional expectation, the best guess in squared error;
            "mode" the conditional mean within the component that is most responsible
            for what is there, which never lies between clusters; "sample" a draw.
        n : int, default=1
            Number of draws, for multiple imputation.
        rng : Generator, int or None
            Source of randomness, or the seed of a new one.

        Returns
        -------
        array of shape (N, D), or (n, N, D) for draws

        Raises
        ------
        ValueError
            If the shape does not fit, `how` is unknown, or n > 1 without draws.

        Examples
        --------
        >>> from biglearn import Mixture
        >>> mixture = Mixture([1.0], [[0.0, 1.0]], [[[1.0, 0.5], [0.5, 1.0]]])
        >>> mixture.impute([[2.0, float("nan")], [3.0, 4.0]])
        array([[2., 2.],
               [3., 4.]])
        """
        rows = self._rows(X).astype(np.float64, copy=False)
        return impute(self, rows, how=how, n=n, rng=rng)

    def project(self, view: View) -> Mixture:
        """Return the mixture of y = B x: weights, B μ_k and B Σ_k Bᵀ."""
        if view.is_joint:
            return self
        covariances = symmetrise(view.basis @ self.covariances @ view.basis.T)
        return Mixture.trusted(self.weights, self.means @ view.basis.T, covariances, dof=self.dof)

    def marginal(self, features: Feature | Sequence[Feature]) -> Mixture:
        """Return the mixture of some features, in the order given.

        Parameters
        ----------
        features : int, str or a sequence of them
            Column numbers (negative ones count from the end) or names.

        Raises
        ------
        ValueError
            If a feature is unknown or named twice.
        """
        single = isinstance(features, int | np.integer | str)
        chosen = self._columns([features] if single else features)  # type: ignore[list-item,arg-type]
        names = self.feature_names
        return Mixture.trusted(
            self.weights,
            self.means[:, chosen],
            np.ascontiguousarray(self.covariances[:, chosen[:, None], chosen]),
            None if names is None else tuple(names[i] for i in chosen),
            self.dof,
        )

    def conditional(
        self,
        given: Mapping[Feature, float] | ArrayLike,
        *,
        features: Sequence[Feature] | None = None,
    ) -> Any:
        """Return p(the other features | the given ones).

        Parameters
        ----------
        given : mapping {feature: value}, or array-like of shape (N, d)
            One condition, or many rows of them.
        features : sequence of int or str, optional
            Which features the columns of `given` are.  A data frame's columns
            are taken by name where this is left out.

        Returns
        -------
        Mixture or ConditionalMixture
            For a mapping the mixture of the remaining features in their
            order; for many rows a `ConditionalMixture`, which holds one such
            mixture for each row.

        Raises
        ------
        ValueError
            If a feature is unknown or given twice, if none or all are given,
            or if a value is not finite.
        """
        if isinstance(given, Mapping):
            values = np.array([list(given.values())], dtype=np.float64)
            return ConditionalMixture(self, self._columns(list(given)), values)[0]
        if features is None:
            names = getattr(given, "columns", None)
            if names is None:
                raise ValueError(
                    "conditional() needs features=[...] to know which features the columns of "
                    "the array are"
                )
            features = list(names)
        return ConditionalMixture(
            self, self._columns(features), np.asarray(given, dtype=np.float64)
        )

    def transform(self, A: ArrayLike, b: ArrayLike | None = None) -> Mixture:
        """Return the mixture of y = A x + b.

        Parameters
        ----------
        A : array-like of shape (d, D)
            Of rank d, so that the result has a density.
        b : array-like of shape (d,), optional
            Zero if left out.

        Raises
        ------
        ValueError
            If the shapes do not fit or a transformed covariance is singular.
        """
        matrix = np.asarray(A, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] != self.n_features:
            raise ValueError(f"A must have shape (d, {self.n_features}), got {matrix.shape}")
        offset = np.zeros(len(matrix)) if b is None else np.asarray(b, dtype=np.float64)
        if offset.shape != (len(matrix),):
            raise ValueError(f"b must have shape ({len(matrix)},), got {offset.shape}")
        covariances = symmetrise(matrix @ self.covariances @ matrix.T)
        return Mixture(self.weights, self.means @ matrix.T + offset, covariances, dof=self.dof)

    @property
    def mean(self) -> Array:
        """Mean of the whole mixture, shape (D,)."""
        return self.weights @ self.means

    @property
    def covariance(self) -> Array:
        """Covariance of the whole mixture, shape (D, D).

        Infinite where a component has no more than two degrees of freedom.
        """
        centred = self.means - self.mean
        between = (self.weights[:, None] * centred).T @ centred
        return np.asarray(
            np.einsum("k,kij->ij", self.weights * spread(self.dof), self.covariances) + between
        )

    def sample(
        self, n: int = 1, rng: np.random.Generator | int | None = None
    ) -> tuple[Array, IntArray]:
        """Draw rows.

        Parameters
        ----------
        n : int
            Number of rows, at least 1.
        rng : Generator, int or None
            Source of randomness, or the seed of a new one.

        Returns
        -------
        X : array of shape (n, D)
        labels : array of shape (n,)
            The component of each row; components come in random order.
        """
        if n < 1:
            raise ValueError(f"sample() needs n >= 1, got {n}")
        rng = np.random.default_rng(rng)
        labels = rng.choice(self.n_components, size=n, p=self.weights / self.weights.sum())
        rows = np.empty((n, self.n_features))
        factors = np.linalg.cholesky(self.covariances)
        noise = rng.standard_normal((n, self.n_features))
        if self.dof is not None:
            noise /= np.sqrt(scales(self.dof[labels], (n,), rng))[:, None]
        for k in np.unique(labels):
            members = labels == k
            rows[members] = self.means[k] + noise[members] @ factors[k].T
        return rows, labels

    def kl_divergence(
        self,
        other: Mixture,
        *,
        n_samples: int = 10_000,
        rng: np.random.Generator | int | None = None,
    ) -> KLEstimate:
        """Estimate KL(self ‖ other) = E[log p(x) - log q(x)] by sampling.

        Returns
        -------
        KLEstimate
            (estimate, standard_error), in nats.
        """
        if other.n_features != self.n_features:
            raise ValueError(
                f"both mixtures need the same features, got {self.n_features} "
                f"and {other.n_features}"
            )
        if n_samples < 2:
            raise ValueError(f"kl_divergence() needs n_samples >= 2, got {n_samples}")
        rows, _ = self.sample(n_samples, rng)
        gap = self.log_density(rows) - other.log_density(rows)
        if np.isposinf(gap).any():  # the other has no density where this one has
            return KLEstimate(float("inf"), float("nan"))
        return KLEstimate(float(gap.mean()), float(gap.std(ddof=1) / np.sqrt(n_samples)))

    def _rows(self, X: ArrayLike) -> Array:
        rows = np.asarray(X)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise ValueError(
                f"X must have shape (N, {self.n_features}), got {rows.shape}; "
                "reshape one row with X.reshape(1, -1)"
            )
        return rows

    def _columns(self, features: Sequence[Feature]) -> IntArray:
        """Translate names and numbers into column numbers."""
        chosen = []
        for feature in features:
            if isinstance(feature, str):
                names = self.feature_names or ()
                if feature not in names:
                    known = list(names) or "none, this mixture has no feature names"
                    raise ValueError(f"unknown feature {feature!r}; known names: {known}")
                chosen.append(names.index(feature))
            elif not isinstance(feature, int | np.integer) or isinstance(feature, bool):
                raise ValueError(f"features are named by column numbers or names, got {feature!r}")
            elif not -self.n_features <= feature < self.n_features:
                raise ValueError(
                    f"feature {feature} is out of range for {self.n_features} features"
                )
            else:
                chosen.append(int(feature) % self.n_features)
        if not chosen or len(set(chosen)) != len(chosen):
            raise ValueError(f"name at least one feature and none twice, got {list(features)}")
        return np.array(chosen, dtype=np.intp)


def _check_parameters(weights: Array, means: Array, covariances: Array) -> None:
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(f"means must have shape (K, D), got {means.shape}")
    n_components, n_features = means.shape
    if weights.shape != (n_components,):
        raise ValueError(f"weights must have shape ({n_components},), got {weights.shape}")
    if covariances.shape != (n_components, n_features, n_features):
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
    scale = np.abs(covariances).max(axis=(1, 2), keepdims=True)
    skew = np.abs(covariances - np.swapaxes(covariances, 1, 2)) > 1e-8 * scale
    if skew.any():
        raise ValueError(f"covariances[{int(np.argwhere(skew)[0, 0])}] is not symmetric")
