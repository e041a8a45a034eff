"""Views: the linear maps under which a mixture is matched to the data.

A view is a d x D matrix B with orthonormal rows.  The identity is the joint,
rows of it are a marginal, rows of a rotation a transformed marginal (Cong and
Li, AAAI 2024).  Nothing downstream asks which of the three it has.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from biglearn._types import Array, BoolArray, IntArray
from biglearn.model.blocks import seen, selected
from biglearn.model.linalg import random_rotation, symmetrise


class View:
    """A linear map y = B x with orthonormal rows; immutable.

    Parameters
    ----------
    basis : array of shape (d, D)
        B; its rows are orthonormal.
    name : str
        Name in the history.

    Examples
    --------
    >>> from biglearn.model.views import View
    >>> view = View.marginal([2, 0], n_features=3)
    >>> view.basis
    array([[0., 0., 1.],
           [1., 0., 0.]])
    >>> view.size
    2
    """

    name: str
    size: int
    n_features: int
    _basis: Array | None
    _columns: IntArray | None

    def __init__(self, basis: Array, name: str = "view") -> None:
        basis = np.ascontiguousarray(basis, dtype=np.float64)
        if basis.ndim != 2 or not 1 <= basis.shape[0] <= basis.shape[1]:
            raise ValueError(
                f"a view needs a basis of shape (d, D) with 1 <= d <= D, got {basis.shape}"
            )
        if not np.allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-8):
            raise ValueError("the rows of a view's basis must be orthonormal; orthogonalise them")
        self._basis, self._columns, self.name = basis, None, name
        self.size, self.n_features = basis.shape
        if (basis.max(axis=1) == 1.0).all():  # then all other numbers of the row are rounding
            columns = basis.argmax(axis=1)
            if np.array_equal(basis, np.eye(self.n_features)[columns]):
                self._columns = columns

    @classmethod
    def _of_columns(cls, columns: IntArray, n_features: int, name: str) -> View:
        """Return the view of some of the features, whose basis is made when it is asked for."""
        view = cls.__new__(cls)
        view._basis, view._columns, view.name = None, columns, name
        view.size, view.n_features = len(columns), n_features
        return view

    @property
    def basis(self) -> Array:
        """B, shape (d, D)."""
        if self._basis is None:
            assert self._columns is not None
            basis = np.zeros((self.size, self.n_features))
            basis[np.arange(self.size), self._columns] = 1.0
            self._basis = basis
        return self._basis

    @property
    def is_joint(self) -> bool:
        """Whether the view is the identity, so that projecting changes nothing."""
        columns = self._columns
        return columns is not None and np.array_equal(columns, np.arange(self.n_features))

    @property
    def touched(self) -> BoolArray:
        """Which features have a part in the view, shape (D,)."""
        if self._columns is None:
            return np.asarray((self.basis != 0).any(axis=0))
        return np.isin(np.arange(self.n_features), self._columns)

    def after(self, first: View) -> View:
        """Return the view of rows that are already seen through another one."""
        if self._columns is not None and first._columns is not None:
            return View._of_columns(first._columns[self._columns], first.n_features, self.name)
        return View(self.rows(first.basis.T).T, self.name)

    def rows(self, X: Array) -> Array:
        """Return rows as the view sees them: B x of each, shape (N, d)."""
        if self._columns is None:
            return X @ self.basis.T
        return X if self.is_joint else np.take(X, self._columns, axis=1)

    def covariances(self, blocks: Array) -> Array:
        """Return B Σ Bᵀ of covariances in blocks; of a marginal in blocks again."""
        if self._columns is None:
            return symmetrise(seen(blocks, self.basis))
        return blocks if self.is_joint else selected(blocks, self._columns)

    @classmethod
    def joint(cls, n_features: int) -> View:
        """Match all features at once: B = I."""
        return cls._of_columns(np.arange(n_features), n_features, "joint")

    @classmethod
    def marginal(cls, features: Sequence[int] | IntArray, n_features: int) -> View:
        """Match a subset of the features: rows of I."""
        columns = np.arange(n_features)[np.asarray(features, dtype=np.intp)]
        if not 1 <= len(columns) <= n_features or len(set(columns.tolist())) < len(columns):
            raise ValueError(
                f"a marginal needs 1 to {n_features} different features, got {list(features)}"
            )
        return cls._of_columns(columns, n_features, "marginal")

    @classmethod
    def transformed(
        cls, features: Sequence[int], n_features: int, rng: np.random.Generator
    ) -> View:
        """Match a subset of randomly rotated features: rows of a Haar rotation."""
        return cls(random_rotation(n_features, rng)[list(features)], "transformed")


def random_subset(n_features: int, size: int, rng: np.random.Generator) -> list[int]:
    """Draw `size` of the features without replacement, in ascending order.

    Parameters
    ----------
    n_features : int
        D.
    size : int
        d, at most D.
    rng : Generator
        Source of randomness.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.views import random_subset
    >>> random_subset(3, 3, np.random.default_rng(0))
    [0, 1, 2]
    """
    return sorted(rng.choice(n_features, size=size, replace=False).tolist())


def beta_subset_size(
    n_features: int, rng: np.random.Generator, *, a: float = 5.0, b: float = 1.0
) -> int:
    """Draw ⌊D·Beta(a, b)⌋, at least 1 (the paper's size of a marginal).

    The published rule can draw 0, which is a step without effect; 1 replaces it.

    Parameters
    ----------
    n_features : int
        D.
    rng : Generator
        Source of randomness.
    a, b : float
        Of the Beta distribution, 5 and 1 in the paper.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.views import beta_subset_size
    >>> rng = np.random.default_rng(0)
    >>> sizes = [beta_subset_size(10, rng) for _ in range(1000)]
    >>> min(sizes) >= 1, max(sizes), sizes.count(9) > 300
    (True, 9, True)
    """
    return int(min(max(np.floor(n_features * rng.beta(a, b)), 1), n_features))
