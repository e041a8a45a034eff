"""An estimator from known parameters: the same answers, no fit."""

import numpy as np
import pytest

from biglearn import GaussianMixture
from helpers import COVARIANCE_TYPES


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_given_parameters_answer_as_the_fit_they_came_from(covariance_type, rng):
    X = rng.normal(size=(200, 3)) + 5 * rng.integers(2, size=(200, 1))
    fitted = GaussianMixture(
        2, covariance_type=covariance_type, scaling="none", random_state=0
    ).fit(X)
    given = GaussianMixture.from_parameters(
        fitted.weights_, fitted.means_, fitted.covariances_, covariance_type=covariance_type
    )
    np.testing.assert_array_equal(given.predict(X), fitted.predict(X))
    np.testing.assert_allclose(given.score_samples(X), fitted.score_samples(X), rtol=1e-10)
    np.testing.assert_allclose(given.precisions_, fitted.precisions_, rtol=1e-10)
    np.testing.assert_allclose(given.bic(X), fitted.bic(X), rtol=1e-10)
    assert not hasattr(given, "lower_bound_")


def test_a_fit_goes_on_from_given_parameters(rng):
    X = rng.normal(size=(200, 1)) + 9 * rng.integers(2, size=(200, 1))
    given = GaussianMixture.from_parameters(
        [0.5, 0.5], [[9.0], [0.0]], [1.0, 1.0], covariance_type="spherical",
        method="em", warm_start=True,
    )  # fmt: skip
    given.fit(X)
    np.testing.assert_allclose(given.means_.ravel(), [9, 0], atol=0.5)


def test_given_parameters_keep_the_names_of_the_features():
    pd = pytest.importorskip("pandas", reason="names come with data frames")
    frame = pd.DataFrame({"b": [0.0, 5.0], "a": [1.0, 1.0]})
    given = GaussianMixture.from_parameters(
        [1.0], [[0.0, 1.0]], [np.eye(2)], feature_names=["b", "a"]
    )
    assert given.score_samples(frame)[0] > given.score_samples(frame)[1]
    with pytest.raises(ValueError, match="feature names"):
        given.predict(frame[["a", "b"]])


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([1.0], [0.0, 1.0], [np.eye(2)], r"means must have shape \(K, D\), got \(2,\)"),
        ([1.0], [[0.0, 1.0]], np.eye(2), r"covariances must have shape \(1, 2, 2\), got \(2, 2\)"),
        ([0.5], [[0.0, 1.0]], [np.eye(2)], "weights"),
        ([1.0], [[0.0, 1.0]], [-np.eye(2)], "covariance"),
        ([1.0], [[0.0, np.nan]], [np.eye(2)], "means"),
    ],
)
def test_parameters_of_no_mixture_are_refused(weights, means, covariances, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture.from_parameters(weights, means, covariances)


def test_given_parts_are_not_counted_by_bic_either(rng):
    X = rng.normal(size=(50, 2))
    parameters = [0.5, 0.5], [[0.0, 0.0], [1.0, 1.0]], np.tile(np.eye(2), (2, 1, 1))
    free, given = (
        GaussianMixture.from_parameters(*parameters, fixed=fixed)
        for fixed in (None, {"means": parameters[1]})
    )
    assert free.bic(X) - given.bic(X) == pytest.approx(4 * np.log(50))


def test_shapes_of_an_earlier_family_go(rng):
    X = rng.normal(size=(60, 2))
    model = GaussianMixture(1, family="student", random_state=0, method="em").fit(X)
    assert model.dof_.shape == (1,)
    assert not hasattr(model.set_params(family="gaussian").fit(X), "dof_")
