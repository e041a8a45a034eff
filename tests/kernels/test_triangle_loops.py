"""Compiled Cholesky factors against NumPy's."""

import numpy as np
import pytest

from biglearn.model.linalg import floor_eigenvalues, inverse_cholesky
from helpers import random_covariances


@pytest.mark.parametrize("n_features", [1, 2, 7, 64, 97])
def test_whitening_inverts_covariances(rng, loops, n_features):
    covariances = random_covariances(rng, 3, n_features)
    whitening, half_log_det = inverse_cholesky(covariances)
    np.testing.assert_array_equal(whitening, np.tril(whitening))
    identity = whitening @ covariances @ np.swapaxes(whitening, 1, 2)
    np.testing.assert_allclose(identity, np.tile(np.eye(n_features), (3, 1, 1)), atol=1e-11)
    expected = -0.5 * np.linalg.slogdet(covariances)[1]
    np.testing.assert_allclose(half_log_det, expected, rtol=1e-12, atol=1e-12)


def test_one_indefinite_matrix_is_found_among_sound_ones(loops):
    stack = np.stack([np.eye(3), np.diag([1.0, -1.0, 1.0]), 2 * np.eye(3)])
    with pytest.raises(np.linalg.LinAlgError):
        inverse_cholesky(stack)
    floored, n_raised = floor_eigenvalues(stack, 0.5)
    assert n_raised == 1
    np.testing.assert_array_equal(floored[[0, 2]], stack[[0, 2]])
    np.testing.assert_allclose(floored[1], np.diag([1.0, 0.5, 1.0]))
