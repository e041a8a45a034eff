"""A digest of rows that adds up over blocks, wherever the rows live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from biglearn._types import Array, FloatArray

_Words = NDArray[np.uint64]

_MODULUS = 1 << 64

#: Of each half of the digest: by what a row before another one is multiplied (odd, so that
#: nothing is lost), and what the bits of its numbers begin with.
_HALVES = ((0x9E3779B97F4A7C15, 0x243F6A8885A308D3), (0xC2B2AE3D27D4EB4F, 0x13198A2E03707344))


@dataclass(frozen=True)
class RowDigest:
    """Number of rows, and 128 bits that depend on every bit of them, their weights and order.

    Blocks may be cut anywhere: Σ h_n Bᴺ⁻ⁿ (mod 2⁶⁴) over mixed rows h_n goes on from block to
    block.  It tells rows apart that differ by accident, not those made to be alike.

    Attributes
    ----------
    n_rows : int
    values : tuple of int
        Of each half.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.engines.rows.digest import RowDigest
    >>> X = np.arange(6.0).reshape(3, 2)
    >>> RowDigest.of(X) == RowDigest.of(X[:1]) + RowDigest.of(X[1:])
    True
    >>> RowDigest.of(X) == RowDigest.of(X[::-1])
    False
    """

    n_rows: int
    values: tuple[int, ...]

    @classmethod
    def of(cls, rows: FloatArray, weights: Array | None = None) -> Self:
        """Return the digest of one block, (b, D), and weights (b,)."""
        columns = list(rows.T) if weights is None else [*rows.T, weights]
        values = []
        for base, seed in _HALVES:
            mixed: _Words = np.full(len(rows), seed, dtype=np.uint64)
            for column in columns:
                bits = np.ascontiguousarray(column, dtype=np.float64).view(np.uint64)
                mixed = _mixed(mixed ^ bits) + np.uint64(seed)
            powers: _Words = np.full(len(rows), base, dtype=np.uint64)
            powers[-1:] = 1
            powers = np.cumprod(powers[::-1], dtype=np.uint64)[::-1]
            values.append(int((mixed * powers).sum(dtype=np.uint64)))
        return cls(len(rows), tuple(values))

    def __add__(self, other: Self) -> Self:
        halves = zip(self.values, other.values, _HALVES, strict=True)
        values = tuple(
            (one * pow(base, other.n_rows, _MODULUS) + two) % _MODULUS
            for one, two, (base, _) in halves
        )
        return type(self)(self.n_rows + other.n_rows, values)

    def hex(self) -> str:
        """Return it in words."""
        return "".join(f"{value:016x}" for value in self.values)


def _mixed(words: _Words) -> _Words:
    """Let every bit depend on every other one (the last steps of SplitMix64)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
