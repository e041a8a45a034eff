"""Matchings: EM steps in a view; tests/search/test_paper.py follows whole chains of them."""

import numpy as np
import pytest

from biglearn.model.lifts import block_gain
from biglearn.model.m_step import m_step
from biglearn.model.views import View
from biglearn.search.moves import Matching
from helpers import blobs, make_run, random_mixture


def test_in_the_joint_it_is_em(rng):
    X, start = blobs(rng, 200, 3), random_mixture(rng, 3, 3)
    run = make_run(X, 3, start=start)
    (record,) = Matching(View.joint(3), inner_steps=2)(run)
    wanted = start
    for _ in range(2):
        wanted, _ = m_step(run.constraints, wanted, run.engine.expect(wanted))
    np.testing.assert_array_equal(run.components.means, wanted.means)
    np.testing.assert_array_equal(run.components.covariances, wanted.covariances)
    assert record.move == "joint"
    assert np.isnan(record.log_likelihood)  # it ends with an M-step that nobody evaluated
    assert record.passes == run.passes == 2


@pytest.mark.parametrize("lift", ["block", "regression", block_gain])
def test_in_a_view_the_objective_of_the_view_rises(rng, lift):
    X, start = blobs(rng, 200, 3), random_mixture(rng, 3, 3)
    run, view = make_run(X, 3, start=start), View.marginal([0, 2], 3)
    rows = run.engine.project(view)
    before = rows.expect(start.project(view)).mean_log_likelihood
    list(Matching(view, inner_steps=3, lift=lift)(run))
    after = rows.expect(run.components.project(view)).mean_log_likelihood
    assert after > before
    assert run.best is None  # nothing is known of the joint
