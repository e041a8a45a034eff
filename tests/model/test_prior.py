"""The prior on covariances: conjugate, the same in every view, and bounded where spikes are not."""

import numpy as np
import pytest

from biglearn import CovariancePrior, GaussianMixture, View
from biglearn.engines import MemoryEngine
from biglearn.model.blocks import whole
from biglearn.model.constraints import Constraints
from biglearn.model.m_step import m_step
from biglearn.model.moments import Moments
from biglearn.model.prior import PseudoRows, prior_of, target_of
from biglearn.model.structures import structure_of
from helpers import COVARIANCE_TYPES, blobs, random_covariances, random_mixture


@pytest.fixture
def prior(rng):
    return PseudoRows(7.0, random_covariances(rng, 1, 4)[0])


def test_pseudo_rows_are_rows_of_the_target(rng, prior):
    samples, counts = random_covariances(rng, 3, 4), np.array([2.0, 30.0, 0.0])
    wanted = [
        (n * S + 7.0 * prior.target) / (n + 7.0) for n, S in zip(counts, samples, strict=True)
    ]
    np.testing.assert_allclose(prior.blended(samples, counts), wanted, rtol=1e-12)
    np.testing.assert_array_equal(PseudoRows().blended(samples, counts), samples)


@pytest.mark.parametrize("kind", ["marginal", "transformed"])
def test_the_prior_is_the_same_in_every_view(rng, prior, kind):
    view = View.marginal([2, 0], 4)
    if kind == "transformed":
        view = View.transformed([0, 1, 3], 4, rng)
    samples, counts = random_covariances(rng, 3, 4), rng.uniform(1, 20, size=3)
    joint = prior.blended(samples, counts)
    seen = prior.blended(view.basis @ samples @ view.basis.T, counts, view)
    np.testing.assert_allclose(seen, view.basis @ joint @ view.basis.T, rtol=1e-12)


def test_the_log_density_is_minus_c_kullback_leibler_divergences(rng, prior):
    mixture = random_mixture(rng, 3, 4)
    for value, Sigma in zip(prior.log_density(mixture), mixture.covariances, strict=True):
        ratio = np.linalg.solve(Sigma, prior.target)
        divergence = 0.5 * (np.trace(ratio) - np.linalg.slogdet(ratio)[1] - 4)
        assert value == pytest.approx(-7.0 * divergence, rel=1e-10)
    at_target = mixture.replace(covariances=np.tile(prior.target, (3, 1, 1)))
    np.testing.assert_allclose(prior.log_density(at_target), 0.0, atol=1e-12)
    assert (prior.log_density(mixture) < 0).all()


def penalised(constraints, components, samples, counts):
    """Expected log-likelihood of sums about the means, plus the log-prior."""
    scatter = (components.precisions * samples).sum(axis=(1, 2))
    fit = counts @ (components.half_log_det - 0.5 * scatter)
    return fit + constraints.log_prior(components).sum()


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_the_m_step_maximises_the_penalised_objective(rng, prior, kind):
    constraints = Constraints(structure_of(kind), floor=1e-9, prior=prior)
    samples, counts = random_covariances(rng, 3, 4), np.array([4.0, 11.0, 25.0])
    means, weights = rng.normal(size=(3, 4)), counts / 40
    best, _ = constraints.fit(weights, means, samples, counts)
    value = penalised(constraints, best, samples, counts)
    for _ in range(30):
        shaken = best.covariances + 0.05 * random_covariances(rng, 3, 4) * rng.choice([-1, 1])
        other, _ = constraints.impose(weights, means, shaken)
        assert penalised(constraints, other, samples, counts) < value + 1e-9


def test_an_m_step_in_a_view_has_the_prior_of_the_view(rng, prior):
    X, mixture = rng.normal(size=(60, 4)), random_mixture(rng, 2, 4)
    view = View.marginal([0, 3], 4)
    moments = MemoryEngine(X).project(view).expect(mixture.project(view))
    moved, _ = m_step(Constraints(floor=1e-9, prior=prior), mixture, moments, view=view)
    wanted = prior.blended(moments.covariances, moments.counts, view)
    np.testing.assert_allclose(moved.project(view).covariances, wanted, atol=1e-10)


def in_units(mixture):
    """Return the mixture in units in which no column varies by more than 1."""
    scale = np.diag(1 / np.sqrt(np.diagonal(mixture.covariance)))
    return mixture.transform(scale, -scale @ mixture.mean)


def test_the_pooled_target_follows_the_components_and_never_degenerates(rng):
    mixture = in_units(random_mixture(rng, 3, 2))
    pooled = np.einsum("k,kij->ij", mixture.weights, mixture.covariances)
    part = mixture.covariance * 3 ** (-2 / 2)
    np.testing.assert_allclose(target_of(mixture, "pooled"), 0.95 * pooled + 0.05 * part)
    np.testing.assert_allclose(target_of(mixture, "total"), part)
    collapsed = mixture.replace(covariances=1e-12 * mixture.covariances)
    least = 0.049 * np.linalg.eigvalsh(part - 3 ** (-2 / 2) * pooled)[0]
    assert np.linalg.eigvalsh(target_of(collapsed, "pooled"))[0] > least


