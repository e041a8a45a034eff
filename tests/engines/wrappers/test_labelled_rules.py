"""Whose component a label gets, where two want the same one."""

import numpy as np
import pytest

from biglearn.engines import MemoryEngine
from biglearn.engines.wrappers.labelled import LabelledEngine
from scripted import components_of

#: Rows labelled 0 are at NEAR, those labelled 1 beyond it, so that each alone wants NEAR:
#: by 12.5 and by 17.5 in log-likelihood per row.
FAR, NEAR, BEYOND = 0.0, 5.0, 6.0


def labelled(n_first, n_second):
    groups = [np.full((n_first, 1), NEAR), np.full((n_second, 1), BEYOND)]
    known = {k: MemoryEngine(rows) for k, rows in enumerate(groups)}
    return LabelledEngine(MemoryEngine(np.concatenate(groups)), None, known)


@pytest.mark.parametrize(
    ("counts", "first"), [((50, 2), NEAR), ((2, 50), FAR), ((8, 5), NEAR), ((5, 5), FAR)]
)
def test_a_label_of_many_rows_wins_over_one_of_few(counts, first):
    # 12.5 n_first against 17.5 n_second
    for means in ([FAR, NEAR], [NEAR, FAR]):
        found = labelled(*counts).align(components_of([0.5, 0.5], means))
        assert found.means[0, 0] == first


def test_weights_of_rows_count_as_rows_do():
    groups = {
        0: MemoryEngine(np.full((2, 1), NEAR), weights=np.full(2, 25.0)),
        1: MemoryEngine(np.full((2, 1), BEYOND)),
    }
    engine = LabelledEngine(MemoryEngine(np.full((4, 1), NEAR)), None, groups)
    assert engine.align(components_of([0.5, 0.5], [FAR, NEAR])).means[0, 0] == NEAR


def test_components_that_suit_their_labels_stay_the_same_object():
    components = components_of([0.5, 0.5], [NEAR, FAR])
    assert labelled(50, 2).align(components) is components


def test_the_weights_of_components_count_too():
    # both labels lie between two equal components: the one with more rows takes the heavier
    groups = {0: MemoryEngine(np.zeros((3, 1))), 1: MemoryEngine(np.zeros((9, 1)))}
    engine = LabelledEngine(MemoryEngine(np.zeros((12, 1))), None, groups)
    found = engine.align(components_of([0.8, 0.2], [-1.0, 1.0]))
    assert found.weights.tolist() == [0.2, 0.8]


def test_held_components_keep_their_places():
    held = np.array([True, False])
    components = components_of([0.5, 0.5], [FAR, NEAR])
    assert labelled(50, 2).align(components, held) is components
