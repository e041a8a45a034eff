"""What surgery remembers: only what concerns components that stayed as they were."""

from biglearn.search.surgery.cuts import Cut
from biglearn.search.surgery.memory import Failures, Memory, same_places
from biglearn.search.surgery.plans import Removal
from scripted import components_of

HALVES = components_of([0.5, 0.5], [[0, 1], [0, -1]])
OLD = components_of([0.2, 0.3, 0.5], [[0, 0], [5, 0], [9, 9]])


def a_plan(lost, partner, parent):
    return [(Removal(lost, partner, 0.0), Cut(parent, HALVES, 0.0))]


def remembered(*plans):
    memory, failures = Memory(), Failures()
    for plan in plans:
        ((removal, cut),) = plan
        failures.add(plan, removal.touched | {cut.parent})
    memory.keep(OLD, {k: Cut(k, HALVES, float(k)) for k in range(3)}, failures)
    return memory


def test_components_are_found_in_their_new_places():
    assert same_places(OLD, OLD.part([2, 0, 1])) == {0: 1, 1: 2, 2: 0}


def test_a_component_that_moved_grew_or_spread_is_another():
    new = components_of([0.25, 0.3, 0.45], [[0, 0], [5, 0.2], [9, 9]])
    assert same_places(OLD, new) == {}
    wider = OLD.replace(covariances=1.2 * OLD.covariances)
    assert same_places(OLD, wider) == {}


def test_cuts_and_failures_follow_their_components():
    memory = remembered(a_plan(0, 1, 2), a_plan(1, None, 0))
    cuts, failures = memory.recall(OLD.part([2, 0, 1]))
    assert {k: cut.gain for k, cut in cuts.items()} == {1: 0.0, 2: 1.0, 0: 2.0}
    assert all(cut.parent == k for k, cut in cuts.items())
    assert failures.knows(a_plan(1, 2, 0))
    assert failures.knows(a_plan(2, None, 1))
    assert not failures.knows(a_plan(0, 1, 2))


def test_a_failure_with_a_component_that_changed_is_forgotten():
    memory = remembered(a_plan(0, 1, 2), a_plan(1, None, 0))
    changed = components_of([0.2, 0.3, 0.5], [[0, 0], [5, 0], [4, 9]])
    cuts, failures = memory.recall(changed)
    assert sorted(cuts) == [0, 1]
    assert not failures.knows(a_plan(0, 1, 2))
    assert failures.knows(a_plan(1, None, 0))


def test_the_mixture_with_most_in_common_is_recalled():
    memory = remembered(a_plan(0, None, 1))
    memory.keep(components_of([0.2, 0.8], [[0, 0], [1, 1]]), {}, Failures())
    assert memory.recall(OLD)[1].knows(a_plan(0, None, 1))
