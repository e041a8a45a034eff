"""Classification by a mixture per class."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from biglearn import BigLearnClassifier


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks warn on their own account
@parametrize_with_checks([BigLearnClassifier(method="em"), BigLearnClassifier("auto")])
def test_scikit_learns_contract(estimator, check):
    check(estimator)
