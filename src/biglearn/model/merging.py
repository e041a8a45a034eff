"""Components merged to clusters of any shape, a pair at a time, by their responsibilities.

A cluster is a set of components, and its responsibility for a row the sum of theirs.  "entropy"
merges the pair that lowers the entropy of the responsibilities most (Baudry, Raftery, Celeux, Lo
and Gottardo, "Combining mixture components for clustering", J. Comput. Graph. Statist. 19, 2010):

    Σ_n w_n [h(a_n + b_n) - h(a_n) - h(b_n)],   h(t) = t log t,

over the responsibilities a and b of the two.  It is a sum over rows, so that large clusters that
touch go before small ones that are the same.  "misclassification" merges the pair of which one is
most often taken for the other (Hennig, "Methods for merging Gaussian mixture components", Adv.
Data Anal. Classif. 4, 2010), max(p_ab, p_ba) with

    p_ab = Σ_n w_n a_n [b is the largest at n] / Σ_n w_n a_n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn._types import Array, IntArray

#: Rows of which all other responsibilities are together below this have but one component.
_NONE = 1e-10

#: Share of log 2 per row that a merge has to lower the entropy by, for two to overlap at all.
_OVERLAP = 0.01


@dataclass(frozen=True, eq=False)
class Shares:
    """What rows say of merges: counts of all, and responsibilities where more than one has any.

    It adds, so that rows may live anywhere.

    Attributes
    ----------
    counts : array of shape (L,)
        Weight of the rows of each component, and of the noise if there is any.
    undecided : tuple of array of shape (b, L)
    weights : tuple of array of shape (b,)
    """

    counts: Array
    undecided: tuple[Array, ...]
    weights: tuple[Array, ...]

    @classmethod
    def of(cls, responsibilities: Array, weights: Array | None = None) -> Shares:
        """Look at a block of rows."""
        ours = np.ones(len(responsibilities)) if weights is None else weights
        some = responsibilities.max(axis=1, initial=0.0) < 1 - _NONE
        return cls(ours @ responsibilities, (responsibilities[some],), (ours[some],))

    def __add__(self, other: Shares) -> Shares:
        return Shares(
            self.counts + other.counts,
            self.undecided + other.undecided,
            self.weights + other.weights,
        )


class EntropyMerges:
    """The clusters so far, and how much each merge would lower the entropy.

    Parameters
    ----------
    shares : Shares
    """

    def __init__(self, shares: Shares) -> None:
        self.counts = np.array(shares.counts)
        self.rows = np.ascontiguousarray(np.concatenate(shares.undecided).T)  # (G, n)
        self.weights = np.concatenate(shares.weights)
        self._gains = np.array([self._gain(a) for a in range(len(self.rows))])

    def _gain(self, a: int) -> Array:
        """Return by how much merges with one cluster lower the entropy, shape (G,)."""
        mine = self.rows[a]
        shared = mine > 0
        mine, theirs = mine[shared], self.rows[:, shared]
        lowered = _t_log_t(theirs + mine) - _t_log_t(theirs) - _t_log_t(mine)
        return np.asarray(lowered @ self.weights[shared])

    @property
    def entropy(self) -> float:
        """Entropy of the responsibilities of the clusters, over all rows."""
        return -float((_t_log_t(self.rows) @ self.weights).sum())

    def affinities(self) -> Array:
        """Return what is to be largest for the next pair, shape (G, G)."""
        return self._gains

    def join(self, a: int, b: int) -> None:
        """Make one cluster, in the place of `a`, of two."""
        self.rows[a] += self.rows[b]
        self.counts[a] += self.counts[b]
        self.rows, self.counts = np.delete(self.rows, b, 0), np.delete(self.counts, b)
        self._gains = np.delete(np.delete(self._gains, b, 0), b, 1)
        a -= a > b
        self._gains[a] = self._gains[:, a] = self._gain(a)


class MisclassificationMerges(EntropyMerges):
    """The clusters so far, and how often each would be taken for each other."""

    def affinities(self) -> Array:
        """Return the larger share of one cluster's rows that go to the other, shape (G, G)."""
        winners = self.rows.argmax(axis=0)
        weighted = self.rows * self.weights
        taken = np.stack([weighted[:, winners == b].sum(axis=1) for b in range(len(self.rows))], 1)
        shares = taken / np.maximum(self.counts, _NONE)[:, None]
        return np.maximum(shares, shares.T)


