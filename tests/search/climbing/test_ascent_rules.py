"""When a climb is given up, on curves that a script gives."""

import math

import pytest

from biglearn.search.climbing.ascent import climb
from biglearn.search.climbing.limits import Limits
from biglearn.search.moves import Ascent
from scripted import Leaning, ScriptedEngine, components_of, run_of

HERE = components_of([0.5, 0.5], [[0.0, 0.0], [0.0, 4.0]])

#: Halves the way to -8 with every step: what is left is its last gain.
CURVE = [-8.0 - 2.0**-step for step in range(-1, 40)]


def is_lost(objective, left, goal):
    return Limits(goal=goal).stops(5, objective, left)


def test_a_point_can_reach_twice_what_it_has_left_and_no_more():
    assert not is_lost(-8.5, 0.5, goal=-7.5)
    assert is_lost(-8.5, 0.5, goal=-7.4999)


def test_a_point_of_which_nothing_is_known_can_reach_everything():
    assert not is_lost(-8.5, math.inf, goal=1e9)
    assert not is_lost(-math.inf, math.inf, goal=math.inf)
    assert not is_lost(-8.5, 0.0, goal=-math.inf)


def test_nothing_is_lost_within_the_grace():
    limits = Limits(goal=0.0, grace=3)
    assert [limits.stops(step, -8.0, 0.1) for step in (2, 3)] == [False, True]


def test_a_climb_ends_where_little_is_left_or_patience_is_spent_or_rows_are_lost():
    limits = Limits(tol=0.1, patience=4, all_live=True)
    assert not limits.stops(3, -8.0, 0.2)
    assert limits.stops(3, -8.0, 0.1)
    assert limits.stops(4, -8.0, 0.2)
    assert limits.stops(0, -8.0, 0.2, lives=False)
    assert not Limits().stops(10**6, -8.0, 0.0, lives=False)


def steps_of(goal, *, curve=CURVE):
    """Return how many points a climb passes."""
    run = run_of(ScriptedEngine(curve), 2)
    run.begin_leg(HERE)
    return len(list(Ascent(goal=goal, tol=2.0**-20)(run))), run


# Points are at -10, -9, -8.5, -8.25, ... and from the third on know what they have left.


@pytest.mark.parametrize(("goal", "steps"), [(-5.0, 3), (-7.4, 3), (-7.6, 4), (-7.8, 5)])
def test_a_climb_that_cannot_reach_its_goal_is_given_up(goal, steps):
    found, run = steps_of(goal)
    assert found == steps
    assert not run.converged


@pytest.mark.parametrize("goal", [-math.inf, -8.0])
def test_a_climb_that_can_reach_its_goal_goes_on_until_it_converges(goal):
    found, run = steps_of(goal)
    assert found == 22  # the gain is 2^-20 at the point -8 - 2^-20
    assert run.converged


def test_a_point_has_no_less_left_than_its_last_gain():
    # steps that shrink fast: Aitken's estimates are 0.1 / 9 and 1e-7, the last gains larger
    curve = [-10.0, -9.0, -8.9, -8.8999, -8.8999]
    run = run_of(ScriptedEngine(curve), 2)
    run.begin_leg(HERE)
    points = []
    for one in climb(run, HERE):
        points.append(one)
        if len(points) == 4:
            break
    assert [one.left for one in points[:2]] == [math.inf, pytest.approx(9999)]
    assert points[2].left == pytest.approx(0.1, rel=1e-12)
    assert points[3].left == pytest.approx(1e-4, rel=1e-9)


def test_the_objective_of_a_point_adds_the_prior_per_row():
    run = run_of(ScriptedEngine([-8.0], n_rows=100), 2, constraints=Leaning(slope=3.0))
    run.begin_leg(HERE)
    first = next(climb(run, HERE))
    assert first.objective == pytest.approx(-8.0 + 3.0 * 4.0 / 100, rel=1e-14)
    assert first.moments.mean_log_likelihood == -8.0
