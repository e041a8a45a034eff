"""Diagonal covariances of many features: nothing of size D x D is made."""

import tracemalloc

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from biglearn import BigLearnGaussianMixture
from biglearn.io import load_model, save_model


@pytest.mark.parametrize("kind", ["diag", "spherical"])
@pytest.mark.parametrize("method", ["em", "search"])
def test_memory_and_files_grow_with_the_number_of_features_alone(rng, tmp_path, kind, method):
    n_features = 6000  # a matrix of these takes 288 MB
    X = rng.normal(size=(40, n_features)) + 4 * rng.integers(2, size=40)[:, None]
    model = BigLearnGaussianMixture(2, covariance_type=kind, method=method, random_state=0)
    model.fit(X[:, :5])  # compiled before it is measured
    tracemalloc.start()
    model.fit(X)
    save_model(tmp_path / "model.npz", model.mixture_)
    scores = model.score_samples(X)
    back = load_model(tmp_path / "model.npz").mixture
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n_features**2 / 4
    assert (tmp_path / "model.npz").stat().st_size < 10 * 8 * n_features
    np.testing.assert_allclose(back.log_density(X), scores, rtol=1e-12)


@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_em_of_many_features_reaches_what_scikit_learn_reaches(rng, kind):
    centres = rng.normal(size=(3, 700))
    X = centres[rng.integers(3, size=150)] + rng.normal(size=(150, 700))
    theirs = GaussianMixture(3, covariance_type=kind, reg_covar=0, tol=1e-9, random_state=0).fit(X)
    ours = BigLearnGaussianMixture(
        3, covariance_type=kind, method="em", prior=None, resolution=None, scaling="none",
        means_init=theirs.means_, random_state=0,
    ).fit(X)  # fmt: skip
    assert ours.covariances_.shape == theirs.covariances_.shape
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-6)
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-10)
