"""Starts from centres: those of scikit-learn, and of weighted rows."""

import numpy as np
from sklearn.cluster import AgglomerativeClustering

from biglearn.search.starts.names import STARTS
from helpers import blobs, make_run


def test_ward_starts_from_the_clusters_of_scikit_learn(rng):
    X = blobs(rng, 120, 2, spread=8.0)
    labels = AgglomerativeClustering(3).fit_predict(X)
    centres = [X[labels == k].mean(axis=0) for k in range(3)]
    mixture = STARTS["ward"](make_run(X, 3, floor=1e-3))
    np.testing.assert_allclose(mixture.means, centres, atol=0.5)


def test_random_rows_are_drawn_even_where_weights_vanish(rng):
    X = rng.normal(size=(10, 2))
    weights = np.r_[1.0, np.full(9, 1e-300)]
    assert STARTS["random_from_data"](make_run(X, 4, weights=weights, floor=1e-3)).n_components == 4
