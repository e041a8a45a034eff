"""Which fit of the path through K is preferred."""

import math

import pytest

from biglearn.search.path import CRITERIA, Candidate, preferred


def candidate(size, *, supported=True, value=0.0):
    """Return a candidate for which every criterion has the same value."""
    return Candidate(
        covariance_type="full",
        n_components=size,
        log_likelihood=0.0,
        n_parameters=10 * size,
        bic=value,
        aic=value,
        icl=value,
        heldout=value,
        converged=True,
        passes=1,
        supported=supported,
    )


def chosen(criterion, *candidates):
    return preferred([(one, None) for one in candidates], criterion)[0].n_components


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl"])
def test_an_information_criterion_is_better_where_it_is_lower(criterion):
    low, high = candidate(1, value=-5.0), candidate(2, value=-4.0)
    assert low.loss(criterion) < high.loss(criterion)
    assert chosen(criterion, high, low) == 1


def test_the_likelihood_of_held_out_rows_is_better_where_it_is_higher():
    low, high = candidate(1, value=-5.0), candidate(2, value=-4.0)
    assert high.loss("heldout") < low.loss("heldout")
    assert chosen("heldout", low, high) == 2


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_fit_without_support_is_passed_over(criterion):
    better = -1.0 if criterion != "heldout" else 1.0
    alone = candidate(3, value=2 * better, supported=False)
    assert alone.loss(criterion) == math.inf
    assert chosen(criterion, alone, candidate(2, value=better)) == 2


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_smallest_model_wins_where_nothing_else_decides(criterion):
    assert chosen(criterion, candidate(3), candidate(2), candidate(4)) == 2
    unsupported = [candidate(k, supported=False, value=-k) for k in (3, 2, 4)]
    assert chosen(criterion, *unsupported) == 2