def test_the_geometric_target_has_the_mean_volume_and_goes_along_with_linear_maps(rng):
    mixture = in_units(random_mixture(rng, 3, 2))
    found = target_of(mixture, "geometric")
    part = mixture.covariance * 3 ** (-2 / 2)
    logs = 0.95 * mixture.weights @ np.linalg.slogdet(mixture.covariances)[1]
    logs += 0.05 * np.linalg.slogdet(part)[1]
    assert np.linalg.slogdet(found)[1] == pytest.approx(logs)
    linear = np.array([[0.5, 0.2], [0.0, 0.5]])  # to no wider than units
    moved = target_of(mixture.transform(linear, [0.0, 0.0]), "geometric")
    np.testing.assert_allclose(moved, linear @ found @ linear.T, rtol=1e-9)
    same = mixture.replace(covariances=np.tile(part, (3, 1, 1)))
    for kind in ("pooled", "geometric"):
        assert np.linalg.eigvalsh(target_of(same, kind) - 0.9 * part)[0] > 0


def test_a_component_that_reaches_for_far_values_hardly_widens_a_target(rng):
    near = random_mixture(rng, 3, 2)
    reaching = near.covariances.copy()
    reaching[0] = 1e20 * np.array([[1.0, 0.99], [0.99, 1.0]])
    for kind in ("pooled", "geometric", "total"):
        target = target_of(near.replace(covariances=reaching), kind)
        assert np.linalg.eigvalsh(target).max() <= 2.0, kind


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("family", ["gaussian", "student"])
def test_the_objective_of_em_never_falls(rng, kind, family):
    X = np.vstack([blobs(rng, 120, 3, spread=1.5), 8 * rng.normal(size=(4, 3))])
    model = GaussianMixture(
        4, covariance_type=kind, family=family, prior=2.0, method="em", random_state=0, tol=1e-7
    ).fit(X)
    slack = 1e-8 if kind == "factor" else 1e-10  # factors are found by iteration
    assert np.diff(model.lower_bounds_).min(initial=0.0) > -slack
    assert model.lower_bounds_[-1] == model.lower_bound_
    assert model.lower_bound_ <= model.score(X) + 1e-9  # the prior is at most zero
    assert model.prior_rows_ == (0.0 if kind == "tied" else 2.0)  # of one covariance: itself


def test_a_component_on_few_rows_keeps_a_width(rng):
    X = np.vstack([rng.normal(size=(200, 3)), np.full((2, 3), 9.0)])
    spike, kept = (GaussianMixture(2, prior=prior, random_state=0).fit(X) for prior in (None, 1.0))
    narrowest = [np.linalg.eigvalsh(m.covariances_).min() for m in (spike, kept)]
    assert narrowest[0] < 1e-4
    # |Σ| ≥ |c T / (n + c)|: a third of the pooled covariance, which is about one
    assert narrowest[1] > 0.2


def test_a_change_of_units_changes_nothing(rng):
    X = blobs(rng, 200, 3)
    scale, shift = np.array([1e-3, 1.0, 50.0]), np.array([5.0, -3.0, 1e3])
    one, other = (
        GaussianMixture(3, prior=3.0, random_state=0, tol=1e-9).fit(rows)
        for rows in (X, X * scale + shift)
    )
    np.testing.assert_allclose(other.means_, one.means_ * scale + shift, rtol=1e-6)
    outer = scale[:, None] * scale
    np.testing.assert_allclose(other.covariances_, one.covariances_ * outer, rtol=1e-5)


def test_many_rows_outweigh_the_prior(rng):
    X = blobs(rng, 2 * 100 * 3 * 2, 3, n_components=2, spread=6.0)
    plain, ours = (
        GaussianMixture(2, prior=prior, random_state=0, tol=1e-9).fit(X)
        for prior in (None, 0.3 * 4)
    )
    np.testing.assert_allclose(ours.covariances_, plain.covariances_, rtol=0.02, atol=0.02)
    assert plain.score(X) - ours.score(X) < 1e-3


@pytest.mark.parametrize("weight", [3.0, 0.25])
def test_equal_weights_count_as_rows_or_by_their_ratios(rng, weight):
    X = blobs(rng, 90, 2)
    rows = np.repeat(X, 3, axis=0) if weight == 3.0 else X
    plain, weighted = (
        GaussianMixture(2, prior=2.0, method="em", means_init=X[:2], tol=1e-10, **how).fit(
            data, sample_weight=weights
        )
        for data, weights, how in ((rows, None, {}), (X, np.full(90, weight), {}))
    )
    np.testing.assert_allclose(weighted.covariances_, plain.covariances_, rtol=1e-5)


