"""The compiled loops are optional, and load late."""

import os
import subprocess
import sys

import numpy as np
import pytest

from biglearn import GaussianMixture, kernels
from biglearn.search.methods import Paper
from helpers import blobs

FLOAT64 = np.dtype(np.float64)


@pytest.mark.parametrize("method", ["em", Paper(20), "search"])
def test_fits_agree_with_and_without_numba(rng, without_numba, method):
    X = blobs(rng, 300)
    how = {"method": method, "random_state": 0}
    with_loops = GaussianMixture(3, **how).fit(X)
    without_numba()
    alone = GaussianMixture(3, **how).fit(X)
    assert with_loops.score(X) == pytest.approx(alone.score(X), abs=1e-6)


def test_numba_is_loaded_by_the_first_pass_and_not_if_it_is_not_wanted():
    code = (
        "import sys, numpy as np\n"
        "from biglearn import GaussianMixture\n"
        "print('numba' in sys.modules)\n"
        "GaussianMixture(1, random_state=0).fit(np.arange(9.0)[:, None])\n"
        "print('numba' in sys.modules)\n"
    )
    for wanted, expected in (
        ("1", [False, kernels.passes(FLOAT64) is not None]),
        ("0", [False] * 2),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "BIGLEARN_NUMBA": wanted},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [str(value) for value in expected]


def test_a_missing_numba_is_a_warning_and_no_error(monkeypatch):
    monkeypatch.setattr(kernels, "_WARNED", [])
    kernels._made.cache_clear()
    for module in ("row_loops", "triangle_loops", "climb_loops", "patch_loops", "overlap_loops"):
        monkeypatch.delattr(kernels, module, raising=False)
        monkeypatch.setitem(sys.modules, f"biglearn.kernels.{module}", None)
    with pytest.warns(UserWarning, match="without compiled loops .*ModuleNotFoundError"):
        assert kernels.passes(FLOAT64) is None
    assert kernels.triangles() is None
    assert kernels.climbs() is kernels.patches() is kernels.overlaps() is None
    kernels._made.cache_clear()


@pytest.mark.parametrize(
    ("how", "needed"),
    [
        ({"method": "em", "family": "student"}, set()),
        ({"method": "em"}, {"climbs"}),
        ({"family": "student", "max_time": 0.001}, {"overlaps"}),
        ({"max_time": 0.001}, {"climbs", "overlaps", "patches"}),
    ],
)
def test_only_loops_that_a_fit_may_need_are_compiled_before_its_clock_runs(
    monkeypatch, rng, how, needed
):
    asked = set()
    for name in ("climbs", "overlaps", "patches"):
        monkeypatch.setattr(kernels, name, lambda name=name: asked.add(name))
    monkeypatch.setattr("biglearn.search.problem.carry_out", lambda run, method: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        GaussianMixture(2, random_state=0, **how).fit(rng.normal(size=(50, 2)))
    assert asked == needed
