"""Gaussian mixture regression, and anomaly thresholds."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from biglearn import BigLearnAnomalyDetector, BigLearnRegressor


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks warn on their own account
@parametrize_with_checks([BigLearnRegressor(), BigLearnAnomalyDetector()])
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def test_one_component_is_linear_least_squares(rng):
    X = rng.normal(size=(300, 3))
    Y = X @ rng.normal(size=(3, 2)) + 5 + 0.3 * rng.normal(size=(300, 2))
    model, linear = BigLearnRegressor(method="em").fit(X, Y), LinearRegression().fit(X, Y)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, linear.predict(X), rtol=1e-8)
    np.testing.assert_allclose(std[0], (Y - mean).std(axis=0), rtol=1e-8)
    gap = (Y - mean).T @ (Y - mean) / 300
    expected = -0.5 * (np.linalg.slogdet(2 * np.pi * gap)[1] + 2)  # of the fitted Gaussian
    assert model.log_score(X, Y) == pytest.approx(expected)


def test_the_prediction_is_the_mean_of_the_whole_distribution(rng):
    X = rng.uniform(-2, 2, size=(300, 1))
    y = np.where(rng.random(300) < 0.5, X[:, 0], -X[:, 0]) + 0.1 * rng.normal(size=300)
    model = BigLearnRegressor(4, random_state=0, mixture_params={"tol": 1e-4}).fit(X, y)
    distribution = model.predict_distribution([[1.5]])
    axis = np.linspace(-6, 6, 4001)
    joint = np.column_stack([np.full(4001, 1.5), axis])
    density = np.exp(model.mixture_.log_density(joint))
    density /= density.sum()
    mean, std = model.predict([[1.5]], return_std=True)
    assert mean[0] == pytest.approx(density @ axis)
    assert std[0] == pytest.approx(np.sqrt(density @ (axis - mean[0]) ** 2))
    assert std[0] > 1  # two humps
    assert distribution.sample(0).shape == (1, 1)


def test_rows_with_gaps_are_predicted_from_what_they_show(rng):
    X = rng.normal(size=(400, 3)) + 4 * rng.integers(2, size=(400, 1))
    y = X[:, 0] * np.sign(X[:, 1] - 2) + 0.1 * rng.normal(size=400)
    model = BigLearnRegressor(3, random_state=0).fit(X, y)
    seen = X[:6].copy()
    seen[0, 1] = seen[2, [0, 2]] = seen[3] = seen[5, 1] = np.nan
    mean, std = model.predict(seen, return_std=True)
    joint, scores = model.mixture_, []
    for row, target, m, s in zip(seen, y, mean, std, strict=False):
        known = {i: value for i, value in enumerate(row) if np.isfinite(value)}
        rest = joint.conditional(known) if known else joint
        alone = rest.marginal([rest.n_features - 1])
        assert m == pytest.approx(alone.mean[0])
        assert s == pytest.approx(np.sqrt(alone.covariance[0, 0]))
        scores.append(alone.log_density([[target]])[0])
    assert model.log_score(seen, y[:6]) == pytest.approx(np.mean(scores))
    with pytest.raises(ValueError, match="NaN"):
        model.predict_distribution(seen)


def test_gaps_in_the_fitted_rows_cost_little(rng):
    X = rng.normal(size=(2000, 2))
    y = X @ [2.0, -1.0] + 0.1 * rng.normal(size=2000)
    X[rng.random(X.shape) < 0.2] = np.nan
    model = BigLearnRegressor(method="em").fit(X, y)
    np.testing.assert_allclose(model.predict(np.eye(2)), [2.0, -1.0], atol=0.05)
