"""The run: its objective, its budget, and what runs inside it share with it."""

import numpy as np
import pytest

from biglearn.model.constraints import Repairs
from biglearn.search.run import BudgetSpentError, carry_out
from biglearn.search.stands import Counters
from scripted import (
    Clock,
    Leaning,
    ScriptedEngine,
    Visit,
    Visits,
    components_of,
    moments_of,
    run_of,
)

A, B, C, D = (components_of([0.5, 0.5], [[x, 0.0], [x, 4.0]]) for x in (0.0, 1.0, 2.0, 3.0))


def passes(run, *visited):
    for components in visited:
        run.expect(components)


def test_the_leg_is_its_best_point_and_not_its_last():
    run = run_of(ScriptedEngine([-3.0, -1.0, -2.0]), 2)
    run.begin_leg(A)
    passes(run, A, B, C)
    assert run.leg is B
    assert run.leg_objective == -1.0
    assert run.objective == -2.0


def test_the_leg_forgets_the_points_before_it_and_the_best_does_not():
    run = run_of(ScriptedEngine([-1.0, -3.0, -2.0, -4.0]), 2)
    run.begin_leg(A)
    passes(run, A)
    run.begin_leg(B)
    assert run.leg is None
    passes(run, B, C, D)
    assert run.leg is C
    assert run.best is A
    assert run.best_objective == -1.0


def test_a_pass_over_other_rows_says_nothing_of_the_objective():
    run = run_of(ScriptedEngine([-3.0]), 2)
    run.begin_leg(A)
    passes(run, A)
    run.expect(B, ScriptedEngine([5.0]))
    assert (run.best, run.leg, run.objective) == (A, A, -3.0)
    assert run.passes == 2


def test_the_result_is_the_best_point_or_the_last_as_the_method_says():
    moves = tuple(Visit(components) for components in (A, B, C))
    for keeps_best, expected, value in [(True, B, -1.0), (False, C, -2.0)]:
        # the last point is evaluated once more
        run = run_of(ScriptedEngine([-3.0, -1.0, -2.0]), 2)
        run.engine.running = np.errstate  # any context
        assert len(list(carry_out(run, Visits(moves, keeps_best)))) == 3
        assert run.components is expected
        assert run.objective == value


# A run inside another


def test_a_part_counts_its_passes_as_shares_of_whole_ones():
    outer = run_of(ScriptedEngine(), 2)
    outer.begin_leg(A)
    outer.expect(A)
    inner = outer.part(ScriptedEngine(), outer.constraints, cost=0.25)
    inner.expect(A)
    inner.expect(A)
    inner.spend(2.0)
    assert outer.passes == inner.passes == 1 + 4 * 0.25
    innermost = inner.part(ScriptedEngine(), outer.constraints, cost=0.5)
    innermost.expect(A)
    assert outer.passes == 2 + 0.125


def test_a_part_of_which_no_cost_is_said_is_free():
    outer = run_of(ScriptedEngine(), 2)
    outer.part(ScriptedEngine(), outer.constraints).expect(A)
    assert outer.passes == 0


def test_a_part_leaves_the_points_of_the_whole_alone():
    outer = run_of(ScriptedEngine([-3.0]), 2)
    outer.begin_leg(A)
    outer.expect(A)
    inner = outer.part(ScriptedEngine([5.0]), outer.constraints)
    inner.expect(B)
    assert inner.best is B
    assert (outer.best, outer.leg, outer.best_objective) == (A, A, -3.0)


def test_the_time_budget_of_the_whole_ends_a_part():
    clock = Clock(100.0)
    outer = run_of(ScriptedEngine(), 2, max_time=10.0, clock=clock)
    outer.begin_leg(A)
    clock.now = 106.0
    inner = outer.part(ScriptedEngine(), outer.constraints)
    assert inner.seconds == outer.seconds == 6.0
    assert inner.time_left == 4.0
    inner.expect(A)
    clock.now = 110.0
    with pytest.raises(BudgetSpentError):
        inner.expect(A)
    with pytest.raises(BudgetSpentError):
        inner.spend(0.1)


