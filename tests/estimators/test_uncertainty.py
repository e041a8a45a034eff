"""Standard errors: coverage, agreement of both methods, and what is refused."""

import numpy as np
import pytest

from biglearn import GaussianMixture, Mixture
from helpers import with_gaps

TRUTH = Mixture([0.6, 0.4], [[0.0], [6.0]], [[[1.0]], [[2.25]]])


def fitted(X, sample_weight=None, **parameters):
    model = GaussianMixture(2, method="em", means_init=TRUTH.means, random_state=0, **parameters)
    return model.fit(X, sample_weight=sample_weight)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Of 150 draws a share of 0.9 has a standard error of 0.025, and of two means 0.017."""
    held = {"weights": [], "means": []}
    for seed in range(150):
        X, _ = TRUTH.sample(400, seed)
        found = fitted(X).standard_errors(X).intervals(0.9)
        for name, parts in held.items():
            low, high = found[name]
            parts.append((low <= getattr(TRUTH, name)) & (getattr(TRUTH, name) <= high))
    assert 0.84 < np.mean(held["weights"]) < 0.96
    assert 0.86 < np.mean(held["means"]) < 0.94


@pytest.fixture(scope="module")
def rows():
    return TRUTH.sample(400, 3)[0]


def test_the_bootstrap_agrees_and_finds_components_again(rows):
    model = fitted(rows)
    one = model.standard_errors(rows)
    # the fits of the bootstrap come in the other order
    other = model.means_[0, 0] > model.means_[1, 0]
    turned = GaussianMixture.from_parameters(
        model.weights_[::-1], model.means_[::-1], model.covariances_[::-1], method="em"
    ).set_params(order=None if other else "means")
    two = turned.standard_errors(rows, method="bootstrap", n_replicates=120, random_state=0)
    assert two.n_replicates == 120
    for name in ("weights", "means", "covariances"):
        np.testing.assert_allclose(getattr(two, name)[::-1], getattr(one, name), rtol=0.25)


def test_a_weight_is_a_number_of_copies(rows, rng):
    copies = rng.integers(0, 3, size=len(rows))
    repeated = np.repeat(rows, copies, axis=0)
    whole = fitted(repeated).standard_errors(repeated)
    model = fitted(rows, sample_weight=copies)
    weighted = model.standard_errors(rows, sample_weight=copies)
    np.testing.assert_allclose(weighted.means, whole.means, rtol=1e-4)
    np.testing.assert_allclose(weighted.weights, whole.weights, rtol=1e-4)


def test_missing_values_cost_certainty(rng):
    X = rng.normal(size=(400, 2)) + np.repeat([[0.0, 0.0], [6.0, 6.0]], 200, axis=0)
    holes = with_gaps(rng, X, 0.5)
    holes[:, 0] = X[:, 0]
    model = GaussianMixture(2, random_state=0).fit(holes)
    errors = model.standard_errors(holes)
    ratio = errors.means[:, 1] / errors.means[:, 0]
    assert (ratio > 1.25).all()  # half of the values: √2, for they are hardly correlated
    assert (ratio < 1.6).all()


def test_rows_from_a_file_give_the_same(rows, tmp_path):
    model = fitted(rows)
    np.save(tmp_path / "rows.npy", rows)
    stored = model.standard_errors(tmp_path / "rows.npy")
    np.testing.assert_allclose(stored.means, model.standard_errors(rows).means)


def test_intervals_of_weights_stay_shares():
    X = np.concatenate([np.linspace(-2, 2, 100), [50.0, 50.1, 50.3, 50.6]])[:, None]
    model = GaussianMixture(2, random_state=0, prior=1.0).fit(X)
    low, high = model.standard_errors(X).intervals(0.999)["weights"]
    assert (low > 0).all()
    assert (high < 1).all()


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"family": "student"}, "family 'student'"),
        ({"covariance_type": "factor"}, "covariance_type 'factor'"),
        ({"max_ratio": 10.0}, "max_ratio=10.0"),
        ({"fixed": {"weights": [0.6, 0.4]}}, "fixed parameters"),
    ],
)
def test_what_the_sandwich_does_not_know_is_refused(rows, parameters, word):
    X = np.column_stack([rows, rows[::-1]])
    model = GaussianMixture(2, method="em", random_state=0, **parameters).fit(X)
    with pytest.raises(ValueError, match=f"{word}; use method="):
        model.standard_errors(X)
    if "fixed" not in parameters:
        return
    errors = model.standard_errors(X, method="bootstrap", n_replicates=4)
    np.testing.assert_allclose(errors.weights, 0, atol=1e-12)


def test_values_out_of_range_are_refused(rows):
    model = fitted(rows)
    errors = model.standard_errors(rows)
    with pytest.raises(ValueError, match=r"level must be below 1, got 1"):
        errors.intervals(1.0)
    with pytest.raises(ValueError, match=r"method.*'jackknife'"):
        model.standard_errors(rows, method="jackknife")
    with pytest.raises(ValueError, match=r"n_replicates.*1"):
        model.standard_errors(rows, method="bootstrap", n_replicates=1)
