"""Surgery: which component goes, how often a plan is tried, and what the prior adds."""

from collections import Counter

import numpy as np
import pytest

from biglearn.engines import MemoryEngine
from biglearn.model.constraints import Constraints
from biglearn.model.m_step import m_step
from biglearn.search.surgery import plans as surgery
from biglearn.search.surgery.cuts import Cut, find_cuts
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.surgery.plans import (
    Removal,
    merge,
    merge_costs,
    plans,
    removals,
)
from biglearn.search.tuning import Tuning
from scripted import Leaning, components_of, run_of


def judged(run, components):
    return JudgedRows.of(run, components)


@pytest.fixture
def X(rng):
    centres = np.array([[0.0, 0.0], [0.0, 0.5], [6.0, 0.0], [6.0, 6.0]])
    return np.repeat(centres, 40, axis=0) + rng.normal(size=(160, 2))


@pytest.fixture
def four():
    return components_of([0.2, 0.3, 0.35, 0.15], [[0, 0], [0, 0.5], [6, 0], [6, 6]])


# Removals


@pytest.mark.parametrize("weights", [[0.2, 0.3], [0.3, 0.2]])
def test_the_lighter_of_a_pair_is_given_up(rng, weights):
    twins = components_of([*weights, 0.5], [[0, 0], [0.1, 0], [9, 9]])
    X = np.repeat(twins.means, [40, 40, 80], axis=0) + rng.normal(size=(160, 2))
    run = run_of(MemoryEngine(X), 3)
    cheapest = removals(run.constraints, twins, judged(run, twins))[0]
    lighter = int(np.argmin(weights))
    assert (cheapest.lost, cheapest.partner) == (lighter, 1 - lighter)


def test_a_component_is_given_up_in_its_cheapest_way(X, four):
    run = run_of(MemoryEngine(X), 4)
    found = removals(run.constraints, four, judged(run, four))
    assert sorted(one.lost for one in found) == [0, 1, 2, 3]
    assert [one.cost for one in found] == sorted(one.cost for one in found)
    costs = {(i, j): cost for i, j, cost in merge_costs(run.constraints, four, judged(run, four))}
    for one in found:
        merges = [
            cost + judged(run, four).entropy(*pair)
            for pair, cost in costs.items()
            if one.lost == min(pair, key=lambda k: four.weights[k])
        ]
        assert one.cost <= min(merges, default=np.inf)


# Plans


def test_no_cut_and_no_removal_is_tried_more_often_than_it_has_chances():
    ways = [Removal(k, None, 0.01 * k) for k in range(6)]
    cuts = [Cut(k, None, 1.0 - 0.01 * k) for k in range(6)]
    for chances in (1, 2, 3):
        made = [pair for plan in plans(ways, cuts, chances) for pair in plan]
        lost = Counter(removal.lost for removal, _ in made)
        cut = Counter(cut.parent for _, cut in made)
        assert max(lost.values()) == max(cut.values()) == chances
        assert lost[0] == cut[0] == chances  # the most promising uses all of them


def test_chances_are_those_of_the_plans_that_were_yielded():
    # cut 0 is best, so that each removal meets it first, until its chances are used up
    ways = [Removal(k, None, 0.0) for k in range(1, 5)]
    cuts = [Cut(0, None, 2.0), Cut(9, None, 1.0)]
    made = [(removal.lost, cut.parent) for ((removal, cut),) in plans(ways, cuts, 2)]
    assert [cut for _, cut in made] == [0, 0, 9, 9]


def test_plans_come_by_what_they_promise_and_do_not_cut_what_they_give_up():
    ways = [Removal(0, 1, 0.5), Removal(2, None, 0.1)]
    cuts = [Cut(1, None, 1.0), Cut(2, None, 0.7), Cut(3, None, 0.3)]
    made = [(removal.lost, cut.parent) for ((removal, cut),) in plans(ways, cuts)]
    assert made == [(2, 1), (2, 3), (0, 2), (0, 3)]


# Cuts


def one_run(X, **tuning):
    return run_of(MemoryEngine(X), 1, tuning=Tuning(**tuning))


@pytest.mark.parametrize("steps", [1, 4])
def test_a_cut_makes_its_steps_of_em_inside_the_component(rng, steps):
    # one component answers for all rows, so that EM inside it is EM of two on all rows;
    # in one dimension there is one direction to cut along
    X = np.concatenate([rng.normal(size=(60, 1)), rng.normal(size=(90, 1)) + 4])
    whole = components_of([1.0], [X.mean()], X.var())

    def halves(n_steps):
        run = one_run(X, cut_steps=n_steps)
        (cut,) = find_cuts(run, whole, judged(run, whole), np.array([0]))
        return cut.placed(whole)

    components, engine = halves(0), MemoryEngine(X)
    for _ in range(steps):
        components, _ = m_step(Constraints(), components, engine.expect(components))
    found = halves(steps)
    for name in ("weights", "means", "covariances"):
        # sums over 150 rows of values of about 10
        np.testing.assert_allclose(
            getattr(found, name), getattr(components, name), rtol=1e-11, err_msg=name
        )


