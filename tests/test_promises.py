"""Promises of every fit: bounds that never fall, steps within the limit, scores that agree."""

import numpy as np
import pytest

from biglearn import GaussianMixture, Mixture, Paper
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints
from biglearn.model.families import family_of
from biglearn.model.leave_one_out import LeaveOneOut
from biglearn.model.linalg import inverse_cholesky, sound_factors
from biglearn.model.noise import Noise, NoisyMixture
from biglearn.model.prior import target_of
from biglearn.search.climbing.ascent import climb
from biglearn.search.climbing.limits import Limits
from biglearn.search.starts.cleared import lone_rows
from biglearn.search.starts.names import STARTS
from helpers import blobs, make_run

METHODS = {"em": "em", "search": "search", "paper": Paper(steps=5)}


@pytest.fixture(params=list(METHODS))
def method(request):
    return METHODS[request.param]


def test_no_steps_give_the_parameters_as_initialised(rng, method):
    X = blobs(rng, 200)
    given = {
        "weights_init": [0.25, 0.75],
        "means_init": X[:2],
        "precisions_init": np.tile(np.eye(2), (2, 1, 1)),
    }
    model = GaussianMixture(2, method=method, max_iter=0, **given).fit(X)
    np.testing.assert_allclose(model.weights_, [0.25, 0.75])
    np.testing.assert_allclose(model.means_, X[:2])
    np.testing.assert_allclose(model.covariances_, given["precisions_init"])
    assert model.n_iter_ == 0
    assert model.lower_bounds_ == [model.lower_bound_]
    assert not model.converged_


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_run_of_em_makes_more_steps_than_asked_for(rng, method, most):
    X = rng.standard_t(2, size=(300, 2))
    model = GaussianMixture(4, method=method, max_iter=most, tol=0.0, random_state=0)
    with pytest.warns(UserWarning, match=f"did not converge.* of max_iter={most},"):
        model.fit(X)
    assert model.n_iter_ <= most


class Sinking(Constraints):
    """An M-step that is not exact: the third one moves the means off."""

    steps = 0

    def fit(self, weights, means, *rest, **more):
        Sinking.steps += 1
        return super().fit(weights, means + 3.0 * (Sinking.steps == 3), *rest, **more)


@pytest.mark.parametrize("accelerate", [False, True])
def test_a_climb_stays_where_an_m_step_loses(rng, accelerate):
    Sinking.steps = 0
    X = blobs(rng, 200, n_components=2)
    start = Components(np.full(2, 0.5), X[:2], np.tile(9.0 * np.eye(2), (2, 1, 1)))
    run = make_run(X, 2, start=start)
    run.constraints = Sinking()
    points = list(climb(run, start, Limits(tol=0.0), accelerate=accelerate))
    values = [point.objective for point in points]
    assert np.diff(values).min() >= 0
    assert points[-1].left == 0
    assert run.objective == values[-1]
    assert run.best_objective == max(values)
    assert run.engine.expect(points[-1].components).mean_log_likelihood == values[-1]


@pytest.mark.parametrize("offset", [1.0, 1e6, 1e13, 1e100])
def test_noise_beside_a_constant_column_is_that_without_it(rng, offset):
    X = np.vstack([rng.normal(size=(150, 2)), rng.uniform(-9, 9, size=(50, 2))])
    alone = GaussianMixture(1, noise=True, random_state=0).fit(X)
    Y = np.column_stack([X, np.full(len(X), offset)])
    beside = GaussianMixture(1, noise=True, random_state=0).fit(Y)
    assert beside.noise_.weight == pytest.approx(alone.noise_.weight, abs=0.02)
    assert (beside.predict(Y) == alone.predict(X)).mean() > 0.97
    loss = np.log(np.sqrt(2 * np.pi) * 1e-3)  # of a constant at the floor
    assert beside.score(Y) + loss == pytest.approx(alone.score(X), abs=0.01)


def test_a_mixture_of_noise_alone_has_a_density():
    noise = Noise(1.0, np.zeros(1), np.full(1, 4.0))
    mixture = NoisyMixture(Mixture([1.0], [[0.0]], [[[1.0]]]), noise)
    assert mixture.log_density([[1.0]])[0] == pytest.approx(-np.log(4))
    assert mixture.labels([[1.0]]).tolist() == [-1]


