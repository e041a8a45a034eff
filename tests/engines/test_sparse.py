"""Sparse rows are those that they stand for, wherever they are made dense."""

import numpy as np
import pytest
from scipy import sparse

from biglearn import BigLearnAnomalyDetector, GaussianMixture


@pytest.fixture
def X(rng):
    return sparse.random_array((120, 20), density=0.2, rng=rng, format="csr")


@pytest.mark.parametrize("engine", ["auto", "chunked"])
@pytest.mark.parametrize("kind", ["diag", "spherical"])
@pytest.mark.parametrize("form", ["csr", "coo", "csc"])
def test_sparse_rows_are_fitted_as_dense_ones(X, engine, kind, form):
    settings = {"covariance_type": kind, "method": "em", "random_state": 0, "engine": engine}
    given = X.asformat(form)
    ours = GaussianMixture(2, **settings).fit(given)
    dense = GaussianMixture(2, **settings).fit(X.toarray())
    np.testing.assert_array_equal(ours.means_, dense.means_)
    np.testing.assert_array_equal(ours.predict(given), dense.predict(X.toarray()))
    assert ours.score(given) == dense.score(X.toarray())


def test_the_detector_takes_sparse_rows(X):
    detector = BigLearnAnomalyDetector(covariance_type="diag", random_state=0)
    scores = detector.fit(X).score_samples(X)
    np.testing.assert_array_equal(scores, detector.fit(X.toarray()).score_samples(X.toarray()))


def test_what_would_be_large_is_made_dense_in_blocks(X):
    from biglearn.engines.choose import choose

    assert choose(X) == "memory"
    assert choose(sparse.csr_array((200_000, 5000))) == "chunked"


def test_covariances_between_all_columns_refuse_sparse_rows(X):
    with pytest.raises(TypeError, match=r"Sparse data .* covariance_type 'full' does"):
        GaussianMixture(2).fit(X)
    with pytest.raises(TypeError, match="covariance_type 'tied'"):
        BigLearnAnomalyDetector(covariance_type="tied").fit(X)
