"""Conditionals: joint over marginal, for one condition and for many rows."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from biglearn.model.mixture import Mixture
from helpers import random_mixture


def test_a_conditional_is_the_joint_over_the_marginal(rng, mixture):
    X = mixture.sample(30, rng)[0]
    wanted = mixture.log_density(X) - mixture.marginal([2, 0]).log_density(X[:, [2, 0]])
    many = mixture.conditional(X[:, [2, 0]], features=["c", 0])
    np.testing.assert_allclose(many.log_density(X[:, [1]]), wanted, rtol=1e-9, atol=1e-9)
    assert many.feature_names == ("b",)
    assert len(many) == 30
    for i in (0, 7):
        one = mixture.conditional({"c": X[i, 2], 0: X[i, 0]})
        assert one.log_density(X[i, [1]][None])[0] == pytest.approx(wanted[i], rel=1e-9)
        np.testing.assert_allclose(many.mean[i], one.mean, atol=1e-12)
        np.testing.assert_allclose(many.covariance[i], one.covariance, atol=1e-12)


def test_covariances_are_schur_complements_and_stay_definite(rng):
    mixture = random_mixture(rng, 2, 4)
    conditional = mixture.conditional({1: 0.0, 3: 1.0})
    g, r = [1, 3], [0, 2]
    for S, ours in zip(mixture.covariances, conditional.covariances, strict=True):
        wanted = S[np.ix_(r, r)] - S[np.ix_(r, g)] @ np.linalg.solve(
            S[np.ix_(g, g)], S[np.ix_(g, r)]
        )
        np.testing.assert_allclose(ours, wanted, atol=1e-12)
    a = np.array([1.0, 1.0, 1.0])
    thin = Mixture([1.0], np.zeros((1, 3)), [np.outer(a, a) + 1e-12 * np.eye(3)])
    assert np.linalg.eigvalsh(thin.conditional({0: 0.0}).covariances)[0, 0] > 0


def test_samples_have_the_conditional_mean_and_covariance(rng, mixture):
    n = 20_000
    many = mixture.conditional(np.tile([1.0], (n, 1)), features=["b"])
    rows = many.sample(rng)
    error = np.sqrt(np.diag(many.covariance[0]) / n)
    assert (np.abs(rows.mean(axis=0) - many.mean[0]) < 5 * error).all()
    products = (rows - many.mean[0])[:, :, None] * (rows - many.mean[0])[:, None, :]
    error = products.std(axis=0) / np.sqrt(n)
    assert (np.abs(products.mean(axis=0) - many.covariance[0]) < 5 * error).all()


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_a_frame_names_its_columns(mixture, make):
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    frame = make({"c": values[:, 0], "a": values[:, 1]})
    wanted = mixture.conditional(values, features=["c", "a"])
    np.testing.assert_array_equal(mixture.conditional(frame).means, wanted.means)


@pytest.mark.parametrize(
    ("given", "features", "message"),
    [
        ({}, None, "at least one"),
        ({"z": 1.0}, None, "unknown feature 'z'"),
        ({"a": np.nan}, None, "got nan in row 0, column 0"),
        ({"a": 1, "b": 2, "c": 3}, None, "none is left"),
        ({"a": 1.0, 0: 2.0}, None, "none twice"),
        ([[1.0]], None, r"needs features=\[...\]"),
        ([[1.0]], ["a", "b"], r"shape \(N, 2\), got \(1, 1\)"),
    ],
)
def test_conditions_that_make_no_sense_are_refused(mixture, given, features, message):
    with pytest.raises(ValueError, match=message):
        mixture.conditional(given, features=features)
