"""Bad input: an error that names the value, or a correct result; never a leaked warning.

Warnings are errors in this suite, so every fit here also shows that neither
numpy nor scikit-learn warns on the library's behalf.
"""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from biglearn import GaussianMixture


def fit(X, n_components=2, sample_weight=None, **parameters):
    parameters = {"method": "em", "random_state": 0, **parameters}
    return GaussianMixture(n_components, **parameters).fit(X, sample_weight=sample_weight)


@pytest.fixture
def X(rng):
    return np.vstack([rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + np.array([9.0, 5.0])])


TRUTH = np.repeat([0, 1], 60)


def assert_two_clusters(labels):
    assert len(set(labels[:60])) == 1
    assert len(set(labels[60:])) == 1
    assert labels[0] != labels[60]


def refused(message, *args, error=ValueError, **kwargs):
    with pytest.raises(error, match=message) as caught:
        fit(*args, **kwargs)
    assert "ill-defined empirical covariance" not in str(caught.value)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(X, bad):
    X[7, 1] = bad
    refused(rf"{bad} in column 1, row 7", X)
    refused(rf"{bad} in column 1 \('b'\), row 7", pd.DataFrame(X, columns=["a", "b"]))
    refused(rf"{bad} in column 1, row 7", X.astype(np.float32))


def test_both_infinities_and_values_at_the_edge_of_float64(X):
    X[0], X[1] = [np.inf, 0], [-np.inf, 0]
    refused(r"inf in column 0, row 0 \(2 such", X)
    assert np.isfinite(fit(np.column_stack([np.full(60, 1.7e308), np.arange(60.0)])).lower_bound_)
    refused(r"column 0 has a spread of", np.array([[1.7e308, 0], [-1.7e308, 1], [0, 2]]))
    refused(
        r"column 0 has a spread of",
        np.array([[1.7e308, 0], [-1.7e308, 1], [0, 2]]),
        scaling="minmax",
    )


def test_columns_that_hold_no_numbers_are_named(X):
    frame = pd.DataFrame(X, columns=["a", "b"])
    refused(r"columns \['c'\] do not hold numbers", frame.assign(c="x"))
    refused(r"columns \['c'\] do not hold numbers", frame.assign(c=pd.Timestamp("2020-01-01")))
    refused(r"columns \['b'\] do not hold numbers", pl.DataFrame({"a": X[:, 0], "b": ["x"] * 120}))
    refused(r"no numbers .*'x'", np.array([["x", "1"], ["y", "2"]]))
    refused(r"no numbers .*'x'", [["x", 1.0], ["y", 2.0]])


def test_columns_without_any_value_are_named(X):
    X[:, 1] = np.nan
    refused(r"column 1 has no value at all: every one of its 120 is missing", X)
    refused(r"column 1 \('b'\) has no value at all", pd.DataFrame(X, columns=["a", "b"]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.empty((0, 2)), r"0 sample\(s\)"),
        (np.empty((5, 0)), r"0 feature\(s\)"),
        ([], "Expected 2D array"),
        ([1.0, 2.0], "Expected 2D array"),
        (np.zeros((2, 2, 2)), "dim 3"),
        ([[1.0, 2.0]], "n_samples=1"),
        (np.ones((3, 2)) + 1j, "Complex data not supported"),
    ],
)
def test_rows_of_the_wrong_shape_are_refused(rows, message):
    refused(message, rows)


def test_more_components_than_rows_are_refused(X):
    refused(r"n_components=4 .*n_samples=3; lower n_components", X[:3], 4)
    weights = np.r_[np.ones(3), np.zeros(117)]
    refused(r"n_components=4 .*n_samples=3", X, 4, sample_weight=weights)


