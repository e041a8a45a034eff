"""Missing values: conditional distributions, pattern by pattern, in closed form.

A value that is NaN is missing at random.  Seen through a view y = B x, a row whose
features m are missing tells of y only the directions that none of m touches; the others,
with orthonormal basis E, are hidden: the columns of B[:, m] span them.  Given the rest, a
component with precision Λ = Σ⁻¹ has in the hidden directions

    the precision  M = E Λ Eᵀ,  and the mean  y - T Λ (y - μ)  with  T = Eᵀ M⁻¹ E,

whatever stands in place of the missing values (here zero).  So one Cholesky factor of M
for every pattern and component is all that gaps cost; T is the conditional covariance, and
the density of the observed part is that of the completed row, with log |M| in its constant.
See docs/explanation/missing-values.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from biglearn._types import Array, BoolArray, IntArray
from biglearn.model.components import Components
from biglearn.model.densities import Tails, log_normaliser, normalise
from biglearn.model.families import Family
from biglearn.model.linalg import inverse_cholesky
from biglearn.model.views import View

#: Floats of the largest buffer while stacks are worked on: it should stay in the cache.
_BUFFER = 1 << 18

#: A pattern with more rows is cut into pieces.
_LONGEST = 1024

#: Singular values below this are no direction.
_NO_DIRECTION = 1e-10

_LOG_2PI = float(np.log(2.0 * np.pi))


class Pattern(NamedTuple):
    """Rows of which a view hides the same directions.

    Attributes
    ----------
    hidden : array of shape (m, d)
        Orthonormal basis E of those directions.
    rows : array of shape (n,)
        Numbers of the rows.
    """

    hidden: Array
    rows: IntArray


@dataclass(frozen=True, eq=False)
class Stack:
    """Patterns that hide equally many directions, for batched algebra.

    Attributes
    ----------
    hidden : array of shape (P, m, d)
        Basis of the directions that each pattern hides.
    rows : array of shape (P, n)
        Numbers of each pattern's rows; -1 is padding.
    """

    hidden: Array
    rows: IntArray

    def chunks(self, n_components: int) -> Iterator[Stack]:
        """Cut the stack, so that work with K components fits the cache."""
        _, n_hidden, size = self.hidden.shape
        each = n_components * size * (self.rows.shape[1] + n_hidden)
        step = max(1, _BUFFER // each)
        for start in range(0, len(self.rows), step):
            block = slice(start, start + step)
            yield Stack(self.hidden[block], self.rows[block])


def find_patterns(missing: BoolArray, view: View) -> list[Pattern]:
    """Group rows by the directions that are hidden from a view; each row is in one pattern.

    Parameters
    ----------
    missing : array of shape (N, D)
        Which values are missing.
    view : View

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.gaps import find_patterns
    >>> from biglearn.model.views import View
    >>> missing = np.array([[True, False], [False, False], [True, False]])
    >>> for hidden, rows in find_patterns(missing, View.joint(2)):
    ...     print(hidden.tolist(), rows.tolist())
    [] [1]
    [[1.0, 0.0]] [0, 2]
    """
    touched = missing & view.touched
    _, first, which, counts = np.unique(
        np.packbits(touched, axis=1),
        axis=0,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    members = np.split(np.argsort(which.ravel(), kind="stable"), np.cumsum(counts)[:-1])
    hidden = _directions(touched[first], view.basis)
    return [Pattern(*pair) for pair in zip(hidden, members, strict=True)]


def _directions(patterns: BoolArray, basis: Array) -> list[Array]:
    """Return bases of the directions that patterns, (P, D), hide: P arrays (m, d)."""
    support = basis[:, (basis != 0).any(axis=0)]
    if support.shape[1] == len(basis) and np.array_equal(support.T @ support, np.eye(len(basis))):
        return [basis[:, pattern].T for pattern in patterns]  # a marginal: already orthonormal
    counts = patterns.sum(axis=1)
    found: list[Array] = [np.empty(0)] * len(patterns)
    for count in np.unique(counts):
        chosen = np.flatnonzero(counts == count)
        columns = np.nonzero(patterns[chosen])[1].reshape(len(chosen), count)
        vectors = np.swapaxes(basis.T[columns], 1, 2)
        left, values, _ = np.linalg.svd(vectors, full_matrices=False)
        ranks = (values > _NO_DIRECTION).sum(axis=1)
        for pattern, directions, rank in zip(chosen, left, ranks, strict=True):
            found[pattern] = directions[:, :rank].T
    return found


def stacked(patterns: Iterable[Pattern]) -> list[Stack]:
    """Stack patterns that hide equally many directions of about equally many rows."""
    alike: dict[tuple[int, int], list[Pattern]] = {}
    for hidden, rows in patterns:
        for start in range(0, len(rows), _LONGEST):
            piece = rows[start : start + _LONGEST]
            key = len(hidden), (len(piece) - 1).bit_length()
            alike.setdefault(key, []).append(Pattern(hidden, piece))
    stacks = []
    for _, group in sorted(alike.items(), key=lambda item: item[0]):
        table = np.full((len(group), max(len(rows) for _, rows in group)), -1, dtype=np.intp)
        for line, (_, rows) in zip(table, group, strict=True):
            line[: len(rows)] = rows
        stacks.append(Stack(np.stack([hidden for hidden, _ in group]), table))
    return stacks


@dataclass(frozen=True, eq=False)
class Completed:
    """The rows of a stack, completed under every component.

    Attributes
    ----------
    rows : array of shape (n,)
        Their numbers; -1 is padding.
    deviations : array of shape (K, n, d)
        Conditional mean of each row less the component's mean.
    log_joint : array of shape (K, n)
        log π_k p(observed part of the row | k).
    roots : array of shape (K, P, m, d)
        J with JᵀJ = T, the conditional covariance of the hidden directions.
    scales : array of shape (K, n)
        E(u | observed part, k), by which T is to be divided; 1 for Gaussians.
    shapes : array of shape (K, S)
        Shapes given the observed part.
    family : Family
    """

    rows: IntArray
    deviations: Array
    log_joint: Array
    roots: Array
    scales: Array
    shapes: Array
    family: Family

    @property
    def owners(self) -> IntArray:
        """The pattern of each row, by its place in the stack, shape (n,)."""
        n_patterns = self.roots.shape[1]
        return np.repeat(np.arange(n_patterns), len(self.rows) // n_patterns)


def conditional_roots(components: Components, hidden: Array) -> tuple[Array, Array]:
    """Return J with JᵀJ = T, shape (K, P, m, d), and -½ log |M|, shape (K, P).

    For P bases of hidden directions, shape (P, m, d).
    """
    n_components = len(components.means)
    n_patterns, n_hidden, size = hidden.shape
    flat = hidden.reshape(1, n_patterns * n_hidden, size)
    pulled = flat @ components.precisions
    pulled = pulled.reshape(n_components, n_patterns, n_hidden, size)
    inner = pulled @ np.swapaxes(hidden, 1, 2)
    factors, half_log_det = inverse_cholesky(
        inner.reshape(n_components * n_patterns, n_hidden, n_hidden)
    )
    roots = factors.reshape(inner.shape) @ hidden
    return roots, half_log_det.reshape(n_components, n_patterns)


def complete(components: Components, rows: Array, stack: Stack) -> Completed:
    """Complete the rows of a stack under every component.

    Parameters
    ----------
    components : Components
        Over the d dimensions of the view.
    rows : array of shape (N, d)
        All rows in the view, with any finite number in place of missing values.
    stack : Stack

    Returns
    -------
    Completed
    """
    means, whitening = components.means, components.whitening
    n_components, size = means.shape
    n_hidden = stack.hidden.shape[1]
    roots, half_log_det = conditional_roots(components, stack.hidden)
    deviations = rows[stack.rows] - means[:, None, None, :]
    if n_hidden:
        # one product for each component, not one for each pattern
        pulls = roots.reshape(n_components, -1, size) @ components.precisions
        pulls = pulls.reshape(roots.shape)
        deviations -= (deviations @ np.swapaxes(pulls, 2, 3)) @ roots
    deviations = deviations.reshape(n_components, -1, size)
    distances = ((deviations @ np.swapaxes(whitening, 1, 2)) ** 2).sum(axis=2)
    constant = _peaks(components, n_hidden, half_log_det)
    top = np.repeat(constant, stack.rows.shape[1], axis=1)
    log_joint = top - 0.5 * distances
    seen, family = size - n_hidden, components.family
    scales: Array = np.broadcast_to(1.0, log_joint.shape)
    if family.has_tails:
        scales = np.asarray(Tails(family, components.shapes, seen, top).apply(log_joint))
    shapes = family.given(components.shapes, seen)
    return Completed(stack.rows.ravel(), deviations, log_joint, roots, scales, shapes, family)


def _peaks(components: Components, n_hidden: int, half_log_det: Array) -> Array:
    """Return log π_k p(mean of the observed part | k) of Gaussians for each pattern, (K, P)."""
    if n_hidden == components.n_features:  # nothing is seen, without rounding
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(components.weights)[:, None] + np.zeros(half_log_det.shape))
    constant = (log_normaliser(components) + 0.5 * n_hidden * _LOG_2PI)[:, None]
    return np.asarray(constant + half_log_det)


def completions(
    components: Components, rows: Array, stacks: Iterable[Stack]
) -> Iterator[Completed]:
    """Complete all rows, piece by piece."""
    for stack in stacks:
        for chunk in stack.chunks(len(components.means)):
            yield complete(components, rows, chunk)


def observed_log_joint(components: Components, rows: Array, missing: BoolArray) -> Array:
    """Return log π_k p(observed part of x_n | k), shape (N, K).

    Rows hold any finite number in place of missing values; both have shape (N, D).
    """
    out = np.empty((len(rows), len(components.means)))
    stacks = stacked(find_patterns(missing, View.joint(rows.shape[1])))
    with np.errstate(over="ignore", invalid="ignore"):
        for done in completions(components, rows, stacks):
            shown = done.rows >= 0
            out[done.rows[shown]] = done.log_joint[:, shown].T
    return np.where(np.isnan(out), -np.inf, out)


def observed_peaks(components: Components, missing: BoolArray) -> Array:
    """Return the log of π_k times the density of each row's observed part at its mean, (N, K).

    Of Gaussian components; `missing` has shape (N, D).
    """
    out = np.empty((len(missing), len(components.means)))
    for stack in stacked(find_patterns(missing, View.joint(missing.shape[1]))):
        for chunk in stack.chunks(len(components.means)):
            _, half_log_det = conditional_roots(components, chunk.hidden)
            peaks = _peaks(components, chunk.hidden.shape[1], half_log_det)
            shown = chunk.rows >= 0
            out[chunk.rows[shown]] = np.repeat(peaks.T, shown.sum(axis=1), axis=0)
    return out


#: Values to put in the place of hidden ones: completed rows, with responsibilities in
#: place of the log-joint, to values of shape (n, d).
Rule = Callable[[Components, Completed], Array]


def fill(
    components: Components, rows: Array, stacks: Iterable[Stack], rule: Rule, n: int = 1
) -> Array:
    """Return the rows n times, shape (n, N, d), with hidden values filled by a rule."""
    out = np.array(np.broadcast_to(rows, (n, *rows.shape)))
    for done in completions(components, rows, stacks):
        normalise(done.log_joint)
        shown = done.rows >= 0
        for copy in out:
            copy[done.rows[shown]] = rule(components, done)[shown]
    return out


def expectation(components: Components, done: Completed) -> Array:
    """Return E(x | observed part), exactly."""
    means = done.log_joint.T @ components.means
    return np.asarray(means + np.einsum("kn,knd->nd", done.log_joint, done.deviations))


def likeliest(components: Components, done: Completed) -> Array:
    """Return E(x | observed part, k) of the most responsible component k."""
    return _under(components, done, done.log_joint.argmax(axis=0))


def drawing(rng: np.random.Generator) -> Rule:
    """Return the rule that draws from p(x | observed part)."""

    def draw(components: Components, done: Completed) -> Array:
        cumulative = done.log_joint.cumsum(axis=0)
        thresholds = rng.random(len(done.rows)) * cumulative[-1]
        chosen = (cumulative < thresholds).sum(axis=0)
        roots = done.roots[chosen, done.owners]
        noise = rng.standard_normal(roots.shape[:2])
        scales = done.scales[chosen, np.arange(len(chosen))]
        scales = scales * done.family.draw_scales(done.shapes[chosen], rng)
        noise /= np.sqrt(scales)[:, None]
        spread = np.einsum("nm,nmd->nd", noise, roots)
        return np.asarray(_under(components, done, chosen) + spread)

    return draw


def _under(components: Components, done: Completed, chosen: IntArray) -> Array:
    means = components.means[chosen]
    return np.asarray(means + done.deviations[chosen, np.arange(len(chosen))])
