"""The arithmetic of a block of rows on a torch device: densities, responsibilities, sums.

Rows come as ỹ = (1, y), features first, shape (L, b) with L = d + 1, so that constants,
linear and quadratic terms are one thing: with W̃_k = W_k (-μ_k, I) a log-density is
-½‖W̃_k ỹ‖² + const, and the moments of a component are Σ r ỹ ỹᵀ.

The triangle of ỹ ỹᵀ is cut into a few rectangles.  Large products on them take little
more than half of the arithmetic of the square, in either form: the features Φ, the
entries of the rectangles, are made once for all components; the whitened form makes one
rectangle after the other for each component.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import numpy as np
import torch

from biglearn._types import Array
from biglearn.model.blocks import diagonals, gram, shape_of, times
from biglearn.model.components import Components
from biglearn.model.densities import log_normaliser

Tensor: TypeAlias = torch.Tensor

#: Cost of a number of the whitened form relative to one of the features, measured.
_WHITENED_COST = {"cpu": 2, "cuda": 1}

#: Rectangles that a triangle is cut into: 8 take 9/16 of the square.
_PANELS = 8

#: Rows whose products are summed in the rows' own precision, before float64.
_GROUP = 2048


class Panels:
    """The products ỹ_i ỹ_j with j up to the end of the rectangle that row i is in.

    Parameters
    ----------
    length : int
        L = d + 1.
    """

    def __init__(self, length: int) -> None:
        width = -(-length // _PANELS)
        self.length = length
        self.bounds = [(i, min(i + width, length)) for i in range(0, length, width)]
        self.n_products = sum((stop - start) * stop for start, stop in self.bounds)
        self.widest = width

    def fill(self, rows: Tensor, out: Tensor) -> Tensor:
        """Write the products of a block (L, b) into `out`, shape (P, b)."""
        offset = 0
        for start, stop in self.bounds:
            size = (stop - start) * stop
            target = out[offset : offset + size].unflatten(0, (stop - start, stop))
            torch.mul(rows[start:stop, None], rows[None, :stop], out=target)
            offset += size
        return out

    def pack(self, components: Components) -> Array:
        """Return the coefficients, (K, P), with which the products give log π_k N(y)."""
        factors = homogeneous(components)
        matrices = -0.5 * (np.swapaxes(factors, 1, 2) @ factors)
        matrices[:, 0, 0] += log_normaliser(components)
        blocks = []
        for start, stop in self.bounds:
            block = matrices[:, start:stop, :stop].copy()
            block[:, :, :start] *= 2  # stands for its mirror image too
            blocks.append(block.reshape(len(matrices), -1))
        return np.concatenate(blocks, axis=1)

    def unpack(self, sums: Array) -> tuple[Array, Array, Array]:
        """Split sums over the products, (K, P), into counts, first and second moments."""
        matrices = np.empty((len(sums), self.length, self.length))
        offset = 0
        for start, stop in self.bounds:
            size = (stop - start) * stop
            block = sums[:, offset : offset + size].reshape(-1, stop - start, stop)
            matrices[:, start:stop, :stop] = block
            matrices[:, :start, start:stop] = np.swapaxes(block[:, :, :start], 1, 2)
            offset += size
        return matrices[:, 0, 0].copy(), matrices[:, 0, 1:].copy(), matrices[:, 1:, 1:]

    def weighted_sums(self, shares: Tensor, rows: Tensor) -> Tensor:
        """Return Σ_n r_kn times the products, (K, P) in float64, without making Φ."""
        sums = []
        for start, stop in self.bounds:
            weighted = (shares[:, None] * rows[start:stop]).flatten(0, 1)
            sums.append(summed_product(weighted, rows[:stop]).view(len(shares), -1))
        return torch.cat(sums, dim=1)


class Squares:
    """The products that diagonal covariances need: (ỹ, y²)."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.n_products = 2 * length - 1

    def fill(self, rows: Tensor, out: Tensor) -> Tensor:
        """Write the products of a block (L, b) into `out`, shape (P, b)."""
        out[: self.length] = rows
        torch.mul(rows[1:], rows[1:], out=out[self.length :])
        return out

    def pack(self, components: Components) -> Array:
        """Return the coefficients, (K, P), with which the products give log π_k N(y)."""
        precisions = diagonals(gram(components.whitening_blocks))
        linear = precisions * components.means
        constant = log_normaliser(components) - 0.5 * (linear * components.means).sum(axis=1)
        return np.concatenate([constant[:, None], linear, -0.5 * precisions], axis=1)

    def unpack(self, sums: Array) -> tuple[Array, Array, Array]:
        """Split sums over the products, (K, P), into counts, first and second moments."""
        ones, first, squares = np.split(sums, [1, self.length], axis=1)
        second = squares.reshape(len(sums), *shape_of(self.length - 1, 1))
        return ones[:, 0].copy(), first.copy(), second.copy()


