"""Sums over rows that criteria are made of count rows by their weights."""

import numpy as np
import pytest
from scipy.stats import entropy

from biglearn.engines import RowOptions, open_source
from biglearn.engines.rows.totals import totals


@pytest.fixture
def X(rng, mixture):
    # spread out, so that responsibilities are uncertain by different amounts
    return mixture.sample(60, rng)[0] + 2.0 * rng.normal(size=(60, 3))


def totals_of(X, mixture, weights=None):
    source = open_source(X, RowOptions(engine="memory", sample_weight=weights))
    return totals(source, mixture, entropy=True)


def test_the_entropy_counts_rows_by_their_weights(rng, X, mixture):
    weights = rng.uniform(0.1, 5.0, 60)
    n_rows, log_likelihood, spread = totals_of(X, mixture, weights)
    shares = weights / weights.sum()
    each = entropy(mixture.responsibilities(X), axis=1)
    assert n_rows == 60
    assert spread == pytest.approx(60 * shares @ each, rel=1e-12)
    assert log_likelihood == pytest.approx(60 * shares @ mixture.log_density(X), rel=1e-12)
    assert abs(spread - each.sum()) > 0.01 * spread  # the weights matter here


def test_a_weight_of_three_is_three_rows(rng, X, mixture):
    weights = rng.integers(1, 4, 60)
    once = totals_of(X, mixture, weights.astype(float))
    often = totals_of(np.repeat(X, weights, axis=0), mixture)
    np.testing.assert_allclose(once / once[0], often / often[0], rtol=1e-12)


def test_weights_count_by_their_ratios_alone(rng, X, mixture):
    weights = rng.uniform(0.1, 5.0, 60)
    np.testing.assert_allclose(
        totals_of(X, mixture, weights), totals_of(X, mixture, 1e-3 * weights), rtol=1e-12
    )