def test_sparse_rows_are_refused(X):
    refused("Sparse data was passed", sparse.csr_matrix(X), error=TypeError)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(120), r"got -1.0 in row 0"),
        (np.r_[np.ones(119), np.nan], r"got nan in row 119"),
        (np.r_[np.inf, np.ones(119)], r"got inf in row 0"),
        (np.zeros(120), "zero for every row"),
        (np.ones(3), r"shape \(120,\).*got \(3,\)"),
        (np.ones((120, 1)), r"shape \(120,\).*got \(120, 1\)"),
        (["a"] * 120, "sample_weight must be numbers"),
    ],
)
def test_bad_weights_are_refused(X, weights, message):
    refused(message, X, sample_weight=weights)


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e200, 1.7e308])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_only_the_ratios_of_weights_matter(X, size, dtype):
    X = X.astype(dtype)
    plain = fit(X)
    weighted = fit(X, sample_weight=np.full(120, size))
    np.testing.assert_array_equal(weighted.means_, plain.means_)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components must be an integer at least 1, got 0"),
        ({"n_components": 2.0}, "n_components must be an integer at least 1, got 2.0"),
        ({"n_components": True}, "n_components must be an integer at least 1, got True"),
        ({"tol": -1.0}, "tol must be a finite number at least 0, got -1.0"),
        ({"tol": np.nan}, "tol .*got nan"),
        ({"reg_covar": -1e-9}, "reg_covar .*got -1e-09"),
        ({"reg_covar": np.inf}, "reg_covar .*got inf"),
        ({"max_iter": -1}, "max_iter .*got -1"),
        ({"n_init": 0}, "n_init .*got 0"),
        ({"max_time": 0}, "max_time .*above 0, got 0"),
        ({"n_threads": 0}, "n_threads .*got 0"),
        ({"covariance_type": "fall"}, r"covariance_type must be one of \['full'.*got 'fall'"),
        ({"scaling": "maxmin"}, "scaling .*got 'maxmin'"),
        ({"method": "e"}, r"method must be one of \['em', .*got 'e'"),
        ({"init_params": "kmean"}, "init_params .*got 'kmean'"),
        ({"init_params": np.full(120, 2)}, "labels .*0 to 1, got 2 to 2"),
        ({"init_params": np.ones((120, 3))}, r"got \(120, 3\)"),
        ({"init_params": np.ones((120, 2))}, "sum to 1"),
        ({"weights_init": [0.5, 0.6]}, r"sum\(weights\) = 1.10000"),
        ({"weights_init": [1.5, -0.5]}, r"\[0, 1\].*max value 1.50000, min value -0.50000"),
        ({"weights_init": [1.0]}, r"'weights' should have the shape of \(2,\), but got \(1,\)"),
        ({"means_init": [[0.0, 0.0]]}, r"'means' should have the shape of \(2, 2\).* got \(1, 2\)"),
        ({"means_init": [[0.0, 0.0], [np.nan, 0.0]]}, "'means' should be finite"),
        (
            {"precisions_init": -np.ones((2, 2, 2))},
            "positive-definite, got a smallest eigenvalue of -2",
        ),
        ({"precisions_init": [[[1, 0.5], [0, 1]]] * 2}, "'full precision' should be symmetric"),
    ],
)
def test_parameters_out_of_range_are_refused(X, parameters, message):
    refused(message, X, **parameters)


@pytest.mark.parametrize("scaling", ["standard", "none"])
@pytest.mark.parametrize("size", [1e-150, 1e-100, 1e100, 1e150])
def test_sizes_near_the_end_of_float64_are_fitted(X, size, scaling):
    reg_covar = 1e-6 if scaling == "standard" else 1e-6 * size**2
    likeliest = {"scaling": scaling, "prior": None, "resolution": None}
    model = fit(X * size, reg_covar=reg_covar, **likeliest)
    assert_two_clusters(model.predict(X * size))
    plain = fit(X, **likeliest)
    np.testing.assert_allclose(model.means_ / size, plain.means_, rtol=1e-9)
    wanted = plain.lower_bound_ - 2 * np.log(size)
    assert model.lower_bound_ == pytest.approx(wanted, rel=1e-9)
    assert model.score(X * size) == pytest.approx(wanted, rel=1e-9)
    assert np.isfinite(model.precisions_).all()


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_sizes_whose_squares_do_not_exist_are_refused(X, size):
    refused(r"column 0 has a spread of .*e[+-]\d+.*outside the range of float64; rescale", X * size)


def test_a_floor_whose_inverse_does_not_exist_is_refused(X):
    refused("reg_covar=1e-06 allows variances of .*e-308", X * 1e-151)