def test_a_given_target_stays(rng):
    X = blobs(rng, 100, 2)
    target = np.array([[4.0, 1.0], [1.0, 2.0]])
    model = GaussianMixture(2, prior=CovariancePrior(target, rows=1e7), random_state=0)
    np.testing.assert_allclose(model.fit(X).covariances_, np.tile(target, (2, 1, 1)), rtol=1e-3)


def test_the_strength_of_a_given_target_is_chosen_too(rng):
    X = rng.normal(size=(12, 4))
    fits = {
        name: GaussianMixture(1, prior=CovariancePrior(target), random_state=0).fit(X)
        for name, target in (("right", np.eye(4)), ("wrong", 1e4 * np.eye(4)))
    }
    assert fits["right"].prior_rows_ > 5 > fits["wrong"].prior_rows_
    assert fits["right"].loo_score_ > fits["wrong"].loo_score_


def test_an_automatic_strength_is_small_where_components_differ_and_rows_are_many(rng):
    wide = rng.normal(size=(600, 2)) * [3.0, 0.1]
    tall = rng.normal(size=(600, 2)) * [0.1, 3.0] + 8
    model = GaussianMixture(2, prior="auto", random_state=0).fit(np.vstack([wide, tall]))
    assert model.prior_rows_ <= 1.0


def test_an_automatic_strength_generalises_where_rows_are_few(rng):
    truth = random_mixture(rng, 3, 8, spread=2.0)
    train, _ = truth.sample(90, rng)
    test, _ = truth.sample(4000, rng)
    plain, ours = (
        GaussianMixture(3, prior=prior, random_state=0).fit(train) for prior in (None, "auto")
    )
    assert ours.prior_rows_ > 0.3
    assert ours.score(test) > plain.score(test) + 0.5


def test_the_published_algorithm_has_no_automatic_prior(rng):
    X = blobs(rng, 80, 2)
    one, other = (
        GaussianMixture(
            2, method="paper", prior=prior, resolution=prior, random_state=0, max_iter=20
        ).fit(X)
        for prior in (None, "auto")
    )
    np.testing.assert_array_equal(one.covariances_, other.covariances_)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (-1.0, "at least 0, got -1.0"),
        ("strong", "got 'strong'"),
        (True, "got True"),
        ([1.0], r"got \[1.0\]"),
    ],
)
def test_other_priors_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        prior_of(wrong)


def test_targets_that_are_no_covariances_are_refused():
    with pytest.raises(ValueError, match=r"target must be one of .* got 'mean'"):
        CovariancePrior("mean")
    with pytest.raises(ValueError, match=r"shape \(D, D\), got \(2,\)"):
        CovariancePrior([1.0, 2.0])
    with pytest.raises(ValueError, match="positive definite"):
        CovariancePrior([[1.0, 2.0], [2.0, 1.0]])


def test_nothing_changes_without_a_prior():
    moments = Moments(
        counts=np.ones(1), first=np.zeros((1, 1)), second=np.ones((1, 1, 1)), log_likelihood=0.0,
        total=1.0, rows=1, reference=np.zeros(1),
    )  # fmt: skip
    start, _ = Constraints().impose(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
    same, _ = m_step(Constraints(), start, moments)
    np.testing.assert_array_equal(same.covariances, start.covariances)
    np.testing.assert_array_equal(Constraints().log_prior(start), 0.0)


def test_noise_has_no_part_in_the_target(rng):
    X = np.vstack([0.2 * rng.normal(size=(200, 2)), rng.uniform(-20, 20, size=(40, 2))])
    plain, ours = (
        GaussianMixture(1, noise=True, prior=prior, random_state=0).fit(X) for prior in (None, 5.0)
    )
    np.testing.assert_allclose(ours.covariances_, plain.covariances_, rtol=0.05)


def test_a_stream_counts_pseudo_rows_by_all_its_rows(rng):
    model = GaussianMixture(1, prior=CovariancePrior(np.eye(1), rows=10.0), random_state=0)
    for _ in range(30):
        model.partial_fit(3 * rng.normal(size=(100, 1)))
    assert model.covariances_[0, 0, 0] == pytest.approx(9.0, rel=0.15)


def test_the_rows_of_a_given_target_are_chosen_too(rng):
    X = rng.normal(size=(30, 6))
    right, wrong = (
        GaussianMixture(1, prior=CovariancePrior(scale * np.eye(6)), method="em", random_state=0)
        .fit(X)
        .prior_rows_
        for scale in (1.0, 81.0)
    )
    assert wrong < 1 < right


@pytest.mark.parametrize("kind", ["pooled", "geometric", "total"])
def test_a_diagonal_target_is_that_of_diagonal_covariances(rng, kind):
    mixture = in_units(random_mixture(rng, 3, 2))
    independent = mixture.covariances * np.eye(2)
    middle = np.tile(mixture.mean, (3, 1))  # so that the total is diagonal too
    same = mixture.replace(covariances=independent, means=middle)
    found = target_of(same.in_blocks(1), kind)
    np.testing.assert_allclose(whole(found[None])[0], target_of(same, kind), atol=1e-12)
