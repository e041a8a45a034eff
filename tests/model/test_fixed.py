"""Parameters that stay as given: the M-step is the best one that leaves them alone."""

import numpy as np
import pytest
from scipy.optimize import minimize

from biglearn import GaussianMixture, Mixture
from biglearn.engines import MemoryEngine
from biglearn.model.constraints import Constraints
from biglearn.model.fixed import Fixed, assigned
from biglearn.model.m_step import m_step
from biglearn.model.structures import structure_of
from biglearn.search.methods import EM, Paper, Search
from helpers import blobs, direct_moments, random_covariances, random_mixture

NAN = float("nan")


def nothing(K, D):
    return np.full(K, NAN), np.full((K, D), NAN), np.full((K, D, D), NAN)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_the_m_step_is_the_best_that_leaves_the_given_parts(rng, kind):
    X, any_start = blobs(rng, 200, 2, 3), random_mixture(rng, 3, 2)
    shapes, _ = structure_of(kind).fit(any_start.covariances, any_start.weights, 1e-9)
    start = Mixture(any_start.weights, any_start.means, shapes)
    weights, means, covariances = nothing(3, 2)
    weights[1], means[0], means[1] = 0.5, [1.0, -1.0], [0.5, 2.0]
    if kind != "tied":
        covariances[2] = 1.5 * np.eye(2)
    fixed = Fixed(weights, means, covariances)
    constraints = Constraints(structure_of(kind), 1e-9, fixed)
    ours, _ = m_step(constraints, start, MemoryEngine(X).expect(start))
    assert ours.weights[1] == 0.5
    np.testing.assert_array_equal(ours.means[:2], means[:2])
    if kind != "tied":
        np.testing.assert_array_equal(ours.covariances[2], covariances[2])
    counts, centres, samples = direct_moments(X, start.responsibilities(X))

    def value(weights, means, covariances):
        gaps = centres - means
        scatter = samples + gaps[:, :, None] * gaps[:, None, :]
        inverse = np.linalg.inv(covariances)
        inner = -0.5 * (np.linalg.slogdet(covariances)[1] + (inverse * scatter).sum(axis=(1, 2)))
        return counts @ (np.log(weights) + inner)

    best = value(ours.weights, ours.means, ours.covariances)
    for size in 0.1 ** rng.uniform(1, 4, size=200):
        w, m, c = ours.weights.copy(), ours.means.copy(), ours.covariances.copy()
        shift = size * 0.1 * rng.uniform(-1, 1)
        w[0], w[2] = w[0] + shift, w[2] - shift
        m[2] += size * rng.normal(size=2)
        change = 1 + size * rng.normal(size=(3, 2))
        if kind == "tied":
            change[:] = change[0]
        elif kind == "spherical":
            change[:] = change[:, :1]
        c = c * change[:, :, None] * change[:, None, :]
        if kind != "tied":
            c[2] = covariances[2]
        assert value(w, m, c) <= best + 1e-10


def test_free_weights_share_what_is_left_by_their_ratios():
    weights, means, covariances = nothing(3, 1)
    weights[0] = 0.4
    fixed = Fixed(weights, means, covariances)
    ours = fixed.before(np.array([0.1, 0.6, 0.3]), np.zeros((3, 1)), np.ones((3, 1, 1)))[0]
    np.testing.assert_allclose(ours, [0.4, 0.4, 0.2])
    alone = fixed.before(np.array([1.0, 0.0, 0.0]), np.zeros((3, 1)), np.ones((3, 1, 1)))[0]
    np.testing.assert_allclose(alone, [0.4, 0.3, 0.3])


