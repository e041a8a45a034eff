"""Cuts and trials in compiled loops against the same pass by pass."""

import numpy as np
import pytest

from biglearn import kernels
from biglearn.engines import MemoryEngine
from biglearn.model.constraints import Constraints
from biglearn.model.prior import PseudoRows
from biglearn.model.structures import structure_of
from biglearn.search.climbing.limits import Limits
from biglearn.search.surgery.cuts import find_cuts
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.surgery.local import Theatre
from biglearn.search.surgery.plans import plans, removals
from biglearn.search.tuning import Tuning
from helpers import blobs, random_mixture
from scripted import run_of

pytestmark = pytest.mark.skipif(
    kernels.patches() is None, reason="Numba is missing: pip install numba"
)

CASES = {
    "plain": {},
    "weights": {"weighted": True},
    "prior": {"rows": 4.0},
    "diag": {"kind": "diag"},
    "spherical, prior": {"kind": "spherical", "rows": 2.0},
    "sample, weights, prior": {"plan_rows": 250, "weighted": True, "rows": 3.0},
    "thinned": {"cut_members": 40},
}


def both_ways(rng, without_numba, work, *, kind="full", rows=0.0, weighted=False, **tuning):
    """Return what work gives in compiled loops and without: from a run, components and rows."""
    X = blobs(rng, 500, 3, n_components=6)
    weights = rng.uniform(0.3, 2.0, 500) if weighted else None
    constraints = Constraints(structure_of(kind), 1e-4, prior=PseudoRows(rows, np.eye(3)))
    mixture, _ = constraints.impose_on(random_mixture(rng, 6, 3))
    found = []
    for compiled in (True, False):
        if not compiled:
            without_numba()
        run = run_of(
            MemoryEngine(X, weights=weights), 6, constraints=constraints, tuning=Tuning(**tuning)
        )
        run.begin_leg(mixture)
        run.expect(mixture)
        found.append((work(run, mixture, JudgedRows.of(run, mixture)), run))
    return found


def all_cuts(run, mixture, rows):
    return find_cuts(run, mixture, rows, np.arange(mixture.n_components))


@pytest.mark.parametrize("case", CASES)
def test_compiled_cuts_are_those_of_em_pass_by_pass(rng, without_numba, case):
    (ours, one), (theirs, other) = both_ways(rng, without_numba, all_cuts, **CASES[case])
    assert [cut.parent for cut in ours] == [cut.parent for cut in theirs]
    assert len(ours) > 3
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.gain == pytest.approx(its.gain, rel=1e-7, abs=1e-9)
        # which half comes first hangs on the sign of an eigenvector
        order = np.argsort(mine.halves.means[:, 0]), np.argsort(its.halves.means[:, 0])
        for name in ("weights", "means", "covariances"):
            np.testing.assert_allclose(
                getattr(mine.halves, name)[order[0]],
                getattr(its.halves, name)[order[1]],
                rtol=1e-5,
                atol=1e-6,
                err_msg=name,
            )
    assert one.passes == pytest.approx(other.passes, rel=0.05)


@pytest.mark.parametrize("case", CASES)
def test_compiled_trials_are_those_of_em_pass_by_pass(rng, without_numba, case):
    def trials(run, mixture, rows):
        cuts = all_cuts(run, mixture, rows)
        some = list(plans(removals(run.constraints, mixture, rows), cuts))[:5]
        limits = Limits(1e-6, 15, grace=run.tuning.grace)
        theatre = Theatre(run, mixture, rows, limits)
        return [theatre.trial(plan) for plan in some]

    (ours, one), (theirs, other) = both_ways(rng, without_numba, trials, **CASES[case])
    assert len(ours) == 5
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.active, its.active)
        assert mine.gain == pytest.approx(its.gain, rel=1e-5, abs=1e-7)
        assert mine.components.weights.sum() == pytest.approx(its.components.weights.sum())
    # a jump at the end of a climb may hang on rounding
    ours, theirs = (run.counters.repairs.raised for run in (one, other))
    assert ours == pytest.approx(theirs, rel=0.05)
