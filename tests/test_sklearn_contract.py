"""scikit-learn's own checks of an estimator; the one that is expected to fail is wrong."""

import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from biglearn import GaussianMixture

ESTIMATORS = [
    GaussianMixture(method="em", covariance_type=kind)
    for kind in ("full", "tied", "diag", "spherical")
] + [GaussianMixture(covariance_type=kind) for kind in ("full", "diag")]


def expected_to_fail(estimator):
    """Return the checks that take whatever has probabilities for sparse rows for a classifier."""
    if getattr(estimator, "covariance_type", "full") not in ("diag", "spherical"):
        return {}
    reason = "it asks for the number of classes of a classifier"
    return {f"check_estimator_sparse_{kind}": reason for kind in ("array", "matrix")}


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks warn on their own account
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_to_fail)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def test_parameters_are_kept_cloned_and_set():
    model = GaussianMixture(4, method="em", tol=1e-3)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(n_components=2).n_components == 2


def test_it_works_in_a_pipeline(rng):
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    assert pipeline.fit(rng.normal(size=(50, 2))).predict(rng.normal(size=(3, 2))).shape == (3,)
