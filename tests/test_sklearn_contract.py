"""scikit-learn's own checks of an estimator, with nothing expected to fail."""

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


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks warn on their own account
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def test_parameters_are_kept_cloned_and_set():
    model = GaussianMixture(4, method="em", tol=1e-3)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(n_components=2).n_components == 2


def test_it_works_in_a_pipeline(rng):
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    assert pipeline.fit(rng.normal(size=(50, 2))).predict(rng.normal(size=(3, 2))).shape == (3,)
