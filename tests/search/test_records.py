"""What a history adds up to."""

import math

import pytest

from biglearn import Record
from biglearn.search.records import summarise


def history(*steps):
    return [
        Record(i, move, best, best, True, i + 1, 0, 0, 0.1 * (i + 1))
        for i, (move, best) in enumerate(steps)
    ]


def test_gains_are_given_to_the_moves_that_made_them():
    steps = [("em", -3.0), ("em", -2.5), ("split-merge", -2.0), ("em", -2.0)]
    em, surgery = summarise(history(*steps))
    assert (em.move, em.steps, em.gain, em.passes) == ("em", 3, 0.5, 3)
    assert (surgery.steps, surgery.gain) == (1, 0.5)


@pytest.mark.parametrize("unknown", [-math.inf, math.nan])
def test_what_is_added_to_nothing_is_no_gain(unknown):
    start, em = summarise(history(("start", unknown), ("em", -3.0), ("em", -2.0)))
    assert start.gain == 0
    assert em.gain == 1.0