def test_no_budget_ends_a_run_before_its_first_start():
    clock = Clock(100.0)
    outer = run_of(ScriptedEngine(), 2, max_time=1.0, clock=clock)
    clock.now = 200.0
    outer.part(ScriptedEngine(), outer.constraints).expect(A)  # a start that climbs
    outer.begin_leg(A)
    with pytest.raises(BudgetSpentError):
        outer.expect(A)
    assert outer.best is A


def test_repairs_made_in_a_part_are_counted_and_reported_by_the_whole():
    outer = run_of(ScriptedEngine(), 2)
    outer.begin_leg(A)
    outer.note((A, Repairs(raised=1)))
    assert outer.record("first").raised == 1
    inner = outer.part(ScriptedEngine(), outer.constraints)
    inner.note((A, Repairs(raised=2, reseeded=3)))
    assert outer.counters.repairs == Repairs(raised=3, reseeded=3)
    record = outer.record("second")
    assert (record.raised, record.reseeded) == (2, 3)


def test_a_part_has_the_same_settings_but_for_its_size_and_starts():
    outer = run_of(ScriptedEngine(), 3, tol=0.5, max_iter=7, max_time=9.0, n_init=4)
    same, other = (
        outer.part(ScriptedEngine(), outer.constraints, n_components=size).settings
        for size in (None, 2)
    )
    assert (same.n_components, other.n_components) == (3, 2)
    for settings in (same, other):
        assert (settings.tol, settings.max_iter, settings.max_time) == (0.5, 7, 9.0)


def test_a_part_draws_from_the_same_randomness_and_constants():
    outer = run_of(ScriptedEngine(), 2)
    inner = outer.part(ScriptedEngine(), outer.constraints)
    assert inner.rng is outer.rng
    assert inner.tuning is outer.tuning
    assert inner.start is outer.start
    assert inner.counters is outer.counters


# What the constraints add to the objective


def test_the_objective_adds_the_prior_per_row():
    prior = Leaning(slope=2.0, width=0.5, crowd=3.0)
    run = run_of(ScriptedEngine([-4.0], n_rows=100), 2, constraints=prior)
    run.begin_leg(B)
    run.expect(B)
    expected = 2.0 * (1 + 1 + 4) - 0.5 * 4 + 3.0 * 2 * np.log(0.5)
    assert run.objective == pytest.approx(-4.0 + expected / 100, rel=1e-14)
    assert run.best_objective == run.leg_objective == run.objective
    assert run.prior_of(B, 50.0) == pytest.approx(expected / 50, rel=1e-14)
    moments = moments_of(B, 10.0, -1.0)
    assert run.objective_of(B, moments) == pytest.approx(-1.0 + expected / 10, rel=1e-14)


def test_the_best_point_is_the_one_of_the_best_objective():
    # by the likelihood alone A is better
    run = run_of(ScriptedEngine([-4.0, -4.1]), 2, constraints=Leaning(slope=1000.0))
    run.begin_leg(A)
    passes(run, A, D)
    assert run.best is D
    assert run.leg is D


def test_the_prior_is_part_of_the_objective_of_a_last_point():
    prior = Leaning(slope=1.0)
    run = run_of(ScriptedEngine([-4.0], n_rows=100), 2, constraints=prior)
    run.engine.running = np.errstate
    list(carry_out(run, Visits((Visit(B),), keeps_best=False)))
    assert run.objective == pytest.approx(-4.0 + 6.0 / 100, rel=1e-14)


def test_rows_of_no_weight_have_the_prior_of_none():
    run = run_of(ScriptedEngine(), 2)
    assert run.prior_of(A, 0.0) == 0.0


def test_counters_begin_with_nothing():
    assert Counters() == Counters(0.0, 0, False, Repairs())
