"""Weights in scores and criteria, orders of components, and containers that come back."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from biglearn import BigLearnAnomalyDetector, BigLearnRegressor, GaussianMixture


@pytest.fixture
def X(rng):
    return np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(30, 2)) + 6])


def fitted(X, **parameters):
    return GaussianMixture(2, method="em", random_state=0, **parameters).fit(X)


@pytest.mark.parametrize("score", ["score", "bic", "aic", "icl"])
def test_a_weight_counts_as_so_many_rows(rng, X, score):
    model, counts = fitted(X), rng.integers(0, 4, size=len(X))
    weighted = getattr(model, score)(X, sample_weight=counts)
    repeated = getattr(model, score)(np.repeat(X, counts, axis=0))
    assert weighted == pytest.approx(repeated, rel=1e-12)
    assert weighted != pytest.approx(getattr(model, score)(X), rel=1e-6)


@pytest.mark.parametrize("score", ["score", "bic", "aic", "icl"])
def test_of_weights_that_sum_to_one_the_ratios_count(X, score):
    model = fitted(X)
    shares = np.full(len(X), 1 / len(X))
    assert getattr(model, score)(X, sample_weight=shares) == pytest.approx(getattr(model, score)(X))


def test_weights_are_routed_through_a_pipeline(X):
    weights = np.arange(len(X), dtype=float)
    with config_context(enable_metadata_routing=True):
        model = GaussianMixture(2, method="em", random_state=0)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(model).fit(X, sample_weight=weights)
        score = pipeline.score(X, sample_weight=weights)
    alone = GaussianMixture(2, method="em", random_state=0).fit(X, sample_weight=weights)
    assert score == pytest.approx(alone.score(X, sample_weight=weights))


def test_the_detector_takes_weights_as_repeated_rows(rng, X):
    counts = rng.integers(0, 3, size=len(X))
    weighted = BigLearnAnomalyDetector(random_state=0).fit(X, sample_weight=counts)
    repeated = BigLearnAnomalyDetector(random_state=0).fit(np.repeat(X, counts, axis=0))
    assert weighted.offset_ == pytest.approx(repeated.offset_, rel=1e-9)
    np.testing.assert_allclose(weighted.p_values(X), repeated.p_values(X), rtol=1e-9)
    assert weighted.fitted_scores_.shape == (len(X),)
    assert weighted.offset_ != pytest.approx(BigLearnAnomalyDetector().fit(X).offset_, rel=1e-3)


def test_log_scores_of_a_regressor_take_weights(rng):
    x = rng.normal(size=(80, 1))
    y, counts = x[:, 0] + rng.normal(size=80), rng.integers(0, 3, size=80)
    model = BigLearnRegressor(method="em").fit(x, y)
    weighted = model.log_score(x, y, sample_weight=counts)
    repeated = model.log_score(np.repeat(x, counts, axis=0), np.repeat(y, counts))
    assert weighted == pytest.approx(repeated, rel=1e-12)


@pytest.mark.parametrize("noise", [False, True])
def test_components_come_in_the_order_asked_for(rng, X, noise):
    rows = np.concatenate([X, rng.normal(size=(50, 2)) - [7, 0]])
    models = {
        order: GaussianMixture(3, random_state=0, noise=noise, order=order).fit(rows)
        for order in (None, "weights", "means")
    }
    assert (np.diff(models["weights"].weights_) <= 0).all()
    assert (np.diff(models["means"].means_[:, 0]) >= 0).all()
    for order in ("weights", "means"):
        model = models[order]
        assert model.score(rows) == pytest.approx(models[None].score(rows), rel=1e-9)
        assert model.loo_score_ == pytest.approx(models[None].loo_score_, rel=1e-9)
        assert {tuple(m) for m in model.means_.round(6)} == {
            tuple(m) for m in models[None].means_.round(6)
        }


def test_orders_that_cannot_be_are_refused(X):
    with pytest.raises(ValueError, match=r"order must be one of .*got 'size'"):
        fitted(X, order="size")
    with pytest.raises(ValueError, match="order='means' would move the components of fixed"):
        fitted(X, order="means", fixed={"means": [[0.0, 0.0], [6.0, 6.0]]})
    with pytest.raises(ValueError, match=r"order='weights' would move .* that labels name"):
        GaussianMixture(2, order="weights").fit(X, labels=np.arange(len(X)) % 2)


@pytest.fixture
def gaps(X):
    return np.where(np.arange(X.size).reshape(X.shape) % 7 == 0, np.nan, X)


def test_a_frame_is_imputed_to_a_frame_of_its_kind(gaps):
    frame = pd.DataFrame(gaps, columns=["a", "b"], index=np.arange(len(gaps)) + 100)
    model = fitted(frame)
    filled = model.impute(frame)
    assert isinstance(filled, pd.DataFrame)
    assert filled.index.equals(frame.index)
    assert list(filled.columns) == ["a", "b"]
    other = model.impute(pl.DataFrame(gaps, schema=["a", "b"]))
    assert isinstance(other, pl.DataFrame)
    assert other.columns == ["a", "b"]
    np.testing.assert_array_equal(filled.to_numpy(), other.to_numpy())
    assert isinstance(model.impute(frame, how="sample", n=2), np.ndarray)
    with pytest.warns(UserWarning, match="feature names"):
        assert isinstance(model.impute(gaps), np.ndarray)


def test_it_imputes_in_pipelines_and_column_transformers(gaps):
    frame = pd.DataFrame(gaps, columns=["a", "b"]).assign(c=np.arange(len(gaps)))
    imputer = GaussianMixture(2, method="em", random_state=0)
    columns = ColumnTransformer([("filled", imputer, ["a", "b"])], remainder="passthrough")
    out = columns.set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["filled__a", "filled__b", "remainder__c"]
    assert not out.isna().to_numpy().any()
    alone = imputer.fit(frame[["a", "b"]]).impute(frame[["a", "b"]])
    np.testing.assert_array_equal(out.iloc[:, :2], alone)
    make_pipeline(imputer, LinearRegression()).fit(gaps, frame["c"])
    assert imputer.fit(gaps).get_feature_names_out().tolist() == ["x0", "x1"]
