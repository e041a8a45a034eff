"""Student-t components: closed forms against scipy, quadrature and finite differences."""

import pickle

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, logsumexp
from scipy.stats import multivariate_t

from biglearn import BigLearnRegressor, GaussianMixture, Mixture
from biglearn.engines import MemoryEngine, engine_over
from biglearn.io import load_model, save_model
from biglearn.model.families import StudentT
from biglearn.model.views import View
from biglearn.search.methods import EM, Paper, Search
from helpers import COVARIANCE_TYPES, random_covariances, random_mixture, with_gaps


def student_mixture(rng, n_components=3, n_features=3, spread=3.0):
    gaussian = random_mixture(rng, n_components, n_features, spread)
    dof = rng.uniform(2.5, 9, size=n_components)
    return Mixture(gaussian.weights, gaussian.means, gaussian.covariances, dof=dof)


def scipy_log_joint(mixture, X):
    return np.column_stack([
        np.log(w) + multivariate_t(m, c, df=nu).logpdf(X).reshape(len(X))
        for w, m, c, nu in zip(
            mixture.weights, mixture.means, mixture.covariances, mixture.dof, strict=True
        )
    ])  # fmt: skip


def log_likelihood(mixture, X):
    """Of rows with gaps, by scipy: each row by the marginal of what it shows."""
    total = 0.0
    for row in X:
        seen = np.flatnonzero(~np.isnan(row))
        if len(seen):
            total += logsumexp(scipy_log_joint(mixture.marginal(seen.tolist()), row[None, seen]))
    return total


@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_density_and_responsibilities_are_those_of_scipy(rng, n_features):
    mixture = student_mixture(rng, 3, n_features)
    X = 6 * rng.normal(size=(100, n_features))
    joint = scipy_log_joint(mixture, X)
    np.testing.assert_allclose(mixture.log_joint(X), joint, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(mixture.log_density(X), logsumexp(joint, axis=1), rtol=1e-10)


def test_marginals_are_integrals(rng):
    mixture = student_mixture(rng, 2, 2, spread=1.0)
    for x in (-2.0, 0.5, 4.0):
        area, _ = quad(lambda y, x=x: np.exp(mixture.log_density([[x, y]])[0]), -np.inf, np.inf)
        assert np.exp(mixture.marginal([0]).log_density([[x]])[0]) == pytest.approx(area, rel=1e-6)


def test_affine_maps_carry_the_density_along(rng):
    mixture = student_mixture(rng, 3, 3)
    A, b, X = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=(20, 3))
    moved = mixture.transform(A, b).log_density(X @ A.T + b)
    jacobian = np.linalg.slogdet(A)[1]
    np.testing.assert_allclose(moved, mixture.log_density(X) - jacobian, rtol=1e-9)


def test_conditionals_are_quotients(rng):
    mixture = student_mixture(rng, 3, 4)
    X = 3 * rng.normal(size=(30, 4))
    given = mixture.conditional(X[:, [2, 0]], features=[2, 0])
    quotient = mixture.log_density(X) - mixture.marginal([2, 0]).log_density(X[:, [2, 0]])
    np.testing.assert_allclose(given.log_density(X[:, [1, 3]]), quotient, rtol=1e-8, atol=1e-9)
    one = mixture.conditional({2: X[0, 2], 0: X[0, 0]})
    np.testing.assert_allclose(one.log_density(X[:1, [1, 3]]), quotient[:1], rtol=1e-8)
    np.testing.assert_allclose(one.mean, given.mean[0])
    np.testing.assert_allclose(one.covariance, given.covariance[0])


def test_draws_have_the_moments(rng):
    gaussian = random_mixture(rng, 2, 2)
    mixture = Mixture(gaussian.weights, gaussian.means, gaussian.covariances, dof=[9.0, 12.0])
    rows, labels = mixture.sample(200_000, rng)
    error = np.sqrt(np.diag(mixture.covariance) / len(rows))
    assert (np.abs(rows.mean(axis=0) - mixture.mean) < 5 * error).all()
    np.testing.assert_allclose(np.cov(rows.T), mixture.covariance, rtol=0.05, atol=0.1)
    assert np.mean(labels == 0) == pytest.approx(mixture.weights[0], abs=0.01)
    condition = mixture.conditional(np.full((100_000, 1), 1.0), features=[0])
    drawn = condition.sample(rng)
    assert drawn.mean() == pytest.approx(condition.mean[0, 0], abs=0.05)
    assert drawn.var() == pytest.approx(condition.covariance[0, 0, 0], rel=0.05)
    gaps = np.column_stack([np.ones(50_000), np.full(50_000, np.nan)])
    filled = mixture.impute(gaps, how="sample", rng=1)[0][:, 1]
    assert filled.mean() == pytest.approx(condition.mean[0, 0], abs=0.06)
    assert filled.var() == pytest.approx(condition.covariance[0, 0, 0], rel=0.06)
    np.testing.assert_allclose(mixture.impute(gaps[:1])[0, 1], condition.mean[0, 0], rtol=1e-9)


