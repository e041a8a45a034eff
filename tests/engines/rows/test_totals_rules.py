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
    assert n_rows == pytest.approx(weights.sum(), rel=1e-12)
    assert spread == pytest.approx(n_rows * shares @ each, rel=1e-12)
    assert log_likelihood == pytest.approx(n_rows * shares @ mixture.log_density(X), rel=1e-12)
    assert abs(spread - n_rows * each.mean()) > 0.01 * spread  # the weights matter here


def test_a_weight_of_three_is_three_rows(rng, X, mixture):
    weights = rng.integers(1, 4, 60)
    once = totals_of(X, mixture, weights.astype(float))
    often = totals_of(np.repeat(X, weights, axis=0), mixture)
    np.testing.assert_allclose(once, often, rtol=1e-12)


def test_weights_of_a_mean_below_one_count_by_their_ratios(rng, X, mixture):
    weights = rng.uniform(0.1, 1.5, 60)
    one, other = (totals_of(X, mixture, size * weights) for size in (1.0, 1e-3))
    assert one[0] == pytest.approx(60, rel=1e-12)
    np.testing.assert_allclose(one, other, rtol=1e-12)