def summed_product(left: Tensor, right: Tensor) -> Tensor:
    """Return left @ rightᵀ, (m, b) and (n, b) to (m, n), summed in float64.

    Groups of rows are multiplied in the tensors' own precision, all at once: that bounds
    the rounding, and gives a device enough to do where m and n are small.
    """
    n_rows = left.shape[1]
    whole = n_rows - n_rows % _GROUP
    total = torch.zeros((len(left), len(right)), dtype=torch.float64, device=left.device)
    if whole:
        a = left[:, :whole].unflatten(1, (-1, _GROUP)).transpose(0, 1)
        b = right[:, :whole].unflatten(1, (-1, _GROUP)).permute(1, 2, 0)
        total += torch.bmm(a, b).sum(dim=0, dtype=torch.float64)
    if whole < n_rows:
        total += left[:, whole:] @ right[:, whole:].T
    return total


def homogeneous(components: Components) -> Array:
    """Return W̃_k = W_k (-μ_k, I), shape (K, d, L)."""
    shift = times(components.whitening_blocks, components.means)
    return np.concatenate([-shift[:, :, None], components.whitening], axis=2)


class QuadraticForm:
    """log π_k N(y) as one product with the features."""

    def __init__(self, components: Components, products: Panels | Squares, like: Tensor) -> None:
        self._theta = sent(products.pack(components), like)

    def log_joint(self, rows: Tensor, features: Tensor | None) -> Tensor:
        """Return log π_k N(y_n) of a block with its features, shape (K, b)."""
        if features is None:
            raise TypeError("the quadratic form needs the features of the block")
        return self._theta @ features


class WhitenedForm:
    """log π_k N(y) through whitened differences: accurate for every covariance."""

    def __init__(self, components: Components, like: Tensor) -> None:
        factors = homogeneous(components)
        self._n_components = len(factors)
        self._constant = sent(log_normaliser(components)[:, None], like)
        # row i of W̃ ends with column i + 1
        self._panels = [
            (sent(factors[:, max(start - 1, 0) : stop - 1, :stop].reshape(-1, stop), like), stop)
            for start, stop in Panels(factors.shape[2]).bounds
            if stop > 1
        ]

    def log_joint(self, rows: Tensor, features: Tensor | None) -> Tensor:
        """Return log π_k N(y_n) of a block (L, b), shape (K, b)."""
        log_joint = self._constant.repeat(1, rows.shape[1])
        for factor, stop in self._panels:
            whitened = (factor @ rows[:stop]).unflatten(0, (self._n_components, -1))
            log_joint.sub_(squared_norms(whitened), alpha=0.5)
        return log_joint


def squared_norms(vectors: Tensor) -> Tensor:
    """Return the sum of squares along axis 1 of a tensor that nobody needs any more."""
    if vectors.is_cuda:  # one reading; on the CPU the same call is ten times slower than two
        return torch.linalg.vector_norm(vectors, dim=1).square_()
    return vectors.square_().sum(dim=1)


def sent(values: Array, like: Tensor) -> Tensor:
    """Copy parameters to the device of a tensor, in its type."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(like.dtype).to(like.device)


def normalise(log_joint: Tensor) -> tuple[Tensor, Tensor]:
    """Return responsibilities, (K, b), and log p(y_n), (b,).

    A row that no component reaches has log-density -inf and equal responsibilities.
    """
    highest = log_joint.amax(dim=0)
    shares = torch.softmax(log_joint, dim=0).nan_to_num_(nan=1 / len(log_joint))
    # log Σ exp(l) = l_max - log r_max, which needs no second exponential
    log_density = highest - shares.amax(dim=0).log()
    return shares, log_density


def tails_of(components: Components, like: Tensor) -> Callable[[Tensor], Tensor] | None:
    """Return a function from log π_k N(y), (K, b), to E(u), or None for Gaussians.

    It turns its argument into the log-joint of the components' family in place.
    """
    family = components.family
    if not family.has_tails:
        return None
    numbers = family.numbers(components.shapes, components.n_features)
    columns = [sent(column[:, None], like) for column in numbers.T]
    constant = sent(log_normaliser(components)[:, None], like)

    def apply(log_joint: Tensor) -> Tensor:
        distances = (2 * (constant - log_joint)).nan_to_num_(nan=0.0, posinf=math.inf)
        log_density, scales = family.weigh(distances.clamp_(min=0), columns, torch)
        log_joint.copy_(constant + log_density)
        return cast(Tensor, scales)

    return apply


def bytes_per_row(n_components: int, products: Panels | Squares, featured: bool, item: int) -> int:
    """Return the bytes that a row of a block needs while it is worked on."""
    length = products.length
    if featured:
        width = products.n_products
        partial = n_components * width / _GROUP
    else:
        width = n_components * -(-length // _PANELS)
        partial = width * length / _GROUP
    return math.ceil(item * (width + partial + 2 * length + 4 * n_components))


def features_pay(n_components: int, products: Panels | Squares, device: torch.device) -> bool:
    """Whether features cost less than whitened rectangles; the arithmetic is the same.

    Features are written once and read by both products, 3 P numbers a row; the other form
    writes and reads K L numbers in either, in more and smaller operations.
    """
    whitened = _WHITENED_COST.get(device.type, 1) * n_components * products.length
    return 3 * products.n_products < 4 * whitened


def as_tensor(values: Any) -> Tensor:
    """Return an array or tensor as a tensor without gradients, sharing memory where it can."""
    if isinstance(values, torch.Tensor):
        return values.detach()
    array = np.asarray(values)
    if any(stride < 0 for stride in array.strides):
        array = array.copy()  # torch has no reversed tensors
    with warnings.catch_warnings():  # nor read-only ones; but nobody writes to rows here
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