def test_little_freedom_has_no_covariance():
    mixture = Mixture([1.0], [[0.0]], [[[1.0]]], dof=[2.0])
    assert np.isinf(mixture.covariance).all()


def test_gaussians_are_the_limit(rng):
    gaussian = random_mixture(rng, 3, 2)
    nearly = Mixture(gaussian.weights, gaussian.means, gaussian.covariances, dof=np.full(3, 1e6))
    X = gaussian.sample(200, rng)[0]
    np.testing.assert_allclose(nearly.log_density(X), gaussian.log_density(X), atol=1e-4)
    ours, theirs = (MemoryEngine(X).expect(m) for m in (nearly, gaussian))
    for name in ("counts", "means", "covariances"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-3, atol=1e-4)
    # a fit of Gaussian rows finds that they are
    X = gaussian.sample(4000, rng)[0]
    student = GaussianMixture(3, family="student", random_state=0).fit(X)
    plain = GaussianMixture(3, random_state=0).fit(X)
    assert student.dof_.min() > 20
    assert student.score(X) == pytest.approx(plain.score(X), abs=2e-3)


@pytest.mark.parametrize("gaps", [False, True])
def test_moments_are_the_gradient_of_the_likelihood(rng, gaps):
    """Fisher's identity: at any parameters, E-step sums give the exact gradient."""
    mixture = student_mixture(rng, 2, 3)
    X = mixture.sample(60, rng)[0]
    if gaps:
        X = with_gaps(rng, X)
    moments = engine_over(X).expect(mixture).shift(np.zeros(3))
    assert moments.log_likelihood == pytest.approx(log_likelihood(mixture, X), rel=1e-9)
    means, precisions = mixture.means, mixture.precisions

    def at(**changes):
        parts = {"weights": mixture.weights, "means": means, "covariances": mixture.covariances,
                 "dof": mixture.dof} | changes  # fmt: skip
        return log_likelihood(Mixture(**parts), X)

    def slope(name, change, step=1e-5):
        value = getattr(mixture, name)
        return (at(**{name: value + step * change}) - at(**{name: value - step * change})) / (
            2 * step
        )

    for k in range(2):
        one = np.arange(2) == k
        gap = moments.first[k] - moments.scaled_counts[k] * means[k]
        direction = rng.normal(size=3)
        expected = direction @ precisions[k] @ gap
        found = slope("means", one[:, None] * direction)
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)
        scatter = moments.second[k] - np.outer(moments.first[k], means[k])
        scatter = scatter - np.outer(means[k], moments.first[k])
        scatter += moments.scaled_counts[k] * np.outer(means[k], means[k])
        direction = 0.1 * random_covariances(rng, 1, 3)[0]
        inner = precisions[k] @ (scatter - moments.counts[k] * mixture.covariances[k])
        expected = 0.5 * np.trace(inner @ precisions[k] @ direction)
        found = slope("covariances", one[:, None, None] * direction)
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)
        # the Q function of ν, which `update` maximises, has the same slope at the old ν
        step = 1e-5

        def q(nu, k=k):
            half = nu / 2
            weighted, logs = moments.scaled_counts[k], moments.statistics[k, 0]
            inner = half * np.log(half) - gammaln(half)
            return moments.counts[k] * inner + half * (logs - weighted)

        nu = mixture.dof[k]
        expected = (q(nu + step) - q(nu - step)) / (2 * step)
        assert slope("dof", one.astype(float)) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_view_of_the_rows_sees_the_view_of_the_mixture(rng, gaps, weighted):
    mixture = student_mixture(rng, 3, 4)
    X = mixture.sample(80, rng)[0]
    weights = rng.uniform(0.2, 2, size=80) if weighted else None
    view = View.transformed([0, 2], 4, rng)
    seen = engine_over(with_gaps(rng, X) if gaps else X, weights=weights).project(view)
    if not gaps:
        direct = engine_over(X @ view.basis.T, weights=weights).expect(mixture.project(view))
        found = seen.expect(mixture.project(view))
        for name in ("counts", "first", "second", "scaled_counts", "statistics", "log_likelihood"):
            np.testing.assert_allclose(getattr(found, name), getattr(direct, name), rtol=1e-9)
    else:
        assert np.isfinite(seen.expect(mixture.project(view)).second).all()


