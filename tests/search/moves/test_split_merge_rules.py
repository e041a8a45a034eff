"""Split-merge with scripted trials: what is undone, what is forgotten, what is not tried again."""

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from biglearn.engines import MemoryEngine
from biglearn.search.moves import SplitMerge, split_merge
from biglearn.search.surgery.cuts import Cut
from biglearn.search.surgery.local import Trial
from biglearn.search.surgery.memory import Failures
from biglearn.search.surgery.plans import Removal
from biglearn.search.tuning import Tuning
from scripted import ScriptedEngine, components_of, run_of

#: Six far clusters: every trial touches its own components and no others.
SIX = components_of(np.full(6, 1 / 6), [[20.0 * k, 0.0] for k in range(6)])

HALVES = components_of([0.5, 0.5], [[0.0, 1.0], [0.0, -1.0]])


def plan_of(lost, parent):
    return [(Removal(lost, None, 0.0), Cut(parent, HALVES, 0.0))]


@dataclass
class Script:
    """Stands in for surgery: the plans of every round are given, and what each gains.

    Parameters
    ----------
    plans : list of (lost, parent)
        In the order in which every round tries them.
    gains : dict of (lost, parent) to float
        0 if left out.
    neighbours : dict of int to set of int
        Further components that take part where one is touched.
    """

    plans: list
    gains: dict
    neighbours: dict

    def __post_init__(self):
        self.tried, self.rounds = [], 0

    def planned(self, removals, cuts, chances, known):
        self.rounds += 1
        self.chances = chances
        self.tried.append([])
        return iter([plan for one in self.plans if not known(plan := plan_of(*one))])

    def neighbourhood(self, rows, plan, tuning):
        ((removal, cut),) = plan
        touched = {removal.lost, cut.parent}
        for k in list(touched):
            touched |= self.neighbours.get(k, set())
        return sorted(touched)

    def theatre(self, run, components, rows, limits):
        return SimpleNamespace(trial=partial(self.trial, components))

    def trial(self, components, plan, active):
        ((removal, cut),) = plan
        key = removal.lost, cut.parent
        self.tried[-1].append(key)
        part = components.part(active)
        moved = part.replace(means=part.means + np.array([0.0, 1.0]))
        return Trial(active, moved, self.gains.get(key, 0.0))


@pytest.fixture
def scripted(monkeypatch, rng):
    """Return what runs split-merge by a script, given the objectives of all passes after it."""
    sample = MemoryEngine(SIX.means[rng.choice(6, 60)] + rng.normal(size=(60, 2)))

    def operate(plans, gains, values=(-1.0,), *, neighbours=None, before=-5.0, chances=3, **how):
        script = Script(plans, gains, neighbours or {})
        monkeypatch.setattr(split_merge, "plans", script.planned)
        monkeypatch.setattr(split_merge, "neighbourhood", script.neighbourhood)
        monkeypatch.setattr(split_merge, "Theatre", script.theatre)
        engine = ScriptedEngine([before, *values], sample=sample)
        run = run_of(engine, 6, tuning=Tuning(chances=chances))
        run.begin_leg(SIX)
        run.expect(SIX)
        script.records = list(SplitMerge(**how)(run))
        return script, run

    return operate


def test_a_join_that_lost_is_undone(scripted):
    script, run = scripted([(0, 1)], {(0, 1): 1.0}, values=[-6.0])
    assert run.components is SIX
    assert run.objective == -5.0
    assert [record.accepted for record in script.records] == [True, False]
    assert script.rounds == 1


def test_a_join_that_gained_nothing_is_undone(scripted):
    _, run = scripted([(0, 1)], {(0, 1): 1.0}, values=[-5.0])
    assert run.components is SIX
    assert run.objective == -5.0


def test_a_join_that_paid_stays(scripted):
    script, run = scripted([(0, 1)], {(0, 1): 1.0}, values=[-4.0, -4.0, -4.0, -3.0])
    assert run.objective > -5.0
    assert run.components.means[:, 1].round(12).tolist()[2:] == [0.0] * 4
    assert (run.components.means[:2, 1] >= 1.0 - 1e-12).all()
    assert script.records[1].accepted


