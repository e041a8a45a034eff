"""Split-merge: it leaves a poor optimum, and a good one alone."""

import pytest

from biglearn.search.moves import Ascent, SplitMerge
from helpers import clusters, settle


def test_surgery_leads_out_of_the_optimum_where_em_is_stuck(stuck):
    X, run, _, _ = stuck
    list(Ascent(tol=1e-9)(run))
    before = run.objective
    records = list(SplitMerge()(run))
    assert {record.move for record in records} == {"split-merge"}
    list(Ascent(tol=1e-9)(run))
    best = settle(X, [(0, 0), (0, 8), (8, 0), (8, 3)])[1].log_density(X).mean()
    assert run.objective == pytest.approx(best, abs=1e-6)
    assert run.objective > before + 0.1


def test_surgery_where_nothing_is_to_gain_changes_nothing(rng):
    X = clusters(rng, [(0, 0), (0, 8), (8, 0)])
    run, _, _ = settle(X, [(0, 0), (0, 8), (8, 0)])
    components, before = run.components, run.objective
    records = list(SplitMerge()(run))
    assert not any(record.accepted for record in records)
    assert run.components is components
    assert run.objective == before