def test_patterns_of_many_rows_and_of_few_give_the_same(rng, monkeypatch):
    mixture = student_mixture(rng, 2, 3)
    X = with_gaps(rng, mixture.sample(300, rng)[0])
    few = engine_over(X).expect(mixture).shift(np.zeros(3))
    monkeypatch.setattr("biglearn.engines.memory.with_gaps._PLENTY", 10)
    many = engine_over(X).expect(mixture).shift(np.zeros(3))
    for name in ("counts", "first", "second", "scaled_counts", "statistics", "log_likelihood"):
        np.testing.assert_allclose(getattr(few, name), getattr(many, name), rtol=1e-8, atol=1e-8)


def test_the_degrees_of_freedom_are_the_likeliest():
    counts, weighted, logs = np.array([50.0, 80.0, 10.0]), np.array([48.0, 81.0, 10.0]), None
    logs = np.array([30.0, 70.0, 10.0])
    student = StudentT()
    found = student.update(counts, weighted, logs[:, None])[:, 0]

    def loss(log_nu, k):
        half = np.exp(log_nu) / 2
        return -(counts[k] * (half * np.log(half) - gammaln(half)) + half * (logs[k] - weighted[k]))

    for k in range(3):
        best = minimize_scalar(
            loss,
            bounds=np.log([student.least, student.most]),
            args=(k,),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert loss(np.log(found[k]), k) <= best.fun + 1e-9
    assert found[2] == pytest.approx(student.most)  # as a Gaussian has it


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("gaps", [False, True])
def test_the_likelihood_never_falls(rng, kind, gaps):
    X = student_mixture(rng, 3, 3).sample(200, rng)[0]
    model = GaussianMixture(
        3, family="student", covariance_type=kind, method="em", random_state=0
    ).fit(with_gaps(rng, X, 0.1) if gaps else X)
    assert np.diff(model.lower_bounds_).min() > -1e-9
    assert model.lower_bounds_[-1] == pytest.approx(model.lower_bound_)


@pytest.mark.parametrize("method", [EM(), Paper(steps=30), Search(effort=5)])
def test_every_method_recovers_the_parameters(rng, method):
    truth = Mixture([0.4, 0.6], [[0, 0], [9, 0]], [np.eye(2), [[2.0, 0.5], [0.5, 1.0]]],
                    dof=[3.0, 6.0])  # fmt: skip
    X = truth.sample(6000, rng)[0]
    model = GaussianMixture(2, family="student", method=method, random_state=0).fit(X)
    order = np.argsort(model.means_[:, 0])
    np.testing.assert_allclose(model.means_[order], truth.means, atol=0.1)
    np.testing.assert_allclose(model.covariances_[order], truth.covariances, atol=0.2)
    np.testing.assert_allclose(model.dof_[order], truth.dof, rtol=0.25)
    assert model.score(X) >= truth.log_density(X).mean() - 1e-6


@pytest.mark.parametrize("engine", ["chunked", "torch", "dask"])
def test_engines_agree(rng, engine):
    if engine != "chunked":
        pytest.importorskip(engine)
    X = student_mixture(rng, 3, 3).sample(400, rng)[0]
    how = {"family": "student", "method": "em", "random_state": 0}
    given = X
    if engine == "dask":
        from dask import array

        given = array.from_array(X, chunks=(150, -1))
    ours = GaussianMixture(3, **how).fit(X)
    theirs = GaussianMixture(3, engine=engine, **how).fit(given)
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.dof_, theirs.dof_, rtol=1e-4)
    np.testing.assert_allclose(
        np.asarray(theirs.score_samples(given)), ours.score_samples(X), rtol=1e-4, atol=1e-5
    )


def test_float32_rows_are_fitted_as_float64_ones(rng):
    X = student_mixture(rng, 2, 2).sample(500, rng)[0]
    ours, theirs = (
        GaussianMixture(
            2, family="student", method="em", tol=1e-6, max_iter=1000, random_state=0
        ).fit(rows)
        for rows in (X, X.astype(np.float32))
    )
    np.testing.assert_allclose(ours.means_, theirs.means_, atol=2e-2)
    np.testing.assert_allclose(ours.dof_, theirs.dof_, rtol=0.3)  # the likelihood is flat in it
    assert ours.score(X) == pytest.approx(theirs.score(X), abs=1e-4)