CRITERIA = {"entropy": EntropyMerges, "misclassification": MisclassificationMerges}


@dataclass(frozen=True, eq=False)
class Merging:
    """The whole way from K components to one cluster.

    Attributes
    ----------
    tree : array of shape (K - 1, 4)
        One merge a row, as in `scipy.cluster.hierarchy`: the two clusters (below K a component,
        K + i that of row i), by how much the entropy is lower than at the beginning, and the
        components of the new cluster.
    entropy : array of shape (K,)
        Entropy of the responsibilities with 1, ..., K clusters, in nats.
    merged_rows : array of shape (K,)
        Weight of the rows of all clusters merged on the way to 1, ..., K clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.merging import Shares, merge
    >>> responsibilities = np.array([[0.5, 0.5, 0.0], [0.6, 0.3, 0.1], [0.0, 0.0, 1.0]])
    >>> merging = merge(Shares.of(responsibilities), 3)
    >>> merging.clusters(2).tolist()
    [0, 0, 1]
    """

    tree: Array
    entropy: Array
    merged_rows: Array

    def clusters(self, n_clusters: int) -> IntArray:
        """Return the cluster of each component, shape (K,), numbered by first components."""
        size = len(self.entropy)
        names = np.arange(size)
        for step, (a, b) in enumerate(self.tree[: size - n_clusters, :2].astype(np.int64)):
            names[(names == a) | (names == b)] = size + step
        _, first, cluster = np.unique(names, return_index=True, return_inverse=True)
        return np.asarray(np.argsort(np.argsort(first))[cluster.ravel()])

    def elbow(self) -> int:
        """Return the number of clusters at which the entropy stops to fall steeply.

        The entropy over the weight of the rows merged is fitted by two straight lines, and they
        meet there: at 2, ..., K - 1 clusters, as published.  Where no merge lowers the entropy by
        a hundredth of log 2 per merged row, no two components overlap, and it is K.
        """
        size = len(self.entropy)
        lowered, merged = np.diff(self.entropy), -np.diff(self.merged_rows)
        if size < 3 or (lowered <= _OVERLAP * np.log(2) * merged).all():
            return size
        errors = [
            _line_error(self.merged_rows[: c + 1], self.entropy[: c + 1])
            + _line_error(self.merged_rows[c:], self.entropy[c:])
            for c in range(1, size - 1)
        ]
        return 2 + int(np.argmin(errors))


def merge(shares: Shares, n_components: int, criterion: str = "misclassification") -> Merging:
    """Merge components by their responsibilities, until one cluster is left.

    Parameters
    ----------
    shares : Shares
    n_components : int
        K; what comes after them in the responsibilities, the noise, is never merged.
    criterion : {"misclassification", "entropy"}, default="misclassification"
    """
    state = CRITERIA[criterion](shares)
    names = list(range(n_components))
    sizes = [1] * n_components
    tree, entropies, rows = [], [state.entropy], [0.0]
    while len(names) > 1:
        above = np.triu_indices(len(names), 1)
        best = int(state.affinities()[above].argmax())
        a, b = int(above[0][best]), int(above[1][best])
        rows.append(rows[-1] + float(state.counts[a] + state.counts[b]))
        state.join(a, b)
        entropies.append(state.entropy)
        sizes[a] += sizes.pop(b)
        tree.append((names[a], names[b], entropies[0] - entropies[-1], sizes[a]))
        names[a] = n_components + len(tree) - 1
        del names[b]
    table = np.array(tree, dtype=np.float64).reshape(-1, 4)
    table[:, :2].sort(axis=1)
    return Merging(table, np.array(entropies[::-1]), np.array(rows[::-1]))


def _t_log_t(values: Array) -> Array:
    return np.asarray(values * np.log(np.maximum(values, 1e-300)))


def _line_error(x: Array, y: Array) -> float:
    """Return the sum of squares about the straight line that fits best."""
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread if spread > 0 else 0.0
    return float(((y - slope * x) ** 2).sum())
