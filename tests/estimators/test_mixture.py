"""The estimator against scikit-learn's, and what it promises beyond."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from biglearn import BigLearnGaussianMixture, Record
from biglearn.engines.rows.units import Units
from biglearn.search.methods import Paper
from helpers import COVARIANCE_TYPES, SHARED_TYPES, blobs, random_mixture

ML = {"prior": None, "resolution": None, "reg_covar": 1e-6, "random_state": 0}
AUTO = {"prior": "auto", "resolution": "auto", "reg_covar": "auto"}


def em(n_components=3, **parameters):
    """Return maximum likelihood by EM, unless the parameters say otherwise."""
    return BigLearnGaussianMixture(n_components, **{**ML, "method": "em", **parameters})


@pytest.fixture
def X(rng):
    return blobs(rng, 300, 3)


def plain(X, kind, steps, **start):
    """EM of both libraries after some steps from one start, without floor and scaling."""
    start = start or {"weights_init": [0.2, 0.3, 0.5], "means_init": X[:3],
                      "precisions_init": precisions(kind, X.shape[1])}  # fmt: skip
    parameters = {"covariance_type": kind, "max_iter": steps, "tol": 0.0, **start}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = em(scaling="none", reg_covar=1e-12, **parameters).fit(X)
        theirs = GaussianMixture(3, reg_covar=0, **parameters).fit(X)
    return ours, theirs


def precisions(kind, D):
    shapes = {"full": np.tile(np.eye(D), (3, 1, 1)), "tied": np.eye(D), "diag": np.ones((3, D)),
              "spherical": np.ones(3)}  # fmt: skip
    return shapes[kind]


@pytest.mark.parametrize("kind", SHARED_TYPES)
@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_em_is_scikit_learns_step_by_step(X, kind, steps):
    ours, theirs = plain(X, kind, steps)
    assert ours.n_iter_ == theirs.n_iter_ == steps
    names = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
    for name in names:
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert mine.shape == other.shape
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9, err_msg=name)
    # scikit-learn notes the value before each M-step, we also the last one's.
    np.testing.assert_allclose(ours.lower_bounds_[:steps], theirs.lower_bounds_, rtol=1e-9)
    assert ours.lower_bounds_[-1] == pytest.approx(ours.score(X), rel=1e-10)


@pytest.mark.parametrize("kind", SHARED_TYPES)
def test_everything_said_of_rows_is_scikit_learns(rng, X, kind):
    ours, theirs = plain(X, kind, 5)
    new = 2 * rng.normal(size=(50, 3))
    for name in ("score_samples", "predict", "predict_proba", "score", "bic", "aic"):
        np.testing.assert_allclose(
            getattr(ours, name)(new), getattr(theirs, name)(new), rtol=1e-6, atol=1e-9,
            err_msg=name,
        )  # fmt: skip


def test_icl_is_bic_plus_twice_the_entropy(X):
    model = em().fit(X)
    r = model.predict_proba(X)
    entropy = -np.sum(r[r > 0] * np.log(r[r > 0]))
    assert model.icl(X) == pytest.approx(model.bic(X) + 2 * entropy, rel=1e-12)
    alone = em(1).fit(X)
    assert alone.icl(X) == pytest.approx(alone.bic(X), rel=1e-12)


def test_one_component_is_the_sample_mean_and_covariance(X):
    model = em(1).fit(X)
    np.testing.assert_allclose(model.means_[0], X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.covariances_[0], np.cov(X.T, bias=True), rtol=1e-10)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reg_covar", [1e-6, 0.05])
def test_joint_em_never_falls_under_the_floor(rng, kind, weighted, reg_covar):
    hard = np.vstack([
        rng.normal(size=(60, 3)) @ np.diag([1, 1e-3, 1]),  # nearly flat
        rng.normal(size=(4, 3)) * 20,  # a handful of outliers
        np.repeat(rng.normal(size=(1, 3)), 20, axis=0),  # one row again and again
    ])  # fmt: skip
    weights = rng.uniform(0, 3, size=len(hard)) if weighted else None
    for start in ("k-means++", "random", "normal"):
        model = em(
            4,
            covariance_type=kind,
            reg_covar=reg_covar,
            init_params=start,
            tol=1e-8,
            max_iter=200,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(hard, sample_weight=weights)
        if model.n_reseeded_ == 0:
            # rounding of the moments is amplified by the floor: eps · |y|² / floor
            assert np.diff(model.lower_bounds_).min() > -1e-9
        spread = Units.of(hard, one_scale=kind == "spherical").scale
        lowest = np.linalg.eigvalsh(model.mixture_.covariances / np.outer(spread, spread))
        if weights is None:
            assert lowest.min() >= reg_covar * (1 - 1e-6)


@pytest.mark.parametrize("kind", ["full", "tied"])
@pytest.mark.parametrize("method", ["em", Paper(steps=5), "search"])
def test_a_change_of_units_changes_no_cluster(rng, kind, method):
    X = blobs(rng, 200, 2)
    scale, shift = np.array([1e-3, 4e5]), np.array([-7.0, 3e4])
    one = em(covariance_type=kind, method=method).fit(X)
    other = em(covariance_type=kind, method=method).fit(X * scale + shift)
    np.testing.assert_allclose(other.means_, one.means_ * scale + shift, rtol=1e-6)
    np.testing.assert_allclose(
        other.mixture_.covariances, one.mixture_.covariances * np.outer(scale, scale), rtol=1e-5,
        atol=1e-9 * scale.prod(),
    )  # fmt: skip
    np.testing.assert_array_equal(other.predict(X * scale + shift), one.predict(X))
    gap = np.log(scale).sum()
    assert other.lower_bound_ == pytest.approx(one.lower_bound_ - gap, abs=1e-8)


def labelled_start(rng, X):
    return rng.integers(3, size=len(X))


def test_the_order_of_rows_features_and_components_does_not_matter(rng, X):
    labels = labelled_start(rng, X)
    one = em(init_params=labels).fit(X)
    rows, columns, names = rng.permutation(len(X)), [2, 0, 1], np.array([1, 2, 0])
    by_rows = em(init_params=labels[rows]).fit(X[rows])
    np.testing.assert_allclose(by_rows.means_, one.means_, rtol=1e-6, atol=1e-8)
    by_columns = em(init_params=labels).fit(X[:, columns])
    np.testing.assert_allclose(by_columns.means_, one.means_[:, columns], rtol=1e-6, atol=1e-8)
    by_names = em(init_params=names[labels]).fit(X)
    np.testing.assert_allclose(by_names.means_[names], one.means_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("method", ["em", "search", Paper(steps=3)])
@pytest.mark.parametrize("regularised", [{}, AUTO])
def test_a_weight_of_zero_is_an_absent_row_to_the_last_bit(rng, X, method, regularised):
    weights = rng.integers(0, 2, size=len(X)).astype(float)
    ours = em(method=method, **regularised).fit(X, sample_weight=weights)
    absent = em(method=method, **regularised).fit(X[weights > 0])
    np.testing.assert_array_equal(ours.means_, absent.means_)
    np.testing.assert_array_equal(ours.covariances_, absent.covariances_)
    assert ours.lower_bound_ == absent.lower_bound_


def on_weighted_and_repeated(X, weights, *, labels=None, **parameters):
    """Fit weighted rows, and the rows repeated as often as their weights say."""
    if labels is not None:
        weighted, repeated = labels, np.repeat(labels, weights)
    else:
        weighted = repeated = parameters.pop("init_params", "k-means++")
    return (
        em(init_params=weighted, **parameters).fit(X, sample_weight=weights),
        em(init_params=repeated, **parameters).fit(np.repeat(X, weights, axis=0)),
    )


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_an_integer_weight_is_a_repeated_row(rng, X, kind):
    weights = rng.integers(0, 4, size=len(X))
    ours, repeated = on_weighted_and_repeated(
        X, weights, labels=labelled_start(rng, X), covariance_type=kind
    )
    np.testing.assert_allclose(ours.weights_, repeated.weights_, rtol=1e-6)
    np.testing.assert_allclose(ours.means_, repeated.means_, rtol=1e-6, atol=1e-8)
    assert ours.lower_bound_ == pytest.approx(repeated.lower_bound_, rel=1e-9)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_starts_from_centres_shrink_weighted_rows_as_they_do_repeated_ones(rng, size):
    X = rng.normal(size=(30, 2))
    means = X[:3]
    weights = size * rng.integers(1, 4, size=len(X))
    ours, repeated = on_weighted_and_repeated(X, weights, means_init=means, scaling="none")
    np.testing.assert_allclose(ours.lower_bounds_[0], repeated.lower_bounds_[0], rtol=1e-10)
    np.testing.assert_allclose(ours.means_, repeated.means_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("method", ["em", "search"])
@pytest.mark.parametrize("regularised", [{}, AUTO])
def test_searches_of_weighted_and_of_repeated_rows_end_alike(rng, method, regularised):
    corners = np.array([(0, 0), (0, 9), (9, 0), (9, 2)])
    X = np.vstack([rng.normal(size=(40, 2)) + c for c in corners])
    weights = rng.integers(1, 4, size=len(X))
    labels = np.repeat([0, 1, 2, 2], 40) + (np.arange(160) < 20)  # a poor start
    labels[:40] *= 3
    ours, repeated = on_weighted_and_repeated(
        X, weights, labels=labels, method=method, n_components=4, tol=1e-7, **regularised
    )
    order, other = ours.means_[:, 0].argsort(), repeated.means_[:, 0].argsort()
    assert ours.lower_bound_ == pytest.approx(repeated.lower_bound_, abs=1e-5)
    np.testing.assert_allclose(ours.means_[order], repeated.means_[other], atol=1e-2)


def test_weights_that_sum_to_one_stand_for_as_many_rows(rng, X):
    weights = rng.uniform(0.5, 1.0, size=len(X))
    shares = weights / weights.sum()
    ours, other = em().fit(X, sample_weight=weights), em().fit(X, sample_weight=shares)
    np.testing.assert_allclose(ours.lower_bounds_, other.lower_bounds_, rtol=1e-9)
    np.testing.assert_allclose(ours.means_, other.means_, rtol=1e-6, atol=1e-8)


def test_float32_gives_float32_close_to_float64(rng):
    X = np.vstack([rng.normal(size=(100, 3)) + 8 * np.array(c) for c in np.eye(3)])
    single, double = em().fit(X.astype(np.float32)), em().fit(X.astype(np.float32).astype(float))
    assert single.means_.dtype == single.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert single.sample(3)[0].dtype == np.float32
    np.testing.assert_allclose(single.means_, double.means_, atol=1e-4)
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=1e-4)


def test_warm_start_goes_on_from_the_last_mixture(X):
    model = em(warm_start=True, max_iter=2, tol=1e-9, init_params="random")
    bounds = []
    for _ in range(4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            bounds.append(model.fit(X).lower_bounds_)
    for before, after in pairwise(bounds):
        assert after[0] == pytest.approx(before[-1], abs=1e-10)
        assert after[-1] > before[-1]


def first_known(model):
    """Return the first log-likelihood that the history knows."""
    return next(r.log_likelihood for r in model.history_ if not np.isnan(r.log_likelihood))


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
@pytest.mark.parametrize(
    ("parameters", "labelled"),
    [({"noise": True}, False), ({"noise": True}, True), ({"family": "student"}, True),
     ({"family": "student", "noise": True}, True)],
)  # fmt: skip
def test_warm_starts_take_noise_labels_and_tails_along(rng, kind, parameters, labelled):
    X, truth = random_mixture(rng, 3, 2, spread=5.0).sample(300, rng)
    X = np.vstack([X, rng.uniform(-30, 30, size=(30, 2))])
    labels = None
    if labelled:
        labels = np.full(330, -1)
        labels[:300:4] = truth[:300:4]
    model = em(covariance_type=kind, warm_start=True, **parameters).fit(X, labels=labels)
    last = model.lower_bound_
    model.fit(X, labels=labels)
    assert first_known(model) >= last - 1e-9
    assert model.lower_bound_ >= last - 1e-9


@pytest.mark.parametrize("method", ["em", "search", Paper(steps=5)])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"family": "student"}, {"noise": True}, {"init_params": "normal", "reg_covar": 2.0}],
)
def test_repairs_in_starts_and_trials_are_counted(rng, method, parameters):
    X = blobs(rng, 200, 2)
    model = em(method=method, **{"reg_covar": 0.5, **parameters}).fit(X)
    assert model.history_[0].move == "start"
    assert model.history_[0].raised > 0
    assert sum(r.raised for r in model.history_) == model.n_raised_
    assert sum(r.reseeded for r in model.history_) == model.n_reseeded_


@pytest.mark.filterwarnings("ignore:components .* re-seeded:UserWarning")
@pytest.mark.parametrize("max_time", [None, 1e-9, 0.02])
@pytest.mark.parametrize("method", ["em", "search", Paper(steps=9), Paper(steps=9, polish=False)])
@pytest.mark.parametrize("regularised", [{}, AUTO])
def test_the_lower_bounds_lead_to_the_model(X, method, max_time, regularised):
    model = em(4, method=method, max_time=max_time, init_params="random", **regularised).fit(X)
    assert model.lower_bounds_[-1] == pytest.approx(model.lower_bound_, abs=1e-12)
    assert (np.diff(model.lower_bounds_) >= -1e-12).all()
    assert len(model.lower_bounds_) <= model.n_iter_ + 1 <= model.max_iter + 1


def test_records_tell_the_likelihood_of_the_mixture_they_arrived_at(X):
    model = em(method=Paper(steps=1, p_joint=1.0, p_marginal=0, p_transformed=0, polish=False))
    *_, matching = model.fit(X).history_
    assert matching.move == "joint"
    assert np.isnan(matching.log_likelihood)  # it ends with an M-step that nobody evaluated
    assert model.lower_bounds_ == [model.lower_bound_]
    assert model.lower_bound_ > matching.best


@pytest.mark.filterwarnings("ignore:components .* re-seeded:UserWarning")
def test_the_callback_sees_the_history_and_the_history_is_consistent(X):
    seen = []
    model = em(method=Paper(steps=10), callback=seen.append).fit(X)
    history = model.history_
    assert seen == history or all(a is b for a, b in zip(seen, history, strict=True))
    assert all(isinstance(r, Record) for r in history)
    assert [r.step for r in history] == list(range(len(history)))
    assert {"start", "em", "polish"} <= {r.move for r in history}
    best = -np.inf
    for r in history:
        best = np.nanmax([best, r.log_likelihood])
        assert np.isnan(r.log_likelihood) or r.best >= r.log_likelihood
    assert (np.diff([r.best for r in history]) >= 0).all()
    assert (np.diff([r.passes for r in history]) >= 0).all()
    assert (np.diff([r.seconds for r in history]) >= 0).all()
    assert history[-1].best == pytest.approx(model.lower_bound_, rel=1e-12)
    assert best == pytest.approx(model.lower_bound_, rel=1e-12)
    assert sum(r.raised for r in history) == model.n_raised_
    assert sum(r.reseeded for r in history) == model.n_reseeded_
    assert model.lower_bound_ == pytest.approx(model.score(X), rel=1e-10)


def test_a_callback_may_stop_the_fit_by_an_error(X):
    def stop(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        em(callback=stop).fit(X)


@pytest.mark.parametrize("method", ["em", "paper", "search"])
def test_time_runs_out_with_the_best_so_far(X, method):
    model = em(method=method, max_time=1e-9, tol=0).fit(X)
    assert np.isfinite(model.lower_bound_)
    assert model.lower_bound_ == pytest.approx(model.score(X), rel=1e-10)


def test_lost_components_are_reseeded_counted_and_named(X):
    labels = np.arange(len(X)) % 2  # nobody is given the third component
    with pytest.warns(UserWarning, match=r"components \[2\] lost all their rows"):
        model = em(init_params=labels).fit(X)
    assert model.n_reseeded_ == 1
    assert model.weights_.min() > 0.01


def test_too_few_steps_are_named_in_a_warning(X):
    said = "did not converge.*1 steps of max_iter=1, with tol=1e-05"
    with pytest.warns(ConvergenceWarning, match=said):
        model = em(max_iter=1, init_params="random").fit(X)
    assert not model.converged_
    assert model.n_iter_ == 1


def test_more_starts_are_never_worse(X):
    one, many = em().fit(X), em(n_init=5).fit(X)
    assert many.lower_bound_ >= one.lower_bound_
    assert sum(r.move == "start" for r in many.history_) == 5


def test_given_parameters_in_the_users_units(rng):
    truth = random_mixture(rng, 2, 2, spread=10.0)
    X = truth.sample(500, rng)[0] * [1e3, 1e-3] + 50
    A = np.diag([1e3, 1e-3])
    moved = truth.transform(A, [50, 50])
    model = em(2, weights_init=moved.weights, means_init=moved.means,
               precisions_init=moved.precisions).fit(X)  # fmt: skip
    assert model.lower_bounds_[0] == pytest.approx(moved.log_density(X).mean(), rel=1e-9)
    np.testing.assert_allclose(model.means_ / moved.means, 1, atol=0.5)


def test_the_result_is_that_of_the_mixture(rng, X):
    model = em().fit(X)
    np.testing.assert_array_equal(model.means_, model.mixture_.means)
    np.testing.assert_allclose(model.score_samples(X), model.mixture_.log_density(X))
    np.testing.assert_array_equal(em().fit_predict(X), model.predict(X))
    rows, labels = model.sample(50)
    assert rows.shape == (50, 3)
    assert (np.diff(labels) >= 0).all()
    with pytest.raises(ValueError, match="Invalid value for 'n_samples': 0"):
        model.sample(0)


def test_verbose_prints_a_line_for_steps(X, capsys):
    em(verbose=2).fit(X)
    assert "log-likelihood" in capsys.readouterr().out
