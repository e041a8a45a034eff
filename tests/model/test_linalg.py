"""Batched linear algebra: the floor is the exact constrained M-step."""

import numpy as np
import pytest

from biglearn.model.linalg import floor_eigenvalues, inverse_cholesky, random_rotation, symmetrise
from helpers import random_covariances


def expected_log_likelihood(sigma, sample):
    """Of rows with covariance `sample` under N(mean, sigma), up to constants."""
    return -0.5 * (np.linalg.slogdet(sigma)[1] + np.trace(np.linalg.solve(sigma, sample)))


@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_no_feasible_covariance_beats_the_floored_one(rng, n_features):
    floor = 0.5
    sample = random_covariances(rng, 1, n_features)
    sample -= 0.25 * np.eye(n_features)  # some eigenvalues lie below the floor
    ours, _ = floor_eigenvalues(sample, floor)
    assert np.linalg.eigvalsh(ours[0])[0] >= floor * (1 - 1e-12)
    best = expected_log_likelihood(ours[0], sample[0])
    for scale in [1e-3, 1e-2, 0.1, 1.0]:
        for _ in range(50):
            change = scale * symmetrise(rng.normal(size=(n_features, n_features)))
            values, vectors = np.linalg.eigh(ours[0] + change)
            rival = (vectors * np.maximum(values, floor)) @ vectors.T
            assert expected_log_likelihood(rival, sample[0]) <= best + 1e-12


def test_the_floor_keeps_eigenvectors_and_counts_what_it_raised(rng):
    rotation = random_rotation(4, rng)
    matrix = (rotation * [1e-9, 1e-4, 1.0, 5.0]) @ rotation.T
    floored, n_raised = floor_eigenvalues(matrix[None], 1e-2)
    wanted = (rotation * [1e-2, 1e-2, 1.0, 5.0]) @ rotation.T
    np.testing.assert_allclose(floored[0], wanted, atol=1e-14)
    assert n_raised == 2
    again, n_again = floor_eigenvalues(floored, 1e-2)
    np.testing.assert_allclose(again, floored, atol=1e-14)
    assert n_again == 0


def test_a_sound_covariance_stays_bitwise_whatever_its_neighbours_need():
    sound = np.diag([1e20, 1.0])  # its condition is no reason to touch it
    stack = np.stack([sound, np.diag([1.0, 0.0])])
    floored, n_raised = floor_eigenvalues(stack, 1e-6)
    np.testing.assert_array_equal(floored[0], sound)
    np.testing.assert_allclose(floored[1], np.diag([1.0, 1e-6]), atol=1e-18)
    assert n_raised == 1


def test_a_floor_of_zero_still_leaves_a_cholesky_factor():
    rows = np.array([[1.0, 2.0, 3.0]])
    floored, n_raised = floor_eigenvalues((rows.T @ rows)[None], 0.0)
    np.linalg.cholesky(floored)
    assert n_raised == 2


@pytest.mark.parametrize("size", [3, 64, 65, 200])  # the large ones by halves
def test_inverse_cholesky_whitens_and_gives_the_determinant(rng, size):
    covariances = random_covariances(rng, 4, size)
    whitening, half_log_det = inverse_cholesky(covariances)
    whitened = whitening @ covariances @ np.swapaxes(whitening, 1, 2)
    np.testing.assert_allclose(whitened, np.tile(np.eye(size), (4, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(half_log_det, -0.5 * np.linalg.slogdet(covariances)[1], rtol=1e-12)
    assert (np.triu(whitening, 1) == 0).all()


def test_rotations_are_orthogonal_and_haar(rng):
    draws = np.array([random_rotation(3, rng) for _ in range(4000)])
    np.testing.assert_allclose(
        draws @ np.swapaxes(draws, 1, 2), np.tile(np.eye(3), (4000, 1, 1)), atol=1e-12
    )
    # Under the Haar measure E q_ij = 0 and E q_ij² = 1/D, Var q_ij² = 2(D-1)/(D²(D+2)).
    assert np.abs(draws.mean(axis=0)).max() < 5 * np.sqrt(1 / 3 / 4000)
    spread = np.sqrt(4 / (9 * 5) / 4000)
    assert np.abs((draws**2).mean(axis=0) - 1 / 3).max() < 5 * spread