@pytest.mark.parametrize("offset", [1e8, -1e8])
@pytest.mark.parametrize("scaling", ["standard", "minmax", "none"])
def test_an_offset_costs_no_more_than_its_own_rounding(X, offset, scaling):
    X = X.astype(np.float32).astype(float)  # so that the offset rounds at 1.5e-8 at most
    plain, far = fit(X, scaling=scaling), fit(X + offset, scaling=scaling)
    np.testing.assert_allclose(far.means_ - offset, plain.means_, atol=1e-6)
    np.testing.assert_allclose(far.covariances_, plain.covariances_, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("constant", [0.0, 5.0, -1e20])
def test_constant_columns_change_no_cluster(X, constant, dtype):
    X = X.astype(dtype)
    wide = np.column_stack([X, np.full(120, constant, dtype=dtype)])
    model = fit(wide)
    assert_two_clusters(model.predict(wide))
    np.testing.assert_allclose(model.means_[:, 2], constant, rtol=1e-6)


def test_a_column_that_is_constant_but_for_rounding_changes_no_cluster(X, rng):
    jitter = 1e20 * (1 + 2e-16 * rng.integers(0, 3, size=120))
    assert_two_clusters(fit(np.column_stack([X, jitter])).predict(np.column_stack([X, jitter])))


def test_duplicated_columns_change_no_cluster(X):
    wide = np.column_stack([X, X[:, :1], -2 * X[:, :1]])
    model = fit(wide)
    assert_two_clusters(model.predict(wide))
    assert np.isfinite(model.lower_bound_)
    assert model.n_raised_ > 0


STARTS = ["k-means++", "kmeans", "ward", "random", "random_from_data", "normal"]


@pytest.mark.filterwarnings("ignore:components .* re-seeded:UserWarning")
# a component that dies on the way is given rows again, and what was best before stays
@pytest.mark.filterwarnings(
    "ignore:Best performing initialization did not converge:sklearn.exceptions.ConvergenceWarning"
)
@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("reg_covar", [1e-6, 0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_degenerate_rows_are_fitted_from_every_start(rng, kind, reg_covar, dtype):
    problems = {
        "as many components as rows": (rng.normal(size=(6, 2)), 6),
        "fewer distinct rows than components": (np.repeat(rng.normal(size=(2, 2)), 8, axis=0), 4),
        "one distinct row": (np.ones((8, 2)), 2),
        "fewer rows than features": (rng.normal(size=(5, 9)), 2),
        "one feature, two values": (np.repeat([[0.0], [1.0]], 5, axis=0), 3),
    }
    for name, (rows, n_components) in problems.items():
        rows = rows.astype(dtype)
        for start in STARTS:
            model = fit(
                rows, n_components, covariance_type=kind, reg_covar=reg_covar, init_params=start
            )
            case = f"{name}, from {start}"
            assert np.isfinite(model.lower_bound_), case
            assert model.weights_.sum() == pytest.approx(1, abs=1e-6), case
            shares = model.predict_proba(rows)
            np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5, err_msg=case)


def test_other_layouts_and_types_are_the_same_rows(X):
    X = np.round(4 * X)
    wanted = fit(X).means_
    strided = np.zeros((240, 4))[::2, ::2]
    strided[:] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    for same in (
        np.asfortranarray(X),
        strided,
        frozen,
        X.tolist(),
        X.astype(np.int64),
        X.astype(np.int8),
        X.astype(object),
        X.astype(np.float16),
    ):
        # the order of summation follows the memory: some units in the last place
        np.testing.assert_allclose(fit(same).means_, wanted, rtol=1e-11)


def test_the_rows_are_left_as_they_were(X):
    before = X.copy()
    fit(X).predict(X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_frames_keep_their_names_and_refuse_others(X, make):
    frame = make({"a": X[:, 0], "b": X[:, 1]})
    model = fit(frame)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    assert model.mixture_.feature_names == ("a", "b")
    for method in ("predict", "predict_proba", "score_samples", "score", "bic", "aic", "icl"):
        getattr(model, method)(frame)  # and none of them warns of missing names
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a"]])


USES = ["predict", "predict_proba", "score_samples", "score", "bic", "aic", "icl"]


@pytest.mark.parametrize("use", USES)
def test_an_unfitted_model_says_so(X, use):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(GaussianMixture(), use)(X)


def test_an_unfitted_model_cannot_sample():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        GaussianMixture().sample()


@pytest.mark.parametrize("use", USES)
def test_rows_of_another_width_are_refused(X, use):
    with pytest.raises(ValueError, match=r"X has 1 features, but .* is expecting 2"):
        getattr(fit(X), use)(X[:, :1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_at_any_distance_have_a_density(X, dtype):
    model = fit(X.astype(dtype))
    for far in ([[1e30, 0]], [[3e38, -3e38]]):
        rows = np.array(far, dtype=dtype)
        assert model.score_samples(rows)[0] < -1e30
        np.testing.assert_allclose(model.predict_proba(rows).sum(axis=1), 1)
    beyond = model.mixture_.log_density([[1e300, -1e300], [0, 0]])
    assert beyond[0] == -np.inf
    assert np.isfinite(beyond[1])


def test_float32_results_widen_where_float32_cannot_hold_them(X):
    narrow = fit(X.astype(np.float32))
    assert narrow.covariances_.dtype == np.float32
    for size in (1e-25, 1e30):
        model = fit((X * size).astype(np.float32))
        assert model.covariances_.dtype == np.float64
        np.testing.assert_allclose(model.means_ / size, narrow.means_, rtol=1e-4)


def test_what_a_callable_start_does_wrong_is_said(X):
    refused(r"labels of shape \(120,\) .*got \(3,\)", X, init_params=lambda *_: np.zeros(3))

    def fail(*_):
        raise RuntimeError("my own trouble")

    refused("my own trouble", X, init_params=fail, error=RuntimeError)
