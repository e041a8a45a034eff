"""The path through K: how its candidates are judged."""

import math

import pytest

from biglearn.search.path import Candidate, preferred


def candidate(n_components, bic, *, supported=True):
    return Candidate(
        covariance_type="full",
        n_components=n_components,
        log_likelihood=-1.0,
        n_parameters=6 * n_components - 1,
        bic=bic,
        aic=-bic,
        icl=bic,
        heldout=-bic,
        converged=True,
        passes=1,
        supported=supported,
    )


def test_what_is_better_where_it_is_higher_counts_by_its_negative():
    assert candidate(1, 5.0).loss("bic") == candidate(1, 5.0).loss("heldout") == 5.0
    assert candidate(1, 5.0).loss("aic") == -5.0


def test_the_lowest_is_preferred_among_those_with_rows_enough():
    found = [(candidate(1, 5.0), "one"), (candidate(2, 4.0), "two"),
             (candidate(3, -9.0, supported=False), "three")]  # fmt: skip
    assert found[2][0].loss("bic") == math.inf
    assert preferred(found, "bic")[1] == "two"
    assert preferred(found, "aic")[1] == "one"


@pytest.mark.parametrize("order", [1, -1])
def test_the_smallest_model_is_preferred_where_none_has_rows_enough(order):
    found = [(candidate(k, -k, supported=False), k) for k in (2, 1, 3)][::order]
    assert preferred(found, "bic")[1] == 1
