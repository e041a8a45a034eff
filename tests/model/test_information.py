"""Scores, information and the sandwich, beside finite differences and closed forms."""

from itertools import product

import numpy as np
import pytest

from biglearn.model.information import Steps, sandwich
from biglearn.model.mixture import Mixture
from biglearn.model.noise import Noise, NoisyMixture
from helpers import with_gaps


def moved(mixture, steps, coordinates, n_weights):
    """Return the mixture at coordinates (η, and a and S of each component)."""
    shares = mixture.weights * np.exp(coordinates[: mixture.n_components])
    lower, basis = np.linalg.cholesky(mixture.covariances), steps.basis
    size, width = mixture.n_features, mixture.n_features + len(basis)
    means, covariances = [], []
    for k in range(mixture.n_components):
        own = coordinates[n_weights + k * width : n_weights + (k + 1) * width]
        middle = np.eye(size) + np.tensordot(own[size:], basis, axes=1)
        means.append(mixture.means[k] + lower[k] @ own[:size])
        covariances.append(lower[k] @ middle @ lower[k].T)
    return Mixture(shares / shares.sum(), means, np.array(covariances))


def differences(density, size, h=1e-4):
    """Return the scores of the rows and minus the second derivatives of their sum."""
    unit = h * np.eye(size)
    scores = np.transpose([(density(e) - density(-e)) / (2 * h) for e in unit])
    curved = np.empty((size, size))
    for i, j in product(range(size), repeat=2):
        corners = [
            s * t * density(s * unit[i] + t * unit[j]).sum() for s in (1, -1) for t in (1, -1)
        ]
        curved[i, j] = -sum(corners) / (4 * h * h)
    return scores, curved


@pytest.fixture
def problem(rng):
    mixture = Mixture([0.6, 0.4], [[0.0, 0.0], [2.0, 1.0]], [[[1, 0.4], [0.4, 0.6]], np.eye(2)])
    rows, _ = mixture.sample(80, rng)
    return mixture, rows


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_sums_are_those_of_finite_differences(problem, rng, gaps, kind):
    mixture, rows = problem
    if gaps:
        rows = with_gaps(rng, rows)
        rows = rows[~np.isnan(rows).all(axis=1)]
    steps = Steps(mixture, kind)
    found = steps.information(rows)
    scores, curved = differences(
        lambda x: moved(mixture, steps, x, 2).log_density(rows), len(found.scores)
    )
    shares = np.zeros(len(found.scores))
    shares[:2] = mixture.weights  # their η are counted without the mean
    np.testing.assert_allclose(found.scores - len(rows) * shares, scores.sum(axis=0), atol=1e-5)
    centred = found.outer - np.outer(found.scores, shares) - np.outer(shares, found.scores)
    centred += len(rows) * np.outer(shares, shares)
    np.testing.assert_allclose(centred, scores.T @ scores, atol=1e-4)
    # the information: complete curvature, less what the components hide
    width = found.curvature.shape[1]
    bread = found.outer.copy()
    for k in range(2):
        own = np.r_[k, 2 + k * width : 2 + (k + 1) * width]
        inside = found.within[k].copy()
        inside[0, 0] = 0
        inside[1:, 1:] -= found.curvature[k]
        bread[np.ix_(own, own)] -= inside
    steps_alone = slice(2, None)
    np.testing.assert_allclose(bread[:, steps_alone], curved[:, steps_alone], atol=2e-3)


def test_sums_of_parts_are_those_of_all_rows(problem, rng):
    mixture, rows = problem
    weights = rng.integers(1, 4, size=len(rows)).astype(float)
    steps = Steps(mixture)
    whole = steps.information(np.repeat(rows, weights.astype(int), axis=0))
    parts = steps.information(rows[:30], weights[:30]) + steps.information(rows[30:], weights[30:])
    for name in ("total", "scores", "outer", "within", "curvature", "second"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-9)


def normal(rows, kind="full", weights=None, pseudo_rows=0.0, target=None):
    """Return the sandwich of one Gaussian that is fitted to rows."""
    weights = np.ones(len(rows)) if weights is None else weights
    n = weights.sum()
    mean = weights @ rows / n
    covariance = (weights[:, None] * (rows - mean)).T @ (rows - mean) / n
    if kind == "diag":
        covariance = np.diag(np.diag(covariance))
    if pseudo_rows:
        covariance = (n * covariance + pseudo_rows * target) / (n + pseudo_rows)
    steps = Steps(Mixture([1.0], [mean], [covariance]), kind)
    return sandwich(steps, steps.information(rows, weights), pseudo_rows)


@pytest.mark.parametrize("kind", ["full", "diag", "tied"])
def test_one_component_has_the_errors_of_sample_moments(rng, kind):
    rows = rng.exponential(size=(60, 2)) @ [[1.0, 0.5], [0.0, 1.0]]  # no Gaussian at all
    found = normal(rows, kind)
    centred, n_free = rows - rows.mean(axis=0), 4 if kind == "diag" else 5
    more = 60 / (60 - n_free)
    mean = np.einsum("ni,nj->ij", centred, centred) / 60**2 * more
    products = np.einsum("ni,nj->nij", centred, centred)
    variances = products.var(axis=0) / 60 * more
    if kind == "diag":
        np.testing.assert_allclose(np.diag(found.means[0]), np.diag(mean))
        np.testing.assert_allclose(np.diag(found.variances[0]), np.diag(variances))
        np.testing.assert_allclose(found.variances[0][0, 1], 0)
    else:
        np.testing.assert_allclose(found.means[0], mean)
        np.testing.assert_allclose(found.variances[0], variances)
    np.testing.assert_allclose(found.weights, 0, atol=1e-12)


def test_pseudo_rows_shrink_the_error_as_they_shrink_the_covariance(rng):
    rows = rng.normal(size=(50, 2))
    plain = normal(rows).variances
    found = normal(rows, pseudo_rows=25.0, target=np.diag([2.0, 3.0])).variances
    np.testing.assert_allclose(found, plain * (50 / 75) ** 2)


def test_weights_that_sum_to_one_stand_for_as_many_rows(rng):
    rows = rng.normal(size=(50, 2))
    found = normal(rows, weights=np.full(50, 1 / 50))
    np.testing.assert_allclose(found.variances, normal(rows).variances)


def test_the_weight_of_noise_is_a_share(rng):
    """Components far from each other: a weight has the error of a share."""
    rows = np.concatenate([rng.normal(size=(80, 1)), rng.normal(size=(80, 1)) + 1000])
    rows = np.concatenate([rows, [[float(x)] for x in np.linspace(100, 900, 40)]])
    low, high = np.array([-3.0]), np.array([1003.0])
    halves = [rows[:80], rows[80:160]]
    mixture = Mixture([0.5, 0.5], [h.mean(axis=0) for h in halves], [[[h.var()]] for h in halves])
    steps = Steps(NoisyMixture(mixture, Noise(0.2, low, high)))
    found = sandwich(steps, steps.information(rows))
    share = np.array([0.4, 0.4, 0.2])
    expected = (np.diag(share) - np.outer(share, share)) / 200 * (200 / 194)
    np.testing.assert_allclose(found.weights, expected, rtol=0.05)
