"""When a search has looked long enough."""

import pytest

from biglearn.search.portfolio import Portfolio
from scripted import ScriptedLeg

FRESH, NEAR = ScriptedLeg("fresh"), ScriptedLeg("near", fresh=False)


@pytest.fixture
def portfolio():
    portfolio = Portfolio([FRESH, NEAR], same=0.01)
    portfolio.tell(FRESH, reached=-1.0, best=-2.0, cost=10.0)
    return portfolio


def test_the_chance_of_a_gain_after_m_failures_is_one_in_m_plus_two(portfolio):
    assert portfolio.chance_of_gain == 1 / 2
    for failures in range(1, 5):
        portfolio.tell(FRESH, reached=-5.0, best=-1.0, cost=10.0)
        assert portfolio.chance_of_gain == 1 / (failures + 2)


def test_a_fresh_start_that_finds_the_best_again_halves_the_chance(portfolio):
    portfolio.tell(FRESH, reached=-1.009, best=-1.0, cost=10.0)
    assert portfolio.chance_of_gain == 0.5 / 3
    portfolio.tell(FRESH, reached=-0.991, best=-1.0, cost=10.0)
    assert portfolio.chance_of_gain == 0.25 / 4
    portfolio.tell(FRESH, reached=-1.011, best=-1.0, cost=10.0)
    assert portfolio.chance_of_gain == 0.25 / 5


def test_a_leg_from_the_best_that_returns_to_it_says_nothing_of_other_optima(portfolio):
    portfolio.tell(NEAR, reached=-1.0, best=-1.0, cost=10.0)
    assert portfolio.chance_of_gain == 1 / 3


def test_a_gain_makes_the_search_hope_again(portfolio):
    for _ in range(3):
        portfolio.tell(FRESH, reached=-1.0, best=-1.0, cost=10.0)
    portfolio.tell(NEAR, reached=-0.5, best=-1.0, cost=10.0)
    assert portfolio.chance_of_gain == 1 / 2
