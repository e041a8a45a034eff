"""Some of the cases that `python -m tests.fuzz` makes by the thousand."""

import pytest

from .cases import case_of
from .invariants import check

#: Seeds whose fits take a second at most.
SEEDS = range(40_000, 40_060)


@pytest.mark.parametrize("first", SEEDS[::20])
def test_hostile_fits_are_refused_with_a_sentence_or_sound(first):
    for seed in range(first, first + 20):
        outcome = check(case_of(seed))
        faults = [fault for fault in outcome.faults if not fault.startswith("slow")]
        assert not faults, f"python -m tests.fuzz --only {seed}: {outcome.case}"


@pytest.mark.parametrize("seed", [50_480, 50_882, 51_013, 51_016])
def test_covariances_beyond_floats_are_refused_with_a_sentence(seed):
    outcome = check(case_of(seed))
    assert not outcome.faults
    assert "left the range of float64" in str(outcome.refusal)


def test_the_checks_see_an_error_of_others():
    case = case_of(1)
    case.params["callback"] = lambda record: [][0]
    assert check(case).faults[0].startswith("undocumented error: IndexError")