@pytest.mark.filterwarnings("ignore:components .* were re-seeded:UserWarning")
@pytest.mark.filterwarnings("ignore:Best performing:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("start", list(STARTS))
@pytest.mark.parametrize("family", ["gaussian", "student"])
def test_noise_needs_no_more_rows_than_components(rng, start, family):
    X = rng.normal(size=(3, 2))
    for method in ("em", "search"):
        model = GaussianMixture(
            3, noise=True, init_params=start, family=family, method=method, random_state=0
        )
        assert np.isfinite(model.fit(X).score(X))


def test_rows_that_nearly_all_lie_in_one_place_are_told_from_those_that_do_not(rng):
    rows = np.vstack([np.zeros((200, 3)), rng.uniform(-9, 9, size=(5, 3))])
    alone = lone_rows(rows)
    assert (alone[:200] < 0.5).all()
    assert (alone[200:] > 0.5).all()
    assert lone_rows(np.zeros((50, 20))).max() < 0.5


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_rows_far_from_everything_have_a_leave_one_out_density(kind):
    X = np.array([[0.0, 0.0], [1.0, 1.0], [1e150, 1.0]])
    mixture = Mixture([1.0], [[0.5, 0.5]], [1e-9 * np.eye(2)])
    structure = GaussianMixture(covariance_type=kind)._limits().structure
    density = LeaveOneOut(mixture, total=3.0, structure=structure).log_density(X)
    assert not np.isnan(density).any()
    assert density[2] < -1e20


def test_rows_of_next_to_no_weight_are_absent(rng):
    X = np.vstack([blobs(rng, 100), [[1e6, 1e6]]])
    weights = np.append(10.0 ** rng.uniform(270, 290, size=100), 1e200)
    model = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
    assert model.n_samples_seen_ == 100
    assert np.abs(model.means_).max() < 100


@pytest.mark.parametrize("scaling", ["standard", "none"])
@pytest.mark.parametrize("resolution", ["auto", None, [0.1, 0.1]])
def test_a_constant_column_has_the_floor_of_any_other(rng, scaling, resolution):
    X = np.column_stack([rng.normal(size=50), np.full(50, 3e13)]).astype(np.float32)
    model = GaussianMixture(1, scaling=scaling, resolution=resolution).fit(X)
    assert 1e-7 < model.covariances_[0, 1, 1] < 1e-2


def test_views_of_components_that_rounding_breaks_have_factors(rng):
    # beside a wide direction the digits of a narrow one are lost under a rotation
    basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    covariances = np.diag([1.0, 1e30, 1e-6])[None]
    turned = basis @ covariances @ basis.T
    with pytest.raises(np.linalg.LinAlgError):
        inverse_cholesky(0.5 * (turned + turned.swapaxes(1, 2)))
    whitening, half_log_det = sound_factors(0.5 * (turned + turned.swapaxes(1, 2)))
    assert np.isfinite(whitening).all()
    assert np.isfinite(half_log_det).all()
    wide = basis[:, 1] * 1e15  # a standard deviation along the direction whose digits are there
    assert np.linalg.norm(whitening[0] @ wide) == pytest.approx(1.0, rel=1e-6)
    narrow = np.diag([1.0, 1e-9, 1e9])[None]
    np.testing.assert_array_equal(sound_factors(narrow)[0], inverse_cholesky(narrow)[0])
    for broken in (
        np.diag([1.0, -1.0]),
        np.full((2, 2), np.nan),
        np.array([[1.0, 2.0], [2.0, 1.0]]),
    ):
        with pytest.raises(np.linalg.LinAlgError):
            sound_factors(broken[None])


@pytest.mark.parametrize("size", [1e-100, 1e100])
@pytest.mark.parametrize("scale", [1e-120, 1.0, 1e120])
def test_a_start_of_any_size_leads_to_the_rows(rng, size, scale):
    X = scale * rng.normal(size=(60, 2))
    model = GaussianMixture(1, precisions_init=size * np.eye(2)[None], prior=None).fit(X)
    assert model.covariances_[0].diagonal() == pytest.approx(X.var(axis=0), rel=1e-6)


def test_columns_that_no_covariance_can_hold_together_are_refused(rng):
    X = rng.normal(size=(30, 2)) * [1e-120, 1e120]
    with pytest.raises(
        ValueError, match=r"spreads of the columns differ by a factor of .*e\+2[34]"
    ):
        GaussianMixture(2, scaling="none").fit(X)
    assert np.isfinite(GaussianMixture(2, random_state=0).fit(X).score(X))


def test_a_prior_follows_components_that_noise_has_emptied():
    empty = Components(np.zeros(2), np.zeros((2, 1)), np.array([[[1.0]], [[3.0]]]))
    equal = empty.replace(weights=np.full(2, 0.5))
    assert target_of(empty, "pooled") == pytest.approx(target_of(equal, "pooled"))


def test_scales_of_student_components_stay_finite_for_rows_at_any_distance():
    family = family_of("student")
    numbers = family.numbers(np.array([[5.0]]), 2)[0]
    for dtype in (np.float64, np.float32):
        scales = family.weigh(np.array([np.inf], dtype), numbers.astype(dtype), np)[1]
        assert np.isfinite(family.statistics(scales.astype(dtype), np)[0]).all()


def test_parameters_that_are_given_are_not_counted(rng):
    X = blobs(rng, 100, n_components=2)
    free = GaussianMixture(2, random_state=0).fit(X)
    fixed = {"means": [X[0], [np.nan, np.nan]], "weights": [0.4, 0.6]}
    held = GaussianMixture(2, fixed=fixed, random_state=0).fit(X)
    loss = -2 * len(X) * np.array([free.score(X), held.score(X)])
    # a weight, two means and two covariances of three numbers; without the weight and a mean
    np.testing.assert_allclose([free.bic(X), held.bic(X)] - loss, np.log(100) * np.array([11, 8]))
    np.testing.assert_allclose([free.aic(X), held.aic(X)] - loss, [22, 16])