def test_the_steps_of_a_cut_are_counted_as_work(rng):
    X = rng.normal(size=(100, 2))
    whole = components_of([1.0], [[0.0, 0.0]])
    # two directions, then the better of them again; a jump that lost costs one more
    for steps, most in ((0, 2), (6, 2 * 3 + 5 + 1)):
        run = one_run(X, cut_steps=steps)
        rows = judged(run, whole)
        find_cuts(run, whole, rows, np.array([0]))
        made = run.passes / rows.passes(100, 2)
        assert made == pytest.approx(round(made), rel=1e-12)
        assert most - 1 <= made <= most


def test_a_component_of_too_few_rows_is_not_cut(rng):
    two = components_of([0.9, 0.1], [[0, 0], [30, 30]])
    for n_rows, parents in [(3, [0]), (4, [0, 1])]:  # D + 2 rows are enough
        X = np.concatenate([rng.normal(size=(40, 2)), rng.normal(size=(n_rows, 2)) + 30])
        run = run_of(MemoryEngine(X), 2)
        found = find_cuts(run, two, judged(run, two), np.array([0, 1]))
        assert [cut.parent for cut in found] == parents


# What the prior adds

PRIORS = [{"slope": 3.0}, {"width": 3.0}, {"crowd": 3.0}]


@pytest.fixture(params=PRIORS, ids=["means", "covariances", "weights"])
def prior(request):
    return Leaning(**request.param)


@pytest.mark.parametrize("prior", [Leaning(slope=3.0), Leaning(width=3.0)])
@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_dropping_a_component_loses_its_prior(monkeypatch, X, four, prior, weight):
    monkeypatch.setattr(surgery, "merge_costs", lambda *about: [])
    rows = judged(run_of(MemoryEngine(X, weights=np.full(len(X), weight)), 4), four)
    plain = {one.lost: one.cost for one in removals(Constraints(), four, rows)}
    ours = {one.lost: one.cost for one in removals(prior, four, rows)}
    shift = prior.log_prior(four) / (weight * len(X))
    for k in range(4):
        assert ours[k] - plain[k] == pytest.approx(shift[k], abs=1e-12)


@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_merging_a_pair_gives_two_priors_for_one(X, four, prior, weight):
    engine = MemoryEngine(X, weights=np.full(len(X), weight))
    rows = judged(run_of(engine, 4), four)
    plain = {(i, j): cost for i, j, cost in merge_costs(Constraints(), four, rows)}
    ours = {(i, j): cost for i, j, cost in merge_costs(prior, four, rows)}
    assert len(plain) == len(ours) == 6
    before = prior.log_prior(four)
    for i, j in plain:
        after = prior.log_prior(merge(four, [i], [j]))[0]
        shift = (before[i] + before[j] - after) / (weight * len(X))
        assert ours[i, j] - plain[i, j] == pytest.approx(shift, abs=1e-12)


def test_the_order_of_removals_sees_the_prior(X, four):
    run = run_of(MemoryEngine(X), 4)
    rows = judged(run, four)
    # a component far along the features has a prior of its own to lose
    loved, hated = (removals(Leaning(slope=s), four, rows) for s in (1000.0, -1000.0))
    assert loved[-1].lost == 3
    assert hated[0].lost == 3


@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_the_gain_of_a_cut_is_two_priors_for_one(X, four, prior, weight):
    cuts = []
    for constraints in (Constraints(), prior):
        engine = MemoryEngine(X, weights=np.full(len(X), weight))
        # without steps of EM, which would stop elsewhere
        run = run_of(engine, 4, constraints=constraints, tuning=Tuning(cut_steps=0))
        cuts.append(find_cuts(run, four, judged(run, four), np.arange(4)))
    before = prior.log_prior(four)
    alike = [
        (plain, ours)
        for plain, ours in zip(*cuts, strict=True)
        if np.allclose(plain.halves.means, ours.halves.means)  # along the same direction
    ]
    assert alike
    for plain, ours in alike:
        assert plain.parent == ours.parent
        after = prior.log_prior(ours.placed(four)).sum()
        shift = (after - before[ours.parent]) / (weight * len(X))
        assert ours.gain - plain.gain == pytest.approx(shift, abs=1e-12)


def test_the_prior_counts_by_all_rows_where_surgery_sees_a_sample_of_them(X, four):
    # the objective per row has the prior by the weight of all rows
    prior, found = Leaning(width=3.0), []
    for constraints in (Constraints(), prior):
        run = run_of(MemoryEngine(X), 4, tuning=Tuning(plan_rows=80), constraints=constraints)
        run.begin_leg(four)
        run.expect(four)
        rows = judged(run, four)
        costs = {(i, j): cost for i, j, cost in merge_costs(constraints, four, rows)}
        found.append(costs)
    plain, ours = found
    before, after = prior.log_prior(four), prior.log_prior(merge(four, [0], [1]))[0]
    shift = (before[0] + before[1] - after) / len(X)
    assert ours[0, 1] - plain[0, 1] == pytest.approx(shift, abs=1e-12)
