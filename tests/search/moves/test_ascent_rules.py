"""When a climb is given up, on curves that a script gives."""

import math

import pytest

from biglearn.search.moves import Ascent
from biglearn.search.moves.ascent import Point, climb
from scripted import Leaning, ScriptedEngine, components_of, run_of

HERE = components_of([0.5, 0.5], [[0.0, 0.0], [0.0, 4.0]])

#: Halves the way to -8 with every step: what is left is its last gain.
CURVE = [-8.0 - 2.0**-step for step in range(-1, 40)]


def point(objective, left):
    return Point(HERE, objective, None, left)


def test_a_point_can_reach_twice_what_it_has_left_and_no_more():
    assert point(-8.5, 0.5).can_reach(-7.5)
    assert not point(-8.5, 0.5).can_reach(-7.4999)
    assert point(-8.5, 0.5).can_reach(-7.0, hope=3.0)
    assert not point(-8.5, 0.5).can_reach(-7.5, hope=1.0)


def test_a_point_of_which_nothing_is_known_can_reach_everything():
    assert point(-8.5, math.inf).can_reach(1e9)
    assert point(-math.inf, math.inf).can_reach(math.inf)
    assert point(-8.5, 0.0).can_reach(-math.inf)


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
    assert [one.left for one in points[:2]] == [math.inf, math.inf]
    assert points[2].left == pytest.approx(0.1, rel=1e-12)
    assert points[3].left == pytest.approx(1e-4, rel=1e-9)


def test_the_objective_of_a_point_adds_the_prior_per_row():
    run = run_of(ScriptedEngine([-8.0], n_rows=100), 2, constraints=Leaning(slope=3.0))
    run.begin_leg(HERE)
    first = next(climb(run, HERE))
    assert first.objective == pytest.approx(-8.0 + 3.0 * 4.0 / 100, rel=1e-14)
    assert first.moments.mean_log_likelihood == -8.0
