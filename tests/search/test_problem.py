"""Problems: what they count as free, and where a start lies that goes on from a fit."""

import numpy as np
import pytest

from biglearn import GaussianMixture
from helpers import blobs

NAN = float("nan")
SPARE = np.full((2, 2), NAN)

#: Of K = 3 components over D = 2 features: 2 free weights, 6 means, 9 (co)variances.
CASES = [
    ("full", {}, 2 + 6 + 9),
    ("full", {"weights": [0.2, NAN, NAN]}, 1 + 6 + 9),
    ("full", {"weights": [0.2, 0.3, NAN]}, 0 + 6 + 9),  # the last has what is left
    ("full", {"weights": [0.2, 0.3, 0.5]}, 0 + 6 + 9),
    ("full", {"means": [[0.0, 0.0], [NAN, NAN], [NAN, NAN]]}, 2 + 4 + 9),
    ("full", {"means": np.eye(3, 2)}, 2 + 0 + 9),
    ("full", {"covariances": [np.eye(2), SPARE, SPARE]}, 2 + 6 + 6),
    ("full", {"covariances": [np.eye(2)] * 3}, 2 + 6 + 0),
    ("tied", {"covariances": np.eye(2)}, 2 + 6 + 0),
    ("diag", {"covariances": [[1.0, 1.0], [NAN, NAN], [NAN, NAN]]}, 2 + 6 + 4),
    ("spherical", {"covariances": [1.0, NAN, NAN], "means": np.eye(3, 2)}, 2 + 0 + 2),
    ("full", {"weights": [0.2, 0.3, 0.5], "means": np.eye(3, 2),
              "covariances": [np.eye(2)] * 3}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fixed", "expected"), CASES)
@pytest.mark.parametrize("family", ["gaussian", "student"])
def test_criteria_count_what_is_not_given(rng, kind, fixed, expected, family):
    X = blobs(rng, 120, 2)
    model = GaussianMixture(
        3, covariance_type=kind, family=family, fixed=fixed or None, method="em", random_state=0
    ).fit(X)
    expected += 3 * (family == "student")  # degrees of freedom are never given
    log_likelihood = 120 * model.score(X)
    assert model.aic(X) == pytest.approx(2 * expected - 2 * log_likelihood, abs=1e-8)
    assert model.bic(X) == pytest.approx(np.log(120) * expected - 2 * log_likelihood, abs=1e-8)