def test_rounds_end_with_the_first_that_does_not_pay(scripted):
    # the first two joins gain, the third does not
    script, _ = scripted([(0, 1)], {(0, 1): 1.0}, values=[*[-4.0] * 4, *[-3.0] * 4, -3.0])
    assert script.rounds >= 2
    script, run = scripted([(0, 1)], {})
    assert script.rounds == 1
    assert run.components is SIX
    assert run.objective == -5.0


def test_failures_are_not_tried_again_while_their_components_stay(scripted):
    script, _ = scripted([(0, 1), (2, 3)], {(2, 3): 1.0}, values=[-4.0])
    assert script.tried[0] == [(0, 1), (2, 3)]
    assert script.tried[1] == [(2, 3)]


def test_failures_are_tried_again_where_a_success_changed_their_components(scripted):
    plans, gains = [(0, 1), (0, 4), (4, 5), (2, 3)], {(2, 3): 1.0}
    script, _ = scripted(plans, gains, values=[-4.0], neighbours={2: {1}})
    assert script.tried[0] == plans
    assert script.tried[1] == [(0, 1), (2, 3)]


def test_a_neighbour_that_changed_counts_as_well(scripted):
    # 5 took part in the failure of (0, 1), and 2 brings it along
    plans, neighbours = [(0, 1), (2, 3)], {0: {5}, 2: {5}}
    gains = {(2, 3): 1.0}
    script, _ = scripted(plans, gains, values=[-4.0], neighbours=neighbours)
    assert script.tried[1] == [(0, 1), (2, 3)]


def test_plans_that_touch_a_success_wait_for_the_next_round(scripted):
    plans = [(2, 3), (3, 4), (0, 1)]
    script, _ = scripted(plans, {(2, 3): 1.0}, values=[-4.0])
    assert script.tried[0] == [(2, 3), (0, 1)]
    assert script.tried[1] == [(2, 3)]


def test_plans_that_touch_a_failure_do_not_wait(scripted):
    script, _ = scripted([(2, 3), (3, 4)], {})
    assert script.tried == [[(2, 3), (3, 4)]]


def test_a_round_ends_after_so_many_failures_that_successes_do_not_count(scripted):
    plans = [(0, 1), (2, 3), (1, 0), (4, 5), (5, 4)]
    script, _ = scripted(plans, {(2, 3): 1.0}, values=[-6.0], trials=3)
    assert script.tried == [plans[:4]]


def test_plans_have_the_chances_that_the_run_allows(scripted):
    script, _ = scripted([(0, 1)], {}, chances=7)
    assert script.chances == 7


def test_no_more_than_tol_is_no_success(scripted):
    script, _ = scripted([(0, 1)], {(0, 1): 0.25}, tol=0.25)
    assert [record.accepted for record in script.records] == [False]
    script, _ = scripted([(0, 1)], {(0, 1): 0.25}, values=[-6.0], tol=0.2)
    assert script.records[0].accepted
    assert script.records[0].log_likelihood == -4.75


# Failures


def trial(*active):
    return Trial(np.array(active), None, 1.0)


def test_a_failure_is_known_by_the_whole_plan():
    failed = Failures()
    failed.add([(Removal(0, 1, 0.5), Cut(2, HALVES, 0.1))], {0, 1, 2})
    assert failed.knows([(Removal(0, 1, 9.0), Cut(2, HALVES, 9.0))])
    for removal, cut in [
        (Removal(0, None, 0.5), Cut(2, HALVES, 0.1)),
        (Removal(1, 0, 0.5), Cut(2, HALVES, 0.1)),
        (Removal(0, 1, 0.5), Cut(3, HALVES, 0.1)),
    ]:
        assert not failed.knows([(removal, cut)])


def test_failures_are_forgotten_where_their_components_changed_and_not_elsewhere():
    failed = Failures()
    failed.add(plan_of(0, 1), {0, 1, 5})
    failed.add(plan_of(2, 3), {2, 3})
    failed.forget({4})
    assert failed.knows(plan_of(0, 1))
    assert failed.knows(plan_of(2, 3))
    failed.forget({4, 5})
    assert not failed.knows(plan_of(0, 1))
    assert failed.knows(plan_of(2, 3))
