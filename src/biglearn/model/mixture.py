"""The Gaussian mixture as a distribution: immutable, in the user's units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, IntArray
from biglearn.display import notebook
from biglearn.model.blocks import averaged, seen, under, whole
from biglearn.model.checks import Feature, check_mixture, check_rows, feature_columns
from biglearn.model.components import Components, Places
from biglearn.model.conditional import ConditionalMixture
from biglearn.model.densities import FromLogJoint, Tails, density_of
from biglearn.model.families import Family, family_and_shapes
from biglearn.model.gaps import observed_log_joint
from biglearn.model.imputation import impute
from biglearn.model.linalg import inverse_cholesky, symmetrise
from biglearn.model.listed import component_table, mean_table
from biglearn.model.views import View
from biglearn.tables.containers import as_array

#: Rows per block of a density, at most, and numbers (K, D, b), about; they bound the memory of
#: every method.
_BLOCK, _NUMBERS = 2048, 1 << 21


class KLEstimate(NamedTuple):
    """A divergence estimated by sampling, in nats, and its standard error."""

    estimate: float
    standard_error: float


class Mixture(Components, FromLogJoint):
    """A mixture of K Gaussian or Student-t components over D features.

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
        Degrees of freedom of Student-t components, whose scale matrices `covariances` are;
        short for ``family="student"`` with these shapes.
    family : {"gaussian", "student"} or Family, optional
        Family of the components; Gaussian if neither it nor `dof` is given.
    shapes : array-like of shape (K, S), optional
        Shapes of each component; those that a fit begins with if left out.

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

    feature_names: tuple[str, ...] | None

    def __init__(
        self,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
        dof: ArrayLike | None = None,
        family: str | Family | None = None,
        shapes: ArrayLike | None = None,
    ) -> None:
        pi, mu, sigma = (np.array(a, dtype=np.float64) for a in (weights, means, covariances))
        check_mixture(pi, mu, sigma)
        kind, theirs = family_and_shapes(len(pi), dof, family, shapes)
        super().__init__(pi / pi.sum(), mu, sigma, theirs, kind)
        names = None if feature_names is None else tuple(feature_names)
        self.__dict__["feature_names"] = names
        if names is not None and (len(names) != self.n_features or len(set(names)) != len(names)):
            raise ValueError(
                f"feature_names must be {self.n_features} different names, got {list(names)}"
            )
        try:
            inverse_cholesky(self.blocks)  # strictly: nothing here comes from rounding
        except np.linalg.LinAlgError:
            lowest = np.linalg.eigvalsh(self.blocks)[..., 0].reshape(len(pi), -1).min(axis=1)
            worst = int(lowest.argmin())
            raise ValueError(
                f"covariances[{worst}] is not positive definite: its smallest eigenvalue is "
                f"{lowest[worst]:.3g}; raise it, for example by adding to the diagonal"
            ) from None

    @classmethod
    def of(cls, components: Components, feature_names: tuple[str, ...] | None = None) -> Mixture:
        """Return components as a mixture, without checks and without copies.

        Parameters
        ----------
        components : Components
            With valid parameters and weights that sum to one, such as those of a fit.
        feature_names : tuple of D str, default=None
        """
        mixture = cls.__new__(cls)
        mixture.__dict__.update(vars(components), feature_names=feature_names)
        return mixture

    def __repr__(self) -> str:
        tails = f", {self.family.title}" if self.family.has_tails else ""
        return f"Mixture(K={self.n_components}, D={self.n_features}{tails})"

    def _repr_html_(self) -> str:
        return notebook([component_table(self), mean_table(self, self.feature_names, 12)])

    @property
    def dof(self) -> Array | None:
        """Degrees of freedom of Student-t components, shape (K,); None for other families."""
        return self.named_shapes.get("dof")

    def log_joint(self, X: ArrayLike) -> Array:
        """Return log π_k N(x_n; μ_k, Σ_k), or of t in place of N, shape (N, K).

        NaN is missing: a row counts by the marginal density of its other values.
        """
        rows = self._rows(X)
        centre = self.mean  # differences first, so that an offset costs no digits
        shifted = self.shifted(-centre)
        log_joint_of, tails = density_of(shifted), Tails.of(shifted)
        out = np.empty((len(rows), self.n_components))
        step = min(_BLOCK, max(_NUMBERS // self.means.size, 64))
        for start in range(0, len(rows), step):
            block = np.asarray(rows[start : start + step], dtype=np.float64) - centre
            # A row so far away that its distance overflows has log-density -inf.
            with np.errstate(over="ignore", invalid="ignore"):
                values = log_joint_of(block).T
                if tails is not None:
                    tails.apply(values.T)
            values[np.isnan(values) & np.isfinite(block).all(axis=1, keepdims=True)] = -np.inf
            missing = np.isnan(block)
            if missing.any():
                gaps = missing.any(axis=1)
                filled = np.where(missing, 0.0, block)[gaps]
                values[gaps] = observed_log_joint(shifted, filled, missing[gaps])
            out[start : start + step] = values
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
        """Fill missing values from their distribution given the observed ones.

        Parameters
        ----------
        X : array-like of shape (N, D)
            NaN is missing; everything else is returned untouched.
        how : {"mean", "mode", "sample"}, default="mean"
            "mean" is the conditional expectation, the best guess in squared error;
            "mode" the conditional mean within the component that is most responsible
            for the observed values, which never lies between clusters; "sample" a draw.
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
        return impute(self, self._rows(X).astype(np.float64, copy=False), how=how, n=n, rng=rng)

    def part(self, chosen: Places, scale: float = 1.0) -> Mixture:
        """Return some components in the given order; weights are not renormalised."""
        return Mixture.of(super().part(chosen, scale), self.feature_names)

    def project(self, view: View) -> Mixture:
        """Return the mixture of y = B x: weights, B μ_k and B Σ_k Bᵀ."""
        return self if view.is_joint else Mixture.of(super().project(view))

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
        marginal = super().project(View.marginal(chosen, self.n_features))
        return Mixture.of(marginal, None if names is None else tuple(names[i] for i in chosen))

    @overload
    def conditional(self, given: Mapping[Feature, float]) -> Mixture: ...

    @overload
    def conditional(
        self, given: ArrayLike, *, features: Sequence[Feature] | None = None
    ) -> ConditionalMixture[Mixture]: ...

    def conditional(
        self,
        given: Mapping[Feature, float] | ArrayLike,
        *,
        features: Sequence[Feature] | None = None,
    ) -> Mixture | ConditionalMixture[Mixture]:
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
            return self._conditional(list(given), values)[0]
        if features is None:
            names = getattr(given, "columns", None)
            if names is None:
                raise ValueError(
                    "conditional() needs features=[...] to know which features the columns of "
                    "the array are"
                )
            features = list(names)
        return self._conditional(features, np.asarray(as_array(given), dtype=np.float64))

    def _conditional(
        self, features: Sequence[Feature], values: Array
    ) -> ConditionalMixture[Mixture]:
        return ConditionalMixture(
            self, self._columns(features), values, names=self.feature_names, build=Mixture.of
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
        covariances = symmetrise(seen(self.blocks, matrix))
        means = self.means @ matrix.T + offset
        return Mixture(self.weights, means, covariances, family=self.family, shapes=self.shapes)

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
        shares = self.weights * self.family.spread(self.shapes)
        return np.asarray(whole(averaged(shares, self.blocks)[None])[0] + between)

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
        factors = np.linalg.cholesky(self.blocks)
        noise = rng.standard_normal((n, self.n_features))
        noise /= np.sqrt(self.family.draw_scales(self.shapes[labels], rng))[:, None]
        for k in np.unique(labels):
            members = labels == k
            rows[members] = self.means[k] + under(factors[k], noise[members])
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
        return check_rows(X, self.n_features)

    def _columns(self, features: Sequence[Feature]) -> IntArray:
        return feature_columns(features, self.feature_names, self.n_features)
