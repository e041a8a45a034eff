import pytest

from helpers import clusters, settle


@pytest.fixture
def stuck(rng):
    """Return rows, and a run at a poor optimum of EM, its components and what surgery sees.

    Of four clusters one has two components, and two have one together.
    """
    X = clusters(rng, [(0, 0), (0, 8), (8, 0), (8, 3)])
    return X, *settle(X, [(-0.2, 0), (0.2, 0), (0, 8), (8, 1.5)])
