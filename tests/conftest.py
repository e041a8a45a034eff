from collections.abc import Callable

import numpy as np
import pytest

from biglearn import kernels
from biglearn.model.mixture import Mixture


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