def test_far_rows_do_not_pull_a_component_away(rng):
    X = np.repeat([[0.0, 0.0], [8.0, 0.0]], 300, axis=0) + rng.normal(size=(600, 2))
    hurt = np.concatenate([X, rng.uniform(-100, 100, size=(20, 2))])
    student, gaussian = (
        GaussianMixture(2, family=family, reg_covar=1e-3, random_state=0).fit(hurt)
        for family in ("student", "gaussian")
    )
    order = np.argsort(student.means_[:, 0])
    np.testing.assert_allclose(student.means_[order], [[0, 0], [8, 0]], atol=0.3)
    assert np.mean(student.predict(X) == np.repeat(order, 300)) > 0.99
    assert np.mean(gaussian.predict(X) == gaussian.predict(X)[0]) > 0.99  # one for the far rows
    assert student.score(hurt) > gaussian.score(hurt)


def test_labels_noise_and_given_parts_go_with_heavy_tails(rng):
    truth = Mixture([0.5, 0.5], [[0, 0], [9, 0]], [np.eye(2), np.eye(2)], dof=[4.0, 8.0])
    X, kind = truth.sample(600, rng)
    means = [[np.nan, np.nan], [9.0, 0.0]]
    model = GaussianMixture(
        2, family="student", noise=True, fixed={"means": means}, random_state=0
    ).fit(X, labels=np.where(rng.random(600) < 0.1, kind, -1))
    np.testing.assert_allclose(model.means_, truth.means, atol=0.3)
    np.testing.assert_allclose(model.means_[1], [9, 0], atol=1e-9)
    assert np.diff(model.lower_bounds_).min() > -1e-9
    assert model.dof_.shape == (2,)


def test_files_pickles_and_checkpoints_keep_the_tails(rng, tmp_path):
    mixture = student_mixture(rng, 2, 2)
    X = mixture.sample(200, rng)[0]
    save_model(tmp_path / "model.npz", mixture)
    for back in (load_model(tmp_path / "model.npz").mixture, pickle.loads(pickle.dumps(mixture))):
        np.testing.assert_array_equal(back.dof, mixture.dof)
        np.testing.assert_array_equal(back.log_density(X), mixture.log_density(X))
    how = {"family": "student", "method": "em", "random_state": 0}
    plain = GaussianMixture(2, **how).fit(X)
    for _ in range(2):
        kept = GaussianMixture(2, checkpoint=tmp_path / "fit.ckpt", **how).fit(X)
        np.testing.assert_array_equal(kept.dof_, plain.dof_)


def test_known_parameters_make_an_estimator(rng):
    truth = student_mixture(rng, 2, 2)
    X = truth.sample(50, rng)[0]
    model = GaussianMixture.from_parameters(
        truth.weights, truth.means, truth.covariances, dof=truth.dof, warm_start=True
    )
    np.testing.assert_allclose(model.score_samples(X), truth.log_density(X), rtol=1e-12)
    assert model.family == "student"
    again = model.fit(truth.sample(3000, rng)[0])
    np.testing.assert_allclose(again.means_, truth.means, atol=0.5)  # in the order given


def test_regression_has_heavy_tails_too(rng):
    x = rng.uniform(-3, 3, size=800)
    y = 2 * x + 0.3 * rng.standard_t(2.5, size=800)
    parts = {"student": {"family": "student"}, "gaussian": {}}
    scores = {
        name: BigLearnRegressor(1, mixture_params=more).fit(x[:400, None], y[:400]).log_score(
            x[400:, None], y[400:]
        )
        for name, more in parts.items()
    }  # fmt: skip
    assert scores["student"] > scores["gaussian"] + 0.1


def test_criteria_count_the_degrees_of_freedom(rng):
    X = student_mixture(rng, 2, 2).sample(200, rng)[0]
    student = GaussianMixture(2, family="student", random_state=0).fit(X)
    gaussian = GaussianMixture(2, random_state=0).fit(X)
    assert student._n_parameters() == gaussian._n_parameters() + 2
    assert not hasattr(gaussian, "dof_")
    assert not hasattr(student.set_params(family="gaussian").fit(X), "dof_")


def test_what_cannot_be_is_named(rng):
    X = rng.normal(size=(30, 2))
    with pytest.raises(ValueError, match=r"family must be one of \['gaussian', 'student'\]"):
        GaussianMixture(2, family="cauchy").fit(X)
    with pytest.raises(ValueError, match=r"partial_fit\(\) does not support family 'student'"):
        GaussianMixture(2, family="student").partial_fit(X)
    for dof in ([1.0, 2.0], [0.0], [np.inf]):
        with pytest.raises(ValueError, match="dof must be 1 positive finite numbers"):
            Mixture([1.0], [[0.0]], [[[1.0]]], dof=dof)