@pytest.mark.parametrize("method", [EM(), Paper(steps=20), Search(effort=5)])
@pytest.mark.parametrize("gaps", [False, True])
def test_every_method_leaves_the_given_parts_and_never_loses_likelihood(rng, method, gaps):
    X = blobs(rng, 400, 3, 4) * [1.0, 100.0, 1e-3] + [0, 5e3, 1]
    truth = GaussianMixture(4, random_state=1).fit(X)
    if gaps:
        X = np.where(rng.random(X.shape) < 0.1, NAN, X)
    means, covariances = np.full((4, 3), NAN), np.full((4, 3, 3), NAN)
    means[2], covariances[2] = truth.means_[0], truth.covariances_[0]
    means[0] = truth.means_[3]
    model = GaussianMixture(
        4, fixed={"means": means, "covariances": covariances}, method=method, random_state=0
    ).fit(X)
    np.testing.assert_allclose(model.means_[[0, 2]], means[[0, 2]], rtol=1e-12)
    np.testing.assert_allclose(model.covariances_[2], covariances[2], rtol=1e-9)
    assert model.n_reseeded_ == 0
    assert np.diff(model.lower_bounds_).min() > -1e-9
    assert model.score(X) >= truth.score(X) - 0.05  # what is given is nearly the truth


def test_a_given_component_far_from_all_rows_stays_and_empties(rng):
    X = blobs(rng, 200, 2, 2)
    fixed = {"means": [[1e3, 1e3], [NAN, NAN]], "covariances": [np.eye(2), np.full((2, 2), NAN)]}
    model = GaussianMixture(2, fixed=fixed, random_state=0).fit(X)
    alone = GaussianMixture(1).fit(X)
    np.testing.assert_allclose(model.means_, [[1e3, 1e3], alone.means_[0]], rtol=1e-9)
    assert model.weights_[0] < 1e-6
    assert model.n_reseeded_ == 0


def test_given_means_are_beaten_by_no_other_covariances(rng):
    X = blobs(rng, 150, 1, 2)
    means = np.array([[-1.0], [2.0]])
    model = GaussianMixture(
        2, fixed={"means": means}, scaling="none", tol=1e-10, random_state=0
    ).fit(X)

    def loss(z):
        weight = 1 / (1 + np.exp(-z[0]))
        other = Mixture([weight, 1 - weight], means, np.exp(z[1:]).reshape(2, 1, 1))
        return -other.log_density(X).mean()

    best = minimize(loss, [0.0, 0.0, 0.0], method="Nelder-Mead", options={"maxiter": 4000})
    assert model.score(X) >= -best.fun - 1e-6


def test_the_search_leaves_all_means_alone(rng):
    X = blobs(rng, 300, 2, 4)
    means = GaussianMixture(4, random_state=0).fit(X).means_
    model = GaussianMixture(4, fixed={"means": means}, random_state=1).fit(X)
    np.testing.assert_allclose(model.means_, means, rtol=1e-12)
    noisy = GaussianMixture(4, fixed={"means": means}, noise=True, random_state=1).fit(X)
    np.testing.assert_allclose(noisy.means_, means, rtol=1e-12)


def test_starts_put_given_means_near_their_rows(rng):
    X = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 50, axis=0) + rng.normal(size=(150, 2))
    means = [[NAN, NAN], [0.0, 9.0], [NAN, NAN]]
    for init in ("k-means++", "kmeans", "random_from_data"):
        model = GaussianMixture(
            3, fixed={"means": means}, method="em", n_init=5, init_params=init, random_state=0
        ).fit(X)
        np.testing.assert_allclose(np.sort(model.means_[[0, 2], 0]), [0, 9], atol=1.0)


def test_the_cheapest_order():
    costs = np.array([[1.0, 0.0, 9.0], [0.0, 0.0, 9.0]])
    assert assigned(costs, np.array([0, 2])).tolist() == [1, 2, 0]
    movable = np.array([True, False, True])
    assert assigned(costs, np.array([0, 2]), movable).tolist() == [2, 1, 0]


