"""Surgery: what its bounds promise holds, and what it does is what it says."""

import numpy as np
import pytest
from scipy.stats import entropy

from biglearn.model.mixture import Mixture
from biglearn.search.surgery.cuts import find_cuts
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.surgery.plans import (
    merge,
    merge_costs,
    operate,
    plans,
    removals,
)
from helpers import COVARIANCE_TYPES, clusters, scipy_log_joint, settle


def mean_log_density(parameters, X, weights=None):
    log_joint = scipy_log_joint(*parameters, X)
    return np.average(np.logaddexp.reduce(log_joint, axis=1), weights=weights)


def parameters(mixture):
    return mixture.weights, mixture.means, mixture.covariances


def all_cuts(run, mixture, rows):
    return find_cuts(run, mixture, rows, np.arange(mixture.n_components))


def with_halves(mixture, cut):
    """Parameters with the halves of a cut in place of its parent."""
    share = mixture.weights[cut.parent]
    halves = (
        cut.halves.weights * share,
        cut.halves.means + mixture.means[cut.parent],
        cut.halves.covariances,
    )
    return [
        np.concatenate([np.delete(whole, cut.parent, axis=0), new])
        for whole, new in zip(parameters(mixture), halves, strict=True)
    ]


def test_the_gain_of_a_cut_is_jensens_bound(stuck):
    X, run, mixture, rows = stuck
    shares = mixture.responsibilities(X)
    for cut in all_cuts(run, mixture, rows):
        halves = scipy_log_joint(
            cut.halves.weights,
            cut.halves.means + mixture.means[cut.parent],
            cut.halves.covariances,
            X,
        )
        whole = scipy_log_joint(
            [1.0], mixture.means[[cut.parent]], mixture.covariances[[cut.parent]], X
        )
        change = np.logaddexp.reduce(halves, axis=1) - whole[:, 0]
        counted = shares[:, cut.parent] > 0.05  # rows that hardly belong may be left out
        bound = np.mean(shares[:, cut.parent] * change * counted)
        assert cut.gain == pytest.approx(bound, rel=0.05, abs=2e-3)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_the_likelihood_rises_by_at_least_the_gain(rng, kind):
    X = clusters(rng, [(0, 0), (0, 12), (12, 0), (12, 4)])
    run, mixture, rows = settle(X, [(0, 0), (0, 12), (12, 2)], structure=kind)
    before = mean_log_density(parameters(mixture), X)
    cuts = all_cuts(run, mixture, rows)
    assert [cut.parent for cut in cuts] == [0, 1, 2]
    for cut in cuts:
        after = mean_log_density(with_halves(mixture, cut), X)
        assert after - before >= cut.gain - 1e-9
    assert max(cuts, key=lambda cut: cut.gain).parent == 2
    found = cuts[2].halves.means + mixture.means[2]
    np.testing.assert_allclose(sorted(found[:, 1]), [0, 4], atol=0.5)


def test_halves_have_the_moments_of_their_parent(stuck):
    _, run, mixture, rows = stuck
    for cut in all_cuts(run, mixture, rows):
        if mixture.weights[cut.parent] < 0.2:
            continue  # the two in one cluster share rows, some of which may be left out
        halves = Mixture.of(cut.halves)
        assert halves.weights.sum() == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(halves.mean, 0, atol=1e-3)
        np.testing.assert_allclose(
            halves.covariance, mixture.covariances[cut.parent], atol=1e-3
        )  # fmt: skip


def test_a_component_of_hardly_any_rows_is_not_cut(rng):
    X = np.vstack([clusters(rng, [(0, 0)]), [[50, 50], [50, 51], [51, 50]]])
    run, mixture, rows = settle(X, [(0, 0), (50, 50)])
    assert [cut.parent for cut in all_cuts(run, mixture, rows)] == [0]


def jensen(X, shares, log_joint):
    """Σ r log(π N / r), per row."""
    used = shares > 0
    return np.sum(shares[used] * (log_joint[used] - np.log(shares[used]))) / len(X)


def test_the_cost_of_a_merge_is_what_jensens_bound_loses(stuck):
    X, run, mixture, rows = stuck
    shares = mixture.responsibilities(X)
    before = jensen(X, shares, scipy_log_joint(*parameters(mixture), X))
    assert before == pytest.approx(mixture.log_density(X).mean(), rel=1e-9)
    costs = merge_costs(run.constraints, mixture, rows)
    assert len({(i, j) for i, j, _ in costs}) == 6
    for i, j, cost in costs:
        one = merge(mixture, np.array([i]), np.array([j]))
        new = [
            np.concatenate([np.delete(whole, [i, j], axis=0), part])
            for whole, part in zip(parameters(mixture), parameters(one), strict=True)
        ]
        merged = np.column_stack([np.delete(shares, [i, j], axis=1), shares[:, [i, j]].sum(axis=1)])
        after = jensen(X, merged, scipy_log_joint(*new, X))
        cost += rows.entropy(i, j)
        assert cost == pytest.approx(before - after, abs=1e-5)
        assert mean_log_density(new, X) >= before - cost - 1e-5  # so it is a bound


