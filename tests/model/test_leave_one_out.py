"""Leave-one-out densities against sums without the row."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from biglearn import GaussianMixture, Mixture
from biglearn.model.leave_one_out import LeaveOneOut
from biglearn.model.noise import Noise, NoisyMixture
from biglearn.model.prior import PseudoRows
from biglearn.model.structures import structure_of
from helpers import blobs, random_covariances, random_mixture, with_gaps


def refitted(X, shares, weights, prior):
    """Weights, means and covariances of an M-step with given responsibilities."""
    r = shares * weights[:, None]
    counts = r.sum(axis=0)
    means = r.T @ X / counts[:, None]
    scatters = np.array([(r[:, k, None] * (X - m)).T @ (X - m) for k, m in enumerate(means)])
    covariances = prior.blended(scatters / counts[:, None, None], counts)
    return counts / weights.sum(), means, covariances


def fixed_point(X, weights, prior, mixture):
    """Iterate EM by hand until responsibilities and parameters belong together."""
    for _ in range(2000):
        shares = mixture.responsibilities(X)
        mixture = Mixture(*refitted(X, shares, weights, prior))
    return mixture, mixture.responsibilities(X)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [0.0, 3.0])
def test_the_closed_form_is_the_fit_without_the_row(rng, weighted, rows):
    X = np.vstack([rng.normal(size=(14, 2)), rng.normal(size=(12, 2)) + 3])
    weights = rng.uniform(0.5, 2.0, size=26) if weighted else np.ones(26)
    prior = PseudoRows(rows, random_covariances(rng, 1, 2)[0])
    start = Mixture([0.5, 0.5], [[0.0, 0.0], [3.0, 3.0]], [np.eye(2), np.eye(2)])
    mixture, shares = fixed_point(X, weights, prior, start)
    unit = weights.max()  # so that all of a row is left out, and not one of several
    loo = LeaveOneOut(mixture, total=weights.sum(), pseudo_rows=rows, unit=unit)
    found = loo.log_density(X, weights)
    for n in range(26):
        rest = np.arange(26) != n
        pi, means, covariances = refitted(X[rest], shares[rest], weights[rest], prior)
        densities = [
            np.log(pi[k]) + multivariate_normal(means[k], covariances[k]).logpdf(X[n])
            for k in range(2)
        ]
        assert found[n] == pytest.approx(logsumexp(densities), rel=1e-6)


def test_missing_values_count_by_the_marginal_of_the_others(rng):
    X = blobs(rng, 60, 3)
    fit = GaussianMixture(2, prior=2.0, random_state=0, tol=1e-10).fit(X)
    total, pseudo = 60.0, fit.prior_rows_
    loo = LeaveOneOut(fit.mixture_, total=total, pseudo_rows=pseudo)
    gaps = X.copy()
    gaps[::2, 1] = np.nan
    found = loo.log_density(gaps)[::2]
    seen = LeaveOneOut(fit.mixture_.marginal([0, 2]), total=total, pseudo_rows=pseudo)
    np.testing.assert_allclose(found, seen.log_density(X[::2][:, [0, 2]]), rtol=1e-9)


def test_a_row_of_its_own_component_is_not_believed(rng):
    X = np.vstack([rng.normal(size=(100, 2)), [[30.0, 30.0]]])
    model = GaussianMixture(2, prior=None, random_state=0).fit(X)
    assert model.score_samples(X)[-1] > model.score_samples(X)[:-1].mean()
    assert model.loo_score_samples(X)[-1] < -100
    assert model.loo_score(X) < model.score(X)


def test_leave_one_out_tells_overfitting_that_training_rows_do_not(rng):
    truth = random_mixture(rng, 2, 6, spread=1.0)
    X, _ = truth.sample(60, rng)
    new, _ = truth.sample(5000, rng)
    model = GaussianMixture(4, prior=None, reg_covar=1e-3, random_state=0).fit(X)
    ahead = model.score(X) - model.score(new)
    assert ahead > 1
    assert model.loo_score(X) < model.score(X) - 0.5 * ahead


@pytest.mark.parametrize("engine", ["memory", "chunked"])
def test_engines_and_weights_agree(rng, engine):
    X, weights = with_gaps(rng, blobs(rng, 80, 3), 0.1), rng.integers(1, 4, size=80)
    model = GaussianMixture(2, prior=1.0, random_state=0, engine=engine)
    model.fit(X, sample_weight=weights)
    known = (~np.isnan(X)).mean(axis=1) @ weights / weights.sum()
    loo = LeaveOneOut(model.mixture_, total=weights.sum(), pseudo_rows=1.0, observed=known)
    wanted = np.average(loo.log_density(X, weights.astype(float)), weights=weights)
    assert model.loo_score(X, weights) == pytest.approx(wanted, rel=1e-9)
    assert model.loo_score_samples(X).shape == (80,)


def test_noise_keeps_its_density_and_loses_the_weight_of_the_row(rng):
    X = blobs(rng, 60, 2)
    noise = Noise(0.2, low=X.min(axis=0), high=X.max(axis=0))
    mixture = Mixture([1.0], [X.mean(axis=0)], [np.cov(X.T, bias=True)])
    loo = LeaveOneOut(mixture, total=60.0, noise=noise)
    shares = NoisyMixture(mixture, noise).responsibilities(X)
    uniform = (12 - shares[:, 1]) / 59 * np.exp(noise.log_density(X))
    assert (np.exp(loo.log_density(X)) >= uniform - 1e-12).all()
    far = np.array([[1e3, 1e3]])
    assert loo.log_density(far)[0] == pytest.approx(np.log(11 / 59) + noise.log_density(far)[0])
    for _ in range(2000):  # the fixed point of EM
        ours = NoisyMixture(mixture, noise).responsibilities(X)[:, :1]
        mixture = Mixture([1.0], *refitted(X, ours, np.ones(60), PseudoRows())[1:])
        noise = Noise(1 - ours.mean(), noise.low, noise.high)
    found = LeaveOneOut(mixture, total=60.0, noise=noise).log_density(X)
    for n in (0, 33):
        rest = np.arange(60) != n
        share, means, covariances = refitted(X[rest], ours[rest], np.ones(59), PseudoRows())
        left = Noise(1 - share[0], noise.low, noise.high)
        wanted = NoisyMixture(Mixture([1.0], means, covariances), left).log_density(X[n : n + 1])
        assert found[n] == pytest.approx(wanted[0], rel=1e-6)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_every_structure_is_left_out_as_it_is_fitted(rng, kind):
    structure = structure_of(kind)
    X = np.vstack([rng.normal(size=(14, 3)), rng.normal(size=(12, 3)) * [1, 2, 3] + 9])
    shares = np.repeat(np.eye(2), [14, 12], axis=0)  # so far apart that they stay

    def estimate(rows, of_rows):
        pi, means, covariances = refitted(rows, of_rows, np.ones(len(rows)), PseudoRows())
        return Mixture(pi, means, structure.fit(covariances, of_rows.sum(axis=0), 1e-12)[0])

    loo = LeaveOneOut(estimate(X, shares), total=26.0, structure=structure)
    found = loo.log_density(X)
    for n in range(26):
        rest = np.arange(26) != n
        wanted = estimate(X[rest], shares[rest]).log_density(X[n : n + 1])[0]
        assert found[n] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("dof", [3.0, 1e9])
def test_tails_are_left_out_with_the_scale_that_counts_them(rng, dof):
    X = rng.standard_t(3.0, size=(40, 2))
    mixture = Mixture([1.0], [np.zeros(2)], [np.eye(2)], dof=[dof])
    for _ in range(3000):  # the fixed point of EM at this dof
        gaps = X - mixture.means[0]
        distances = np.einsum("ni,ij,nj->n", gaps, mixture.precisions[0], gaps)
        u = (dof + 2) / (dof + distances)
        mean = u @ X / u.sum()
        scatter = (u[:, None] * (X - mean)).T @ (X - mean)
        mixture = Mixture([1.0], [mean], [scatter / 40], dof=[dof])
    found = LeaveOneOut(mixture, total=40.0).log_density(X)
    for n in (0, 17):
        rest = np.arange(40) != n
        mean = u[rest] @ X[rest] / u[rest].sum()
        gaps = X[rest] - mean
        without = Mixture([1.0], [mean], [(u[rest, None] * gaps).T @ gaps / 39], dof=[dof])
        assert found[n] == pytest.approx(without.log_density(X[n : n + 1])[0], rel=1e-6)


@pytest.mark.parametrize("how", [{"noise": True}, {"family": "student"}])
def test_every_fit_says_its_leave_one_out_score(rng, how):
    X = blobs(rng, 120, 2)
    model = GaussianMixture(2, random_state=0, method="em", **how).fit(X)
    assert model.loo_score_ == pytest.approx(model.loo_score(X), rel=1e-9)
    assert model.score(X) - 1 < model.loo_score_ < model.score(X)


def gaussian_around_gaps(X, rows, mean, covariance, steps=50):
    """Fit one Gaussian to rows with gaps, with pseudo-rows of the identity, by EM."""
    size = X.shape[1]
    for _ in range(steps):
        filled, added = np.empty_like(X), np.zeros((size, size))
        for n, row in enumerate(X):
            seen, hidden = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
            gain = covariance[np.ix_(hidden, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
            filled[n, seen] = row[seen]
            filled[n, hidden] = mean[hidden] + gain @ (row[seen] - mean[seen])
            rest = covariance[np.ix_(hidden, hidden)] - gain @ covariance[np.ix_(seen, hidden)]
            added[np.ix_(hidden, hidden)] += rest
        mean = filled.mean(axis=0)
        scatter = (filled - mean).T @ (filled - mean) + added
        covariance = (scatter + rows * np.eye(size)) / (len(X) + rows)
    return Mixture([1.0], [mean], [covariance])


@pytest.mark.parametrize(("hidden", "rows"), [(0.3, 1.0), (0.5, 4.0)])
def test_what_em_fills_in_holds_no_fit_in_place(rng, hidden, rows):
    X = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 4))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    gappy = with_gaps(rng, X, hidden)
    gappy = gappy[~np.isnan(gappy).all(axis=1)]
    fit = gaussian_around_gaps(gappy, rows, np.zeros(4), np.eye(4), steps=200)
    truth = []
    for n, row in enumerate(gappy):
        others = np.delete(gappy, n, axis=0)
        without = gaussian_around_gaps(others, rows, fit.means[0], fit.covariances[0])
        truth.append(without.log_density(row[None])[0])
    known = {"total": float(len(gappy)), "pseudo_rows": rows}
    observed = 1 - np.isnan(gappy).mean()
    ours = LeaveOneOut(fit, **known, observed=observed).log_density(gappy)
    blind = LeaveOneOut(fit, **known).log_density(gappy)
    assert abs(ours.mean() - np.mean(truth)) < abs(blind.mean() - np.mean(truth))
    assert ours.mean() < np.mean(truth) + 0.02 < blind.mean()  # the blind one flatters
    assert np.corrcoef(ours, truth)[0, 1] > 0.95
