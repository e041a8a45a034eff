"""Stacks of block-diagonal matrices against the matrices themselves."""

import numpy as np
import pytest

from biglearn.model import blocks
from biglearn.model.linalg import floor_covariances, inverse_cholesky
from biglearn.model.views import View
from helpers import random_covariances, random_mixture

SIZES = [1, 2, 3, 6]


@pytest.fixture(params=SIZES)
def stack(rng, request):
    """Return four matrices of 6 x 6 in blocks of a size."""
    return blocks.in_blocks(random_covariances(rng, 4, 6), request.param)


def test_blocks_and_whole_matrices_are_turned_into_each_other(rng):
    matrices = random_covariances(rng, 4, 6)
    for size in SIZES:
        place = np.arange(6) // size
        kept = np.where(place[:, None] == place, matrices, 0.0)
        stack = blocks.in_blocks(matrices, size)
        assert stack.shape == (4, *blocks.shape_of(6, size))
        np.testing.assert_array_equal(blocks.whole(stack), kept)
        np.testing.assert_array_equal(blocks.diagonals(stack), blocks.diagonals(matrices))
    assert blocks.in_blocks(matrices, 6) is matrices


def test_sums_and_products_are_those_of_the_matrices(rng, stack):
    matrices, vectors = blocks.whole(stack), rng.normal(size=(4, 6))
    weights, scale, basis = rng.random(4), rng.uniform(0.5, 2, size=6), rng.normal(size=(2, 6))
    expected = np.einsum("kij,kj->ki", matrices, vectors)
    np.testing.assert_allclose(blocks.times(stack, vectors), expected)
    np.testing.assert_allclose(blocks.under(stack[0], vectors), vectors @ matrices[0].T)
    np.testing.assert_allclose(
        blocks.whole(blocks.scaled(stack, scale)), matrices * np.outer(scale, scale)
    )
    np.testing.assert_allclose(blocks.unscaled(blocks.scaled(stack, scale), scale), stack)
    average = blocks.averaged(weights, stack)[None]
    expected = np.einsum("k,kij->ij", weights, matrices)
    np.testing.assert_allclose(blocks.whole(average)[0], expected)
    np.testing.assert_allclose(blocks.seen(stack, basis), basis @ matrices @ basis.T, atol=1e-12)
    rows, columns = np.indices((6, 6)).reshape(2, -1)
    found = blocks.entries(stack, rows, columns).reshape(4, 6, 6)
    np.testing.assert_array_equal(found, matrices)
    chosen = np.array([4, 0, 5])
    found = blocks.whole(blocks.selected(stack, chosen))
    np.testing.assert_array_equal(found, matrices[:, chosen[:, None], chosen])


def test_outer_products_keep_what_is_within_blocks(rng, stack):
    left, right = rng.normal(size=(2, 4, 6))
    size = stack.shape[-1]
    within = blocks.in_blocks(left[:, :, None] * right[:, None, :], size)
    np.testing.assert_array_equal(blocks.outer(left, right, stack), within)
    weights = rng.random(4)
    total = blocks.weighted_outer(weights, left, stack)
    np.testing.assert_allclose(total, blocks.averaged(weights, blocks.outer(left, left, stack)))


def test_factors_and_floors_are_those_of_the_matrices(rng, stack):
    matrices, floor = blocks.whole(stack), rng.uniform(0.2, 2.0, size=6)
    whitening, half_log_det = inverse_cholesky(stack)
    expected = inverse_cholesky(matrices)
    np.testing.assert_allclose(blocks.whole(whitening), expected[0], atol=1e-12)
    np.testing.assert_allclose(half_log_det, expected[1])
    for least in (0.7, floor):
        floored, n_raised = floor_covariances(stack, least)
        whole, n_expected = floor_covariances(matrices, least)
        np.testing.assert_allclose(blocks.whole(floored), whole, atol=1e-10)
        assert n_raised == n_expected > 0
    values, vectors = blocks.eigh(stack)
    np.testing.assert_allclose(blocks.rebuilt(values, vectors), stack, atol=1e-12)


@pytest.mark.parametrize("view", [View.marginal([3, 1, 0], 5), View(np.eye(5)[[2, 4]])])
def test_a_view_of_some_features_keeps_diagonals(rng, view):
    mixture = random_mixture(rng, 3, 5).in_blocks(1)
    seen = mixture.project(view)
    assert seen.blocks.shape == (3, view.size, 1, 1)
    expected = view.basis @ mixture.covariances @ view.basis.T
    np.testing.assert_array_equal(seen.covariances, expected)
    np.testing.assert_array_equal(seen.means, mixture.means @ view.basis.T)
    np.testing.assert_allclose(seen.precisions, np.linalg.inv(expected))


def test_components_are_joined_and_put_in_blocks_like_the_first(rng):
    one, other = random_mixture(rng, 2, 4), random_mixture(rng, 1, 4)
    joined = one.in_blocks(1).joined(other)
    assert joined.blocks.shape == (3, 4, 1, 1)
    np.testing.assert_array_equal(joined.covariances[2], other.covariances[0] * np.eye(4))
    changed = one.put([1], other.in_blocks(1)).covariances
    np.testing.assert_array_equal(changed[0], one.covariances[0])
    np.testing.assert_array_equal(changed[1], joined.covariances[2])
