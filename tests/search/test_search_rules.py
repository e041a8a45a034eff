"""When the search ends, and which legs it gives up: the test stands in for its moves."""

import itertools

import numpy as np
import pytest

from biglearn import GaussianMixture
from biglearn.engines import MemoryEngine
from biglearn.search.legs import LEGS, RestartLeg, SubspaceLeg
from biglearn.search.moves import Ascent, SplitMerge
from biglearn.search.moves.subspace import SubspaceStart
from biglearn.search.portfolio import Portfolio
from biglearn.search.search import Search
from biglearn.search.starts.centres import CENTRE_STARTS
from biglearn.search.tuning import Tuning
from helpers import blobs
from scripted import Begin, ScriptedEngine, ScriptedLeg, played, run_of

ONE = (ScriptedLeg(),)


class Script:
    """Stands in for the moves: every leg climbs to its value, and surgery adds to that."""

    def __init__(self, run, *, climbs=(0.0,), surgery=(0.0,), cost=10.0, others_cost=0.0):
        self.run, self.cost, self.others_cost = run, cost, others_cost
        self.climbs = itertools.chain(climbs, itertools.repeat(climbs[-1]))
        self.surgery = itertools.chain(surgery, itertools.repeat(surgery[-1]))
        self.n_legs, self.polished, self.goals = 0, [], []

    def __call__(self, move):
        run = self.run
        if isinstance(move, Ascent) and move.name == "em":
            self.n_legs += 1
            run.counters.passes += self.cost
            run.objective = next(self.climbs)
        elif isinstance(move, SplitMerge):
            run.counters.passes += self.others_cost
            run.objective += next(self.surgery)
        elif isinstance(move, Ascent):
            self.polished.append(self.n_legs - 1)
            self.goals.append(move.goal)
        run.best_objective = max(run.best_objective, run.objective)


def play(search, *, run=None, most=10_000, **script):
    run = run or run_of(ScriptedEngine())
    script = Script(run, **script)
    moves = played(search, run, script, most=most)
    return script, moves


def unending(**changes):
    """Return a search that neither chance nor effort ends early."""
    return Search(**{"legs": ONE, "chance": 0.0, "effort": 1e9, **changes})


def test_a_leg_further_behind_than_surgery_ever_caught_up_is_not_polished():
    # surgery once caught up 1; then legs end at 1.25 and at 0.75 below the best
    climbs, surgery = [-10.0, -10.5, -10.0, -10.25], [1.0, 0.25, 0.25, 0.0]
    script, _ = play(unending(), climbs=climbs, surgery=surgery, most=100)
    assert [leg for leg in script.polished if leg < 4] == [0, 2]


def test_a_leg_as_far_behind_as_surgery_ever_caught_up_is_polished():
    script, _ = play(unending(), climbs=[-10.0, -10.0], surgery=[1.0, 0.0], most=20)
    assert 1 in script.polished


def test_what_surgery_catches_up_in_any_leg_counts_for_later_ones():
    climbs, surgery = [-10.0, -13.0, -12.5, -12.5], [1.0, 2.0, 0.0, 0.0]
    script, _ = play(unending(), climbs=climbs, surgery=surgery, most=20)
    # the best is -9: leg 1 ends at -11, given up; leg 2 at -12.5, and surgery caught up only 2
    assert script.polished == [0]
    script, _ = play(unending(), climbs=[*climbs[:2], -11.0, -11.5], surgery=surgery, most=15)
    assert script.polished == [0, 2]


def test_the_polish_is_given_up_where_it_cannot_come_back_to_the_best():
    search = unending(tuning=Tuning(same=0.25))
    script, _ = play(search, climbs=[-10.0, -10.0], surgery=[1.0, 0.5], most=8)
    assert script.goals == [-np.inf, -9.25]


def test_the_effort_bounds_the_passes_by_those_of_the_first_climb():
    # five times a climb of 10 passes: a sixth leg of 10 would exceed 50
    script, _ = play(Search(legs=ONE, chance=0.0, effort=5.0))
    assert script.n_legs == 5


def test_what_comes_after_the_first_climb_costs_but_allows_nothing():
    # legs of 10 + 10 passes: after two, a third would exceed 50
    script, _ = play(Search(legs=ONE, chance=0.0, effort=5.0), others_cost=10.0)
    assert script.n_legs == 2


def test_surgery_ends_where_the_allowance_is_spent(rng):
    run = run_of(MemoryEngine(blobs(rng, 300, 2, n_components=8)), 8)
    moves = []

    def watch(move):
        moves.append(move)
        if isinstance(move, SplitMerge):
            assert run.allowance < np.inf
            run.counters.passes = run.allowance + 1  # as if it had been spent before
            records = list(move(run))
            assert len([one for one in records if one.move == "split-merge"]) <= 2
        else:
            list(move(run))

    run.start = CENTRE_STARTS["k-means++"]
    played(Search(legs=("restart",), effort=5.0), run, watch, most=50)
    assert any(isinstance(move, SplitMerge) for move in moves)


def test_a_search_says_what_more_time_might_bring(rng):
    X = blobs(rng, 400, 2, n_components=4)
    model = GaussianMixture(4, random_state=0).fit(X)
    outlook = model.outlook_
    assert outlook.legs >= 1
    assert 0 < outlook.chance_of_gain <= 0.5
    more = GaussianMixture(4, random_state=0, method=Search(effort=100)).fit(X)
    assert more.outlook_.legs > outlook.legs
    assert GaussianMixture(4, method="em", random_state=0).fit(X).outlook_ is None