def test_the_bound_of_a_merge_holds_with_its_entropies(rng):
    # One Gaussian told twice: π H(½) is lost and won back.
    X = clusters(rng, [(0, 0)])
    once = np.cov(X.T, bias=True)
    twice = Mixture([0.3, 0.7], np.tile(X.mean(axis=0), (2, 1)), np.tile(once, (2, 1, 1)))
    run, _, _ = settle(X, [(0, 0), (0, 0)])
    rows = JudgedRows.of(run, twice, len(X))
    ((i, j, cost),) = merge_costs(run.constraints, twice, rows)
    assert (i, j) == (0, 1)
    assert entropy([0.3, 0.7]) > 0.5
    assert cost + rows.entropy(i, j) == pytest.approx(0, abs=1e-9)


def test_the_cost_of_dropping_a_component_is_exact(rng):
    X = clusters(rng, [(0, 0), (9, 9)])
    _, mixture, _ = settle(X, [(0, 0), (9, 9)])
    vague = Mixture(
        [*mixture.weights * 0.9, 0.1],
        [*mixture.means, [4.5, 4.5]],
        [*mixture.covariances, 200 * np.eye(2)],
    )
    run, _, _ = settle(X, [(0, 0), (9, 9), (4, 4)])
    cheapest = removals(run.constraints, vague, JudgedRows.of(run, vague, len(X)))[0]
    assert (cheapest.lost, cheapest.partner) == (2, None)
    without = mixture.weights, mixture.means, mixture.covariances
    lost = mean_log_density(parameters(vague), X) - mean_log_density(without, X)
    assert cheapest.cost == pytest.approx(lost, abs=1e-9)


def test_every_component_has_a_removal_and_the_cheapest_come_first(stuck):
    _, run, mixture, rows = stuck
    ways = removals(run.constraints, mixture, rows)
    assert sorted(way.lost for way in ways) == [0, 1, 2, 3]
    assert [way.cost for way in ways] == sorted(way.cost for way in ways)
    assert ways[0].touched <= {0, 1}  # the two that share a cluster


def test_weighted_rows_are_judged_as_repeated_ones(rng):
    X, weights = clusters(rng, [(0, 0), (6, 0)], n=30), rng.integers(1, 4, size=60)
    means = [(0, 0), (5.5, 0), (6.5, 0)]
    sides = [
        settle(X, means, weights=weights.astype(float)),
        settle(np.repeat(X, weights, axis=0), means),
    ]
    cuts, ways = zip(
        *((all_cuts(*side), removals(side[0].constraints, *side[1:])) for side in sides),
        strict=True,
    )
    np.testing.assert_allclose(*[[c.gain for c in side] for side in cuts], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(*[[w.cost for w in side] for side in ways], rtol=1e-4, atol=1e-6)


def test_plans_leave_no_component_to_two_surgeries(stuck):
    _, run, mixture, rows = stuck
    seen = []
    for plan in plans(removals(run.constraints, mixture, rows), all_cuts(run, mixture, rows)):
        places = [k for removal, cut in plan for k in (*removal.touched, cut.parent)]
        assert len(set(places)) == len(places)
        seen.append(sum(cut.gain - removal.cost for removal, cut in plan))
    assert seen == sorted(seen, reverse=True)


def test_an_operation_keeps_what_it_does_not_touch(stuck):
    _, run, mixture, rows = stuck
    for plan in plans(removals(run.constraints, mixture, rows), all_cuts(run, mixture, rows)):
        new = Mixture.of(operate(run.constraints, mixture, plan)[0])
        assert new.weights.sum() == pytest.approx(1, abs=1e-12)
        assert new.weights.min() > 0
        assert np.linalg.eigvalsh(new.covariances).min() >= run.constraints.floor * (1 - 1e-9)
        touched = {k for removal, cut in plan for k in (*removal.touched, cut.parent)}
        for k in set(range(4)) - touched:
            np.testing.assert_array_equal(new.means[k], mixture.means[k])
            np.testing.assert_allclose(new.covariances[k], mixture.covariances[k], rtol=1e-12)
        if all(removal.partner is not None for removal, _ in plan):
            np.testing.assert_allclose(new.mean, mixture.mean, atol=1e-2)
            np.testing.assert_allclose(new.covariance, mixture.covariance, atol=5e-2)
