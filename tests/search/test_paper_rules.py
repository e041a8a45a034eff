"""From where the published chain climbs: the test stands in for its moves."""

import numpy as np
import pytest

from biglearn.model.lifts import regression_gain
from biglearn.search.moves import Ascent, Jump, Matching, Restart
from biglearn.search.paper import Paper
from scripted import Clock, ScriptedEngine, components_of, played, run_of

START, CLIMBED, FIRST, SECOND, THIRD = (
    components_of([0.5, 0.5], [[x, 0.0], [x, 4.0]]) for x in range(5)
)
VALUES = {START: -9.0, CLIMBED: -1.0, FIRST: -5.0, SECOND: -3.0, THIRD: -4.0}


class Chain:
    """Stands in for the moves: the start, its climb, and a chain that passes three points."""

    def __init__(self, run):
        self.run = run
        self.points = iter([FIRST, SECOND, THIRD])

    def __call__(self, move):
        if isinstance(move, Jump):
            assert list(move(self.run)) == []
        elif isinstance(move, Restart):
            self.run.begin_leg(START)
        elif isinstance(move, Ascent) and move.name == "em":
            self.go_to(CLIMBED)
        elif isinstance(move, Matching):
            self.go_to(next(self.points))

    def go_to(self, components):
        self.run.components = components
        self.run.expect(components)


@pytest.fixture
def run():
    return run_of(ScriptedEngine(VALUES.get), 2)


def test_the_polish_starts_from_the_best_point_of_the_chain_and_then_from_its_last(run):
    moves = played(Paper(steps=3), run, Chain(run))
    names = [type(move).__name__ for move in moves]
    assert names == ["Restart", "Ascent", "Jump", *["Matching"] * 3, *["Jump", "Ascent"] * 2]
    jumps = [move.components for move in moves if isinstance(move, Jump)]
    # the climb from the start is better than the whole chain, and no point of it
    assert jumps == [START, SECOND, THIRD]
    assert [move.name for move in moves if isinstance(move, Ascent)] == ["em", "polish", "polish"]
    assert run.best is CLIMBED


def test_without_a_polish_there_is_nothing_but_the_chain(run):
    moves = played(Paper(steps=3, polish=False), run, Chain(run))
    assert [type(move).__name__ for move in moves] == ["Restart", *["Matching"] * 3]
    assert not Paper(polish=False).keeps_best


def test_the_polish_keeps_its_share_of_the_time(run):
    clock = Clock()
    run = run_of(ScriptedEngine(VALUES.get), 2, max_time=100.0, clock=clock)
    chain = Chain(run)

    def act(move):
        chain(move)
        if isinstance(move, Matching):
            clock.now += 50.0

    moves = played(Paper(steps=3), run, act)
    assert sum(isinstance(move, Matching) for move in moves) == 2  # it is 100 s then
    assert isinstance(moves[-1], Ascent)


def test_a_lift_may_be_a_function(run):
    moves = played(Paper(steps=3, lift=regression_gain), run, Chain(run))
    assert {move.lift for move in moves if isinstance(move, Matching)} == {regression_gain}


def test_the_pseudo_count_follows_the_outer_step(run):
    paper = Paper(steps=3, pseudo_count=lambda step: float(np.exp2(-step)))
    moves = played(paper, run, Chain(run))
    counts = [move.pseudo_count for move in moves if isinstance(move, Matching)]
    assert counts == [1.0, 0.5, 0.25]
