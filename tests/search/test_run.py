"""The run: what it counts and keeps, and runs inside it."""

import numpy as np
import pytest

from biglearn.model.constraints import Constraints, Repairs
from biglearn.search.methods import EM
from biglearn.search.run import BudgetSpentError, carry_out
from helpers import blobs, make_run, random_mixture


def test_the_best_components_and_their_objective_are_kept(rng):
    X, good = blobs(rng, 200, 2), random_mixture(rng, 2, 2)
    bad = good.shifted(np.full(2, 50.0))
    run = make_run(X, 2, start=bad)
    values = []
    for components in (bad, good, bad):
        run.expect(components)
        values.append(run.objective)
    assert values[0] == values[2] < values[1]
    assert run.best is good
    assert run.best_objective == values[1] == pytest.approx(good.log_density(X).mean())
    assert run.passes == 3


def test_work_and_repairs_of_inner_runs_are_counted(rng):
    X, mixture = blobs(rng, 200, 2), random_mixture(rng, 2, 2)
    run = make_run(X, 2, start=mixture)
    inner = run.part(run.engine, Constraints(floor=5.0), cost=0.25)
    inner.expect(mixture)
    innermost = inner.part(run.engine, inner.constraints, n_components=1, cost=0.5)
    innermost.spend(2.0)
    assert run.passes == 0.25 + 2 * 0.125
    assert innermost.settings.n_components == 1
    inner.note(inner.constraints.impose_on(mixture))
    raised = run.counters.repairs.raised
    assert raised > 0
    run.note((mixture, Repairs(reseeded=1)))
    records = [run.record("one"), run.record("other")]
    assert [(r.raised, r.reseeded) for r in records] == [(raised, 1), (0, 0)]
    assert run.best is None  # what inner runs find is theirs


def test_the_time_of_a_run_is_that_of_its_inner_runs(rng):
    now = [0.0]
    run = make_run(blobs(rng, 50, 2), 1, max_time=10.0)
    run.clock, run._began = lambda: now[0], 0.0
    run.begin_leg(random_mixture(rng, 1, 2))
    inner = run.part(run.engine, Constraints())
    now[0] = 9.0
    assert inner.time_left == 1.0
    now[0] = 11.0
    with pytest.raises(BudgetSpentError):
        inner.spend(0.0)


def test_an_error_leaves_the_best_so_far(rng):
    X, start = blobs(rng, 200, 2, spread=1.0), random_mixture(rng, 3, 2, spread=1.0)
    run = make_run(X, 3, start=start)
    records = carry_out(run, EM())
    for _ in range(5):
        next(records)
    records.close()
    assert run.components is run.best
    assert run.objective == run.best_objective > start.log_density(X).mean()
