"""From components to clusters of any shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, FloatArray, IntArray
from biglearn.estimators.rows import RowsMixin, open_rows
from biglearn.model.checks import check_choice, check_number
from biglearn.model.merging import CRITERIA, Merging, Shares, merge
from biglearn.model.mixture import Mixture
from biglearn.model.noise import NoisyMixture


@dataclass(frozen=True, eq=False)
class Clusters:
    """Components of a fitted mixture, merged to clusters: see `GaussianMixture.merge_components`.

    Attributes
    ----------
    n_clusters : int
    component_labels : array of shape (K,)
        Cluster of each component, numbered by first components.
    labels_ : array of shape (N,)
        Cluster of each row, -1 for noise.
    tree : array of shape (K - 1, 4)
        All merges down to one cluster, a row each, as `scipy.cluster.hierarchy.dendrogram` takes
        them: the two clusters (below K a component, K + i that of row i), by how much the entropy
        is lower than that of the components, and the components of the new cluster.
    entropy : array of shape (K,)
        Entropy of the responsibilities with 1, ..., K clusters, in nats.
    merged_rows : array of shape (K,)
        Weight of the rows of all clusters merged on the way there, over which the curve of the
        entropy has its elbow.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(size=(600, 2)) * [9.0, 0.5] + rng.choice([0.0, 3.0], size=(600, 1)) * [0, 1]
    >>> model = GaussianMixture(8, random_state=0).fit(X)  # pieces of two bars
    >>> clusters = model.merge_components(X, 2)
    >>> bool(len(set(clusters.predict([[0.0, 0.2], [9.0, 0.2], [4.0, 3.2]]))) == 2)
    True
    >>> clusters.predict_proba(X).shape, clusters.entropy.shape
    ((600, 2), (8,))
    """

    n_clusters: int
    component_labels: IntArray
    labels_: Any = field(repr=False)
    tree: Array = field(repr=False)
    entropy: Array = field(repr=False)
    merged_rows: Array = field(repr=False)
    _model: RowsMixin = field(repr=False)
    _distribution: Mixture | NoisyMixture = field(repr=False)

    def predict(self, X: ArrayLike) -> Any:
        """Return the cluster of largest responsibility of each row, -1 for noise, shape (N,)."""
        return open_rows(self._model, X).map(
            labels_by(self._distribution, self.component_labels, self.n_clusters)
        )

    def predict_proba(self, X: ArrayLike) -> Any:
        """Return the responsibilities of the clusters, shape (N, n_clusters), or with noise last.

        That of a cluster is the sum of those of its components.
        """
        source = open_rows(self._model, X)
        mixture, labels, size = self._distribution, self.component_labels, self.n_clusters
        dtype = source.dtype
        return source.map(
            lambda rows: summed(mixture.responsibilities(rows), labels, size).astype(dtype)
        )


class ClustersMixin(RowsMixin):
    """The method of an estimator that merges its components."""

    def merge_components(
        self,
        X: ArrayLike,
        n_clusters: int | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        criterion: str = "misclassification",
    ) -> Clusters:
        """Merge components that overlap, a pair at a time, to clusters of any shape.

        The density stays as it is: a cluster is a set of components, and its responsibility
        for a row is the sum of theirs.  Fit generously before, such as with
        ``n_components="auto"``, or `select_mixture` from the number of clusters on.

        Parameters
        ----------
        X : array-like of shape (N, D)
            Rows that say how components overlap: those that were fitted, gaps and all.  One pass
            is made, and the responsibilities of the rows between components are kept in memory.
        n_clusters : int, default=None
            Number of clusters.  None takes the elbow of the entropy over the weight of the merged
            rows, where two straight lines that fit it best meet; it is from 2 to K - 1, as
            published, and K where K is below 3 or no two components overlap.
        sample_weight : array-like of shape (N,), default=None
        criterion : {"misclassification", "entropy"}, default="misclassification"
            What is largest for the next pair: how often a row of one is taken for one of the
            other (Hennig), which does not depend on how many rows they have, or by how much the
            merge lowers the entropy (Baudry et al.).

        Returns
        -------
        Clusters
            The noise component, if there is one, is never merged.

        Raises
        ------
        ValueError
            If there are fewer components than clusters, or the criterion is unknown.

        References
        ----------
        J.-P. Baudry, A. E. Raftery, G. Celeux, K. Lo and R. Gottardo, "Combining mixture
        components for clustering", J. Comput. Graph. Statist. 19, 2010.
        C. Hennig, "Methods for merging Gaussian mixture components", Adv. Data Anal. Classif. 4,
        2010.
        """
        check_choice("criterion", criterion, tuple(CRITERIA))
        source, mixture = self._fitted(X, sample_weight)
        size = self.mixture_.n_components
        if n_clusters is not None:
            check_number("n_clusters", n_clusters, low=1, integer=True)
            if n_clusters > size:
                raise ValueError(
                    f"n_clusters must be at most the number of components, {size}, got "
                    f"{n_clusters}; fit more, as select_mixture(X, range({n_clusters}, 31)) does"
                )

        def summary(rows: FloatArray, weights: Array | None) -> Shares:
            return Shares.of(np.asarray(mixture.responsibilities(rows)), weights)

        merging = merge(source.total(summary), size, criterion)
        return _clusters(self, mixture, merging, n_clusters, X)


def _clusters(
    model: RowsMixin,
    mixture: Mixture | NoisyMixture,
    merging: Merging,
    n_clusters: int | None,
    X: ArrayLike,
) -> Clusters:
    chosen = merging.elbow() if n_clusters is None else int(n_clusters)
    labels = merging.clusters(chosen)
    rule = labels_by(mixture, labels, chosen)
    return Clusters(
        n_clusters=chosen,
        component_labels=labels,
        labels_=open_rows(model, X).map(rule),
        tree=merging.tree,
        entropy=merging.entropy,
        merged_rows=merging.merged_rows,
        _model=model,
        _distribution=mixture,
    )


def summed(responsibilities: Array, labels: IntArray, n_clusters: int) -> Array:
    """Return the responsibilities of clusters, those of noise last if there is any.

    Parameters
    ----------
    responsibilities : array of shape (N, L)
        Of K components, and the noise if there is any.
    labels : array of shape (K,)
        Cluster of each component.
    n_clusters : int
    """
    noise = responsibilities.shape[1] - len(labels)
    places = np.concatenate([labels, np.full(noise, n_clusters)])
    return np.asarray(responsibilities @ np.eye(n_clusters + noise)[places])


def labels_by(mixture: Mixture | NoisyMixture, labels: IntArray, n_clusters: int) -> Any:
    """Return the rule that says of rows to which cluster they belong, -1 for noise."""

    def rule(rows: FloatArray) -> IntArray:
        shares = summed(mixture.responsibilities(rows), labels, n_clusters)
        chosen = shares.argmax(axis=1)
        return np.where(chosen == n_clusters, -1, chosen)

    return rule