def test_every_start_has_an_allowance_of_its_own():
    run = run_of(ScriptedEngine(), n_init=2)
    script, _ = play(Search(legs=ONE, chance=0.0, effort=5.0), run=run)
    assert script.n_legs == 10


@pytest.mark.parametrize(
    ("n_components", "n_rows", "n_legs"), [(2, 1000, 3), (3, 99, 3), (3, 100, 6)]
)
def test_few_optima_have_a_small_allowance(n_components, n_rows, n_legs):
    run = run_of(ScriptedEngine(n_rows=n_rows), n_components)
    search = Search(legs=ONE, chance=0.0, effort=6.0, tuning=Tuning(small_effort=3.0))
    script, moves = play(search, run=run)
    assert script.n_legs == n_legs
    assert any(isinstance(move, SplitMerge) for move in moves) is (n_legs == 6)


def test_with_a_time_budget_neither_effort_nor_chance_ends_the_search():
    run = run_of(ScriptedEngine(), max_time=1e9)
    script, moves = play(Search(legs=ONE, chance=0.5, effort=1.0), run=run, most=400)
    assert len(moves) == 400
    assert script.n_legs == 100


def test_the_search_ends_where_the_chance_of_a_gain_is_too_low():
    # the first leg gains; m later ones that end elsewhere leave 1/(m + 2)
    script, _ = play(Search(legs=ONE, chance=0.15, effort=1e9), climbs=[0.0, -5.0])
    assert script.n_legs == 6  # 1/6 is not below 0.15, and 1/7 is


def test_one_component_has_one_climb():
    run = run_of(ScriptedEngine(), 1)
    script, moves = play(unending(), run=run)
    assert script.n_legs == 1
    assert [type(move) for move in moves] == [Begin, Ascent]


def test_sizes_of_views_take_turns():
    run = run_of(ScriptedEngine(n_features=3))
    _, moves = play(unending(legs=("subspace",)), run=run, most=20)
    sizes = [move.size for move in moves if isinstance(move, SubspaceStart)]
    assert sizes == [2, 1, 3, 2, 1]


def test_the_search_hands_its_sizes_to_the_subspace_leg_but_leaves_others_theirs():
    run = run_of(ScriptedEngine(n_features=3))
    legs = ("subspace", SubspaceLeg(sizes=(1,), name="single"))
    _, moves = play(unending(legs=legs, sizes=(3, 2)), run=run, most=8)
    assert [move.size for move in moves if isinstance(move, SubspaceStart)] == [3, 1]


def test_views_are_no_larger_than_the_rows():
    run = run_of(ScriptedEngine(n_features=2))
    assert [move.size for move in SubspaceLeg(sizes=(5,)).moves(run)] == [2]


def test_a_leg_object_is_run_in_its_turn():
    legs = (ScriptedLeg("mine"), "restart", ScriptedLeg("other", fresh=False))
    _, moves = play(unending(legs=legs), most=12)
    turns = [move for move in moves if not isinstance(move, Ascent | SplitMerge)]
    assert turns[0] == Begin("mine")
    assert turns[2] == Begin("other")


def test_a_leg_object_is_run_in_a_fit(rng):
    method = Search(legs=(ScriptedLeg("mine"),), effort=1)
    model = GaussianMixture(2, method=method, random_state=0, max_iter=500)
    model.fit(np.concatenate([rng.normal(size=(80, 2)), rng.normal(size=(80, 2)) + 9]))
    assert model.history_[0].move == "mine"
    assert model.converged_


@pytest.mark.parametrize("legs", [("disturb",), (ScriptedLeg(fresh=False), "restart"), ()])
def test_legs_must_begin_with_a_fresh_one(legs):
    with pytest.raises(ValueError, match="must begin with a fresh start"):
        Search(legs=legs)


def test_legs_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"different names, got \['restart', 'restart'\]"):
        Search(legs=("restart", ScriptedLeg("restart")))


@pytest.mark.parametrize("wrong", ["jump", RestartLeg.moves, 3, None])
def test_what_is_no_leg_is_refused(wrong):
    with pytest.raises(ValueError, match=r"legs must be some of .* or Leg objects, got"):
        Search(legs=("restart", wrong))


def test_every_named_leg_knows_its_name():
    assert {name: leg.name for name, leg in LEGS.items()} == {name: name for name in LEGS}


def test_a_budget_that_ends_within_a_start_leaves_a_model(rng):
    X = blobs(rng, 300, 4)
    search = Search(legs=("subspace", "restart"))
    model = GaussianMixture(3, method=search, max_time=1e-6, random_state=0).fit(X)
    assert np.isfinite(model.lower_bound_)


def test_sizes_change_the_named_leg_and_no_object():
    mine = SubspaceLeg((4,), name="mine")
    search = Search(legs=("subspace", mine), sizes=(1,))
    found = []

    class Peeked(Portfolio):
        def __init__(self, legs, **more):
            found.extend(legs)
            super().__init__(legs, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("biglearn.search.search.Portfolio", Peeked)
        next(search.schedule(run_of(ScriptedEngine(), 3)))
    assert found == [SubspaceLeg((1,)), mine]
