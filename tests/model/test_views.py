"""Views: a projected mixture is the distribution of the projected rows."""

import numpy as np
import pytest

from biglearn.model.views import View, beta_subset_size, random_subset
from helpers import random_mixture, scipy_log_density


@pytest.fixture(params=["joint", "marginal", "transformed"])
def view(request, rng):
    if request.param == "joint":
        return View.joint(4)
    if request.param == "marginal":
        return View.marginal([3, 1], 4)
    return View.transformed([0, 2, 3], 4, rng)


def test_a_projected_mixture_is_the_mixture_of_projected_components(rng, view):
    mixture = random_mixture(rng, 3, 4)
    projected = mixture.project(view)
    B = view.basis
    np.testing.assert_allclose(projected.means, [B @ m for m in mixture.means], atol=1e-12)
    np.testing.assert_allclose(
        projected.covariances, [B @ c @ B.T for c in mixture.covariances], atol=1e-12
    )
    Y = rng.normal(size=(20, view.size))
    np.testing.assert_allclose(
        projected.log_density(Y), scipy_log_density(projected, Y), rtol=1e-10
    )


def test_projected_samples_have_the_projected_mean_and_covariance(rng, view):
    mixture = random_mixture(rng, 3, 4)
    n = 20_000
    rows = mixture.sample(n, rng)[0] @ view.basis.T
    projected = mixture.project(view)
    error = np.sqrt(np.diag(projected.covariance) / n)
    assert (np.abs(rows.mean(axis=0) - projected.mean) < 5 * error).all()
    centred = rows - projected.mean
    products = centred[:, :, None] * centred[:, None, :]
    error = products.std(axis=0) / np.sqrt(n)
    assert (np.abs(products.mean(axis=0) - projected.covariance) < 5 * error).all()


def test_a_marginal_takes_features_in_the_order_asked(rng):
    X = rng.normal(size=(5, 4))
    np.testing.assert_array_equal(X @ View.marginal([3, 1], 4).basis.T, X[:, [3, 1]])


def test_views_of_views_compose(rng):
    mixture = random_mixture(rng, 2, 4)
    outer = View.transformed([0, 1, 2], 4, rng)
    inner = View.marginal([2, 0], 3)
    both = View(inner.basis @ outer.basis)
    twice = mixture.project(outer).project(inner)
    np.testing.assert_allclose(twice.covariances, mixture.project(both).covariances, atol=1e-12)


def test_only_the_identity_is_the_joint(rng):
    assert View.joint(3).is_joint
    assert View.marginal([0, 1, 2], 3).is_joint
    assert not View.marginal([1, 0, 2], 3).is_joint
    assert not View.transformed([0, 1, 2], 3, rng).is_joint


@pytest.mark.parametrize("basis", [np.zeros((0, 2)), np.zeros((3, 2)), np.zeros(2)])
def test_a_basis_of_the_wrong_shape_is_refused(basis):
    with pytest.raises(ValueError, match=r"shape \(d, D\).*got \("):
        View(basis)


def test_rows_that_are_not_orthonormal_are_refused():
    with pytest.raises(ValueError, match="orthonormal"):
        View(np.array([[1.0, 1.0]]))


def test_sizes_are_at_least_one_and_follow_the_beta_law(rng):
    sizes = np.array([beta_subset_size(10, rng) for _ in range(5000)])
    assert sizes.min() >= 1
    assert sizes.max() <= 9
    # P(size = 9) = P(Beta(5, 1) >= 0.9) = 1 - 0.9^5
    p = 1 - 0.9**5
    assert abs((sizes == 9).mean() - p) < 5 * np.sqrt(p * (1 - p) / 5000)
    assert beta_subset_size(1, rng) == 1


def test_subsets_are_ascending_and_without_repeats(rng):
    for size in range(1, 6):
        subset = random_subset(5, size, rng)
        assert subset == sorted(set(subset))
        assert len(subset) == size