def test_fixed_in_another_structure(rng):
    X = blobs(rng, 200, 2, 2)
    shared = random_covariances(rng, 1, 2)[0]
    model = GaussianMixture(
        2, covariance_type="tied", fixed={"covariances": shared}, random_state=0
    ).fit(X)
    np.testing.assert_allclose(model.covariances_, shared, rtol=1e-9)
    model = GaussianMixture(
        2, covariance_type="diag", fixed={"covariances": [[NAN, NAN], [2.0, 3.0]]}, random_state=0
    ).fit(X)
    np.testing.assert_allclose(model.covariances_[1], [2.0, 3.0], rtol=1e-9)


@pytest.mark.parametrize(("fixed", "message"), [
    ({"mean": [[0, 0], [1, 1]]}, r"fixed must be a dictionary.*keys \['mean'\]"),
    ([1], r"fixed must be a dictionary with some of .*got \[1\]"),
    ({"means": [[0, 0]]}, r"fixed\['means'\] must have shape \(2, 2\), got \(1, 2\)"),
    ({"means": [[0, NAN], [1, 1]]}, "or NaN for all of a component"),
    ({"means": [[0, np.inf], [1, 1]]}, "must hold finite numbers"),
    ({"weights": [0.5, 0.6]}, r"sum to 1, or to less.*got sum 1.1"),
    ({"weights": [0.5, 0.4]}, r"got sum 0.9"),
    ({"weights": [-0.5, NAN]}, "must be at least 0"),
    ({"covariances": [np.eye(2), -np.eye(2)]}, "symmetric and positive definite"),
])  # fmt: skip
def test_what_cannot_be_fixed_is_named(rng, fixed, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2, fixed=fixed).fit(blobs(rng, 50, 2))


def test_fixed_parts_need_a_number_of_components(rng):
    with pytest.raises(ValueError, match="fixed needs a number of components"):
        GaussianMixture("auto", fixed={"weights": [1.0]}).fit(blobs(rng, 50, 2))


def test_a_checkpoint_knows_what_was_fixed(rng, tmp_path):
    X = blobs(rng, 100, 2)
    path = tmp_path / "fit.ckpt"
    how = {"method": "em", "random_state": 0, "checkpoint": path}
    GaussianMixture(2, fixed={"weights": [0.5, 0.5]}, **how).fit(X)
    again = GaussianMixture(2, fixed={"weights": [0.5, 0.5]}, **how).fit(X)
    np.testing.assert_allclose(again.weights_, 0.5)
    with pytest.raises(ValueError, match="checkpoint of another fit: fixed"):
        GaussianMixture(2, fixed={"weights": [0.4, 0.6]}, **how).fit(X)


def test_given_weights_stay_where_labels_reorder_components():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(90, 1)), rng.normal(size=(10, 1)) + 8])
    labels = np.full(100, -1)
    labels[:3] = 0  # of the large cluster, which is given the small weight
    model = GaussianMixture(2, fixed={"weights": [0.1, 0.9]}, random_state=0)
    np.testing.assert_array_equal(model.fit(X, labels=labels).weights_, [0.1, 0.9])


@pytest.mark.parametrize("noise", [False, True])
def test_given_parts_come_back_to_the_last_bit(rng, noise):
    X = np.column_stack([blobs(rng, 200, 2, 2), 1e20 * (1 + 0.1 * rng.normal(size=200))])
    means = np.array([[0.1, 1 / 3, 1.1e20], [NAN, NAN, NAN]])
    covariances = np.full((2, 3, 3), NAN)
    covariances[0] = np.diag([0.7, 1.3, 3e38])
    fixed = {"means": means, "covariances": covariances, "weights": [0.3, NAN]}
    model = GaussianMixture(2, fixed=fixed, noise=noise, random_state=0).fit(X)
    np.testing.assert_array_equal(model.means_[0], means[0])
    np.testing.assert_array_equal(model.covariances_[0], covariances[0])
    assert model.weights_[0] == 0.3
