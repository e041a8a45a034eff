"""Containers of rows: every way in reads a mask as missing, and frames by their names."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from biglearn import (
    BigLearnAnomalyDetector,
    BigLearnRegressor,
    GaussianMixture,
    select_mixture,
)
from helpers import blobs

EM = {"method": "em", "random_state": 0}


@pytest.fixture
def pairs(rng):
    """Rows with NaN, and the same rows with the code -9999 behind a mask."""
    X = blobs(rng, 120, 3, 2)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, np.ma.masked_equal(np.where(np.isnan(X), -9999.0, X), -9999.0)


@pytest.mark.parametrize("engine", ["memory", "chunked", "torch", "dask"])
@pytest.mark.filterwarnings("ignore:.*does not support missing values:UserWarning")
def test_a_mask_is_a_missing_value_in_every_engine(pairs, engine):
    pytest.importorskip({"torch": "torch", "dask": "dask.array"}.get(engine, "numpy"))
    X, masked = pairs
    model = GaussianMixture(2, engine=engine, **EM)
    np.testing.assert_array_equal(model.fit(masked).means_, model.fit(X).means_)
    assert abs(model.means_).max() < 100


def test_a_mask_is_a_missing_value_in_every_method(pairs):
    X, masked = pairs
    model = GaussianMixture(2, **EM).fit(X)
    for name in ("score_samples", "predict", "predict_proba", "impute", "score", "bic"):
        ask = getattr(model, name)
        np.testing.assert_array_equal(ask(masked), ask(X), err_msg=name)
    for name in ("log_density", "responsibilities", "labels", "impute"):
        ask = getattr(model.mixture_, name)
        np.testing.assert_array_equal(ask(masked), ask(X), err_msg=name)


def test_a_mask_is_a_missing_value_for_detector_and_regressor(pairs):
    X, masked = pairs
    detector = BigLearnAnomalyDetector(2, random_state=0)
    scores = detector.fit(X).score_samples(X)
    np.testing.assert_array_equal(detector.fit(masked).score_samples(masked), scores)
    y = np.nan_to_num(X[:, 2])
    regressor = BigLearnRegressor(2, random_state=0)
    expected = regressor.fit(X[:, :2], y).predict(X[:, :2])
    found = regressor.fit(masked[:, :2], y).predict(masked[:, :2])
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="y contains NaN"):
        regressor.fit(X[:, :2], masked[:, 2])


@pytest.mark.filterwarnings("ignore:the best number of components:UserWarning")
@pytest.mark.parametrize("criterion", ["bic", "heldout"])
def test_a_mask_is_a_missing_value_in_the_selection(pairs, criterion):
    X, masked = pairs
    how = {"criterion": criterion, "random_state": 0}
    found, expected = (select_mixture(rows, [1, 2], **how).table() for rows in (masked, X))
    np.testing.assert_array_equal(found[criterion], expected[criterion])


def test_a_masked_weight_is_refused_and_a_masked_label_unknown(rng):
    X = blobs(rng, 60, 2, 2)
    hidden = np.arange(60) == 7
    model = GaussianMixture(2, **EM)
    with pytest.raises(ValueError, match=r"sample_weight must be finite.*got nan in row 7"):
        model.fit(X, sample_weight=np.ma.array(np.ones(60), mask=hidden))
    labels = np.full(60, -1)
    labels[:3] = 0
    behind = np.where(hidden, 1, labels)
    expected = model.fit(X, labels=labels).means_
    found = model.fit(X, labels=np.ma.array(behind, mask=hidden)).means_
    np.testing.assert_array_equal(found, expected)


def test_dates_are_refused_in_arrays_as_in_frames(rng):
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-05"], "M8[D]")[:, None]
    for given in (days, days.astype(object), pd.DataFrame({"day": days.ravel()})):
        with pytest.raises(ValueError, match=r"dates|is a date|do not hold numbers"):
            GaussianMixture(1).fit(given)


def test_records_and_dicts_are_refused_by_name():
    frame = pd.DataFrame({"a": [0.5, 1.5], "b": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"fields \['index', 'a', 'b'\]"):
        GaussianMixture(1).fit(frame.to_records())
    with pytest.raises(ValueError, match=r"X is a dict.*pandas\.DataFrame"):
        GaussianMixture(1).fit(dict(frame))


def test_frames_of_any_library_bring_their_names(rng):
    X = blobs(rng, 60, 2, 1)
    frames = [pd.DataFrame(X, columns=["a", "b"]), pl.DataFrame(X, schema=["a", "b"])]
    try:
        import pyarrow
    except ImportError:
        pass
    else:
        frames.append(pyarrow.table({"a": X[:, 0], "b": X[:, 1]}))
    for engine in ("memory", "chunked"):
        model = GaussianMixture(1, engine=engine, **EM)
        means = model.fit(X).means_
        for each in frames:
            np.testing.assert_allclose(model.fit(each).means_, means, rtol=1e-12)
            assert model.feature_names_in_.tolist() == ["a", "b"]


class Shared:
    """Rows of another library, which shares its memory through DLPack alone."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __dlpack__(self, **how):
        return self.values.__dlpack__(**how)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


def test_rows_are_read_through_dlpack_and_the_interface_of_arrays(rng):
    X = blobs(rng, 60, 2, 1)
    model = GaussianMixture(1, **EM)
    expected = model.fit(X).means_
    bare = type("Bare", (), {"__array_interface__": X.__array_interface__})()
    for given in (Shared(X), bare, memoryview(X)):
        np.testing.assert_array_equal(model.fit(given).means_, expected)
        assert model.predict(given).shape == (60,)


def test_blocks_may_be_masked_or_tensors(pairs):
    torch = pytest.importorskip("torch")
    X, masked = pairs
    model = GaussianMixture(2, engine="chunked", **EM)
    expected = model.fit([X[:50], X[50:]]).means_
    tensors = [torch.tensor(part, requires_grad=True) for part in (X[:50], X[50:])]
    for blocks in ([masked[:50], masked[50:]], tensors):
        np.testing.assert_array_equal(model.fit(blocks).means_, expected)


def test_a_tensor_that_requires_gradients_is_fitted(rng):
    torch = pytest.importorskip("torch")
    X = blobs(rng, 60, 2, 1)
    for engine in ("auto", "memory", "chunked"):
        model = GaussianMixture(1, engine=engine, **EM)
        found = model.fit(torch.tensor(X, requires_grad=True)).means_
        np.testing.assert_allclose(found, model.fit(X).means_, rtol=1e-9)
