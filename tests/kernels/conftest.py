"""Every test of the loops runs with and without them."""

import numpy as np
import pytest

from biglearn import kernels

FLOAT64 = np.dtype(np.float64)


@pytest.fixture(params=["compiled", "numpy"])
def loops(request, without_numba):
    """Run a test with compiled loops, and without."""
    if request.param == "numpy":
        without_numba()
    elif kernels.passes(FLOAT64) is None:
        pytest.skip("Numba is missing: pip install numba")
    return request.param
