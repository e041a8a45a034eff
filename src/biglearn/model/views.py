"""Views: the linear maps under which a mixture is matched to the data.

A view is a d x D matrix B with orthonormal rows.  The identity is the joint,
rows of it are a marginal, rows of a rotation a transformed marginal (Cong and
Li, AAAI 2024).  Nothing downstream asks which of the three it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biglearn._types import Array
from biglearn.model.linalg import random_rotation


@dataclass(frozen=True, eq=False)
class View:
    """A linear map y = B x with orthonormal rows.

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

    basis: Array
    name: str = "view"

    def __post_init__(self) -> None:
        basis = np.ascontiguousarray(self.basis, dtype=np.float64)
        if basis.ndim != 2 or not 1 <= basis.shape[0] <= basis.shape[1]:
            raise ValueError(
                f"a view needs a basis of shape (d, D) with 1 <= d <= D, got {basis.shape}"
            )
        if not np.allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-8):
            raise ValueError("the rows of a view's basis must be orthonormal; orthogonalise them")
        object.__setattr__(self, "basis", basis)

    @property
    def size(self) -> int:
        """Number of dimensions d of the view."""
        return len(self.basis)

    @property
    def n_features(self) -> int:
        """Number of features D of the rows that it projects."""
        return int(self.basis.shape[1])

    @property
    def is_joint(self) -> bool:
        """Whether the view is the identity, so that projecting changes nothing."""
        return self.size == self.n_features and np.array_equal(self.basis, np.eye(self.size))

    def after(self, first: View) -> View:
        """Return the view of rows that are already seen through another one."""
        return View(self.basis @ first.basis, self.name)

    @classmethod
    def joint(cls, n_features: int) -> View:
        """Match all features at once: B = I."""
        return cls(np.eye(n_features), "joint")

    @classmethod
    def marginal(cls, features: Sequence[int], n_features: int) -> View:
        """Match a subset of the features: rows of I."""
        return cls(np.eye(n_features)[list(features)], "marginal")

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
