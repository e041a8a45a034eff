"""Rows that are alone, and starts without them."""

import numpy as np

from biglearn.search.starts.cleared import lone_rows


def test_lone_rows_are_told_from_dense_ones(littered):
    X, truth = littered
    lone = lone_rows(X)
    assert np.mean((lone > 0.5) == (truth == -1)) > 0.95
    assert lone_rows(X[:1]).tolist() == [0.0]
    assert np.isfinite(lone_rows(np.repeat(X[:3], 20, axis=0))).all()  # nothing but duplicates
