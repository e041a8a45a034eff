from collections.abc import Callable

import numpy as np
import pytest

from biglearn import kernels
from biglearn.model.mixture import Mixture
from helpers import CENTRES


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture
def mixture() -> Mixture:
    """Return three correlated components in three features, with names."""
    means = [[0.0, 0.0, 0.0], [6.0, 1.0, -2.0], [-4.0, 5.0, 3.0]]
    covariances = [
        [[1.0, 0.3, 0.0], [0.3, 2.0, -0.4], [0.0, -0.4, 1.5]],
        [[0.5, 0.0, 0.1], [0.0, 0.7, 0.2], [0.1, 0.2, 0.9]],
        [[2.0, -0.9, 0.0], [-0.9, 1.0, 0.0], [0.0, 0.0, 0.3]],
    ]
    return Mixture([0.5, 0.2, 0.3], means, covariances, feature_names=["a", "b", "c"])


@pytest.fixture
def without_numba(monkeypatch) -> Callable[[], None]:
    """Return what makes the rest of a test compute without compiled loops."""
    return lambda: monkeypatch.setattr(kernels, "WANTED", False)


@pytest.fixture
def littered(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return three round clusters of 100 rows with 60 rows spread over a wide box, and which."""
    truth = np.repeat([0, 1, 2, -1], [100, 100, 100, 60])
    round_ones = np.repeat(CENTRES, 100, axis=0) + rng.normal(size=(300, 2))
    return np.concatenate([round_ones, rng.uniform(-40, 40, size=(60, 2))]), truth
