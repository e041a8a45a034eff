"""The compiled loops are optional, and load late."""

import subprocess
import sys

import numpy as np
import pytest

from biglearn import BigLearnGaussianMixture, kernels
from biglearn.search.methods import Paper
from helpers import blobs

FLOAT64 = np.dtype(np.float64)


@pytest.mark.parametrize("method", ["em", Paper(20), "search"])
def test_fits_agree_with_and_without_numba(rng, without_numba, method):
    X = blobs(rng, 300)
    how = {"method": method, "random_state": 0}
    with_loops = BigLearnGaussianMixture(3, **how).fit(X)
    without_numba()
    alone = BigLearnGaussianMixture(3, **how).fit(X)
    assert with_loops.score(X) == pytest.approx(alone.score(X), abs=1e-6)


def test_numba_is_loaded_by_the_first_pass_and_not_if_it_is_not_wanted():
    code = (
        "import sys, numpy as np\n"
        "from biglearn import BigLearnGaussianMixture\n"
        "print('numba' in sys.modules)\n"
        "BigLearnGaussianMixture(1, random_state=0).fit(np.arange(9.0)[:, None])\n"
        "print('numba' in sys.modules)\n"
    )
    for wanted, expected in (
        ("1", [False, kernels.passes(FLOAT64) is not None]),
        ("0", [False] * 2),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"BIGLEARN_NUMBA": wanted},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [str(value) for value in expected]


def test_a_missing_numba_is_no_error(monkeypatch):
    kernels._imported.cache_clear()
    for module in ("row_loops", "triangle_loops", "climb_loops", "patch_loops", "overlap_loops"):
        monkeypatch.delattr(kernels, module, raising=False)
        monkeypatch.setitem(sys.modules, f"biglearn.kernels.{module}", None)
    assert kernels.passes(FLOAT64) is None
    assert kernels.triangles() is None
    assert kernels.climbs() is kernels.patches() is kernels.overlaps() is None
    kernels._imported.cache_clear()
