"""The portfolio of a search: every kind has its turn, then what pays, until little can be hoped."""

from collections import Counter

import numpy as np
import pytest

from biglearn.search.legs import leg_of
from biglearn.search.portfolio import Portfolio
from biglearn.search.stands import LegSummary, Outlook

KINDS = ["restart", "subspace", "disturb"]
LEGS = [leg_of(kind) for kind in KINDS]


def told(*legs):
    """Return a portfolio that has seen legs (kind, improved, cost)."""
    portfolio, best = Portfolio(LEGS), -10.0
    for kind, improved, cost in legs:
        portfolio.tell(leg_of(kind), best + 1.0 if improved else best - 1.0, best, cost=cost)
        best += improved
    return portfolio


def draws(portfolio, rng, n=2000):
    return Counter(portfolio.choose(rng).name for _ in range(n))


def test_every_kind_has_a_turn_first(rng):
    portfolio, seen = Portfolio(LEGS), []
    for _ in KINDS:
        seen.append(portfolio.choose(rng))
        portfolio.tell(seen[-1], -1.0, -1.0, cost=10.0)
    assert seen == LEGS


def test_of_the_fresh_starts_the_one_that_paid_is_drawn_more_often(rng):
    legs = [("restart", True, 10.0), ("subspace", False, 10.0)] * 2
    counts = draws(told(*legs, ("disturb", False, 1000.0)), rng)  # their side is behind in cost
    assert counts["restart"] > 2 * counts["subspace"] > 0


def test_of_two_that_paid_alike_the_cheaper_is_drawn(rng):
    legs = [("restart", True, 50.0), ("subspace", True, 5.0)] * 2
    counts = draws(told(*legs, ("disturb", False, 1000.0)), rng)
    assert counts["subspace"] > 2 * counts["restart"] > 0


def test_starts_and_disturbances_come_to_share_the_cost(rng):
    portfolio, spent = Portfolio(LEGS), Counter()
    cost = {"restart": 30.0, "subspace": 20.0, "disturb": 5.0}
    for leg in range(300):
        kind = portfolio.choose(rng).name
        portfolio.tell(leg_of(kind), -10.0 + leg * (kind == "disturb"), -10.0, cost=cost[kind])
        spent[kind] += cost[kind]
    assert spent["disturb"] == pytest.approx(spent["restart"] + spent["subspace"], abs=30)


def test_hope_fades_with_every_failure_and_comes_back_with_a_gain():
    hopes = [told(*[("disturb", False, 1.0)] * n).chance_of_gain for n in range(8)]
    assert hopes == sorted(hopes, reverse=True)
    assert len(set(hopes)) == len(hopes)
    assert 0 < min(hopes) <= max(hopes) <= 1
    gained = told(*[("disturb", False, 1.0)] * 7, ("restart", True, 1.0))
    assert gained.chance_of_gain == max(hopes)


@pytest.mark.parametrize("kind", KINDS)
def test_finding_the_best_again_says_more_than_a_failure_if_the_start_was_fresh(kind):
    again, failed = told(("restart", True, 1.0)), told(("restart", True, 1.0))
    again.tell(leg_of(kind), -9.0, -9.0, cost=1.0)
    failed.tell(leg_of(kind), -12.0, -9.0, cost=1.0)
    if kind == "disturb":  # it began at the best
        assert again.chance_of_gain == failed.chance_of_gain
    else:
        assert again.chance_of_gain == pytest.approx(failed.chance_of_gain / 2)


def test_what_differs_by_rounding_is_no_gain():
    portfolio = told(("restart", True, 1.0))
    before = portfolio.chance_of_gain
    portfolio.tell(leg_of("restart"), -9.0 + 1e-9, -9.0, cost=1.0)
    assert portfolio.chance_of_gain < before


def test_it_follows_its_source_of_randomness():
    portfolio = told(*[(kind, True, 3.0) for kind in KINDS])
    one, other = (
        [portfolio.choose(rng) for _ in range(20)] for rng in map(np.random.default_rng, (5, 5))
    )
    assert one == other


def test_the_outlook_counts_legs_since_the_best_and_how_often_it_was_found_again():
    portfolio = Portfolio(LEGS)
    assert portfolio.outlook == Outlook(0, 0, 0, 0.5)
    for leg, reached in [("restart", -1.0), ("disturb", -2.0), ("restart", -1.0)]:
        portfolio.tell(leg_of(leg), reached, -1.0 if portfolio.count else -9.0, cost=1.0)
    assert portfolio.outlook == Outlook(3, 2, 1, 0.5 / 4)
    assert str(portfolio.outlook) == (
        "3 legs, 2 since the best, to which 1 fresh starts came again; "
        "chance that one more improves it: 12 %"
    )


def test_gains_by_leg_add_up_to_the_rise_after_the_first():
    first, second = leg_of("restart"), leg_of("disturb")
    portfolio = Portfolio([first, second])
    for leg, reached, best, cost in [
        (first, -3.0, -np.inf, 5.0),
        (second, -2.5, -3.0, 7.0),
        (first, -2.5, -2.5, 2.0),
        (second, -2.25, -2.5, 1.0),
    ]:
        portfolio.tell(leg, reached, best, cost)
    assert portfolio.outlook.by_leg == (
        LegSummary("restart", times=2, wins=1, gain=0.0, passes=7.0),
        LegSummary("disturb", times=2, wins=2, gain=0.75, passes=8.0),
    )
