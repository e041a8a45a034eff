"""Legs by name and as objects."""

from dataclasses import dataclass

import numpy as np
import pytest

from biglearn import GaussianMixture, Search
from biglearn.search.legs import LEGS, DisturbLeg, RestartLeg, leg_of
from biglearn.search.moves import Jump, Restart
from helpers import blobs, make_run, random_mixture


def test_a_leg_comes_by_name_or_is_one_already():
    assert [leg_of(name).name for name in LEGS] == list(LEGS)
    leg = DisturbLeg("mine", lift="block")
    assert leg_of(leg) is leg
    for wrong in ("magic", 3, object(), DisturbLeg):
        with pytest.raises(ValueError, match=r"legs must be some of \['restart'.*or Leg objects"):
            leg_of(wrong)
    with pytest.raises(ValueError, match="legs must begin with a fresh start"):
        Search(legs=("disturb",))
    with pytest.raises(ValueError, match="legs must have different names"):
        Search(legs=("restart", RestartLeg()))


def test_disturbances_begin_at_the_best(rng):
    X, start = blobs(rng, 100, 3), random_mixture(rng, 2, 3)
    run = make_run(X, 2)
    assert list(DisturbLeg().moves(run)) == []  # there is none yet
    run.begin_leg(start)
    run.expect(start)
    jump, *matchings = DisturbLeg().moves(run)
    assert isinstance(jump, Jump)
    assert jump.components is start
    assert 1 <= len(matchings) <= 3
    assert {matching.lift for matching in matchings} == {"regression"}


def test_a_leg_of_the_users_own_takes_its_turn(rng):
    begun = []

    @dataclass(frozen=True)
    class Mine:
        name: str = "mine"
        fresh: bool = True

        def moves(self, run):
            begun.append(run.n_legs)
            yield Restart()

    search = Search(legs=("restart", Mine()), chance=0.0, effort=30)
    model = GaussianMixture(3, method=search, random_state=0).fit(blobs(rng, 200, 2))
    assert begun[0] == 1  # after the first of the other
    assert np.isfinite(model.lower_bound_)
