"""Local trials: who takes part, what the rest is to them, and what the gain is of."""

import numpy as np
import pytest
from scipy.special import logsumexp

from biglearn.engines import MemoryEngine
from biglearn.search.climbing.limits import Limits
from biglearn.search.run import BudgetSpentError
from biglearn.search.surgery.cuts import Cut
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.surgery.local import Theatre, neighbourhood
from biglearn.search.surgery.plans import Removal, operate
from biglearn.search.tuning import Tuning
from helpers import scipy_log_joint
from scripted import Clock, Leaning, components_of, run_of


def judged(shares):
    """Return judged rows that have nothing but responsibilities."""
    shares = np.array(shares)
    weights = np.full(len(shares), 1 / len(shares))
    return JudgedRows(None, None, weights, float(len(shares)), 1.0, None, shares)


def a_plan(lost, partner, parent):
    return [(Removal(lost, partner, 0.0), Cut(parent, None, 0.0))]


# Who takes part


def shared(n_components, *overlaps):
    """Return one certain row of each component, and rows that component 0 shares with others.

    Each overlap is (k, share): a row for which 0 and k answer, k by its share.
    """
    rows = np.eye(n_components).tolist()
    for k, share in overlaps:
        row = np.zeros(n_components)
        row[0], row[k] = 1 - share, share
        rows.append(row)
    return judged(rows)


def test_components_that_share_rows_with_the_touched_ones_take_part():
    rows = shared(6, (4, 0.5), (3, 0.4))
    assert neighbourhood(rows, a_plan(1, None, 0), Tuning()) == [0, 1, 3, 4]


def test_the_neighbours_of_everything_that_a_plan_touches_take_part():
    rows = shared(6, (4, 0.5))
    for plan in (a_plan(0, None, 1), a_plan(2, 0, 1), a_plan(0, 2, 1)):
        assert 4 in neighbourhood(rows, plan, Tuning())


def test_components_that_share_too_few_rows_stay_out():
    # 4 answers for a third of 0's weighted rows, 3 for (0.9 * 0.1) / 2.4 of them: 0.0375
    rows = shared(6, (4, 0.5), (3, 0.1))
    assert rows.overlaps[0, 3] == pytest.approx(0.09 / 2.4, rel=1e-12)
    plan = a_plan(1, None, 0)
    for least, expected in [(0.03, [0, 1, 3, 4]), (0.04, [0, 1, 4]), (0.9, [0, 1])]:
        assert neighbourhood(rows, plan, Tuning(neighbour_share=least)) == expected


def test_the_nearest_neighbours_take_part_where_there_are_many():
    rows = shared(7, (3, 0.2), (4, 0.5), (5, 0.3), (6, 0.1))
    plan, tuning = a_plan(1, None, 0), Tuning(neighbours=2)
    assert neighbourhood(rows, plan, tuning) == [0, 1, 4, 5]
    assert neighbourhood(rows, plan, Tuning(neighbours=0)) == [0, 1]


# What a trial sees and says


class Recording(MemoryEngine):
    """A sample that keeps what it was asked to select."""

    def select(self, chosen, *, background=None, weights=None):
        self.selected, self.behind = chosen, background
        return super().select(chosen, background=background, weights=weights)


#: Two near pairs, far from each other; the cut of 0 and the removal of 1 touch the first.
COMPONENTS = components_of([0.1, 0.2, 0.3, 0.4], [[0, 0], [1.5, 0], [9, 0], [9, 2]])
HALVES = components_of([0.5, 0.5], [[0, 0.6], [0, -0.6]], variance=0.8)
PLAN = [(Removal(1, 0, 0.0), Cut(2, HALVES, 0.0))]
NEAR = [(Removal(1, None, 0.0), Cut(0, HALVES, 0.0))]


def trial_in(run, rows, plan, *, tol=1e-9, patience=8):
    """Return a trial of a plan."""
    limits = Limits(tol, patience, grace=run.tuning.grace)
    return Theatre(run, COMPONENTS, rows, limits).trial(plan)


def trial_of(rng, plan, *, weighted=False, constraints=None, total=None, **tuning):
    """Return the run, its rows and a trial of a plan."""
    index = rng.choice(4, 200, p=COMPONENTS.weights)
    X = COMPONENTS.means[index] + rng.normal(size=(200, 2))
    weights = rng.uniform(0.2, 3.0, 200) if weighted else None
    changes = {} if constraints is None else {"constraints": constraints}
    run = run_of(Recording(X, weights=weights), 4, tuning=Tuning(**tuning), **changes)
    rows = JudgedRows.of(run, COMPONENTS)
    return run, rows, trial_in(run, rows, plan)


def log_density(components, X):
    joint = scipy_log_joint(components.weights, components.means, components.covariances, X)
    return logsumexp(joint, axis=1)


def test_a_trial_takes_the_neighbours_along(rng):
    _, _, trial = trial_of(rng, [(Removal(1, None, 0.0), Cut(2, HALVES, 0.0))])
    assert trial.active.tolist() == [0, 1, 2, 3]
    assert trial.components.n_components == 4


def test_the_background_of_a_trial_is_the_rest_by_the_weight_of_those_active(rng, without_numba):
    without_numba()
    run, rows, trial = trial_of(rng, NEAR, neighbour_share=0.1)
    assert trial.active.tolist() == [0, 1]
    sample, others = run.engine, COMPONENTS.part([2, 3])
    joint = scipy_log_joint(
        others.weights, others.means, others.covariances, rows.values[sample.selected]
    )
    # p(x) = 0.3 (Σ of the active ones, of weights that sum to one, and the background);
    # it is a difference of p(x) and their part, so that it is exact to p(x)'s rounding alone
    expected = np.exp(logsumexp(joint, axis=1) - np.log(0.1 + 0.2))
    inside = np.exp(rows.log_density[sample.selected])
    assert (abs(np.exp(sample.behind) - expected) <= 1e-13 * (1 + inside)).all()


def test_rows_of_the_active_components_alone_take_part(rng, without_numba):
    without_numba()
    run, rows, _ = trial_of(rng, NEAR, neighbour_share=0.1)
    share = rows.shares[:, [0, 1]].sum(axis=1)
    assert run.engine.selected.tolist() == np.flatnonzero(share > 0.01).tolist()
    assert 0 < len(run.engine.selected) < 200


@pytest.mark.parametrize("plan", [PLAN, NEAR], ids=["all", "few"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("compiled", [True, False])
def test_the_gain_is_that_of_the_objective_of_all_rows(
    rng, without_numba, plan, weighted, compiled
):
    if not compiled:
        without_numba()
    _, rows, trial = trial_of(rng, plan, weighted=weighted, neighbour_share=0.1)
    changed = COMPONENTS.put(trial.active, trial.components)
    assert changed.weights.sum() == pytest.approx(1, rel=1e-12)
    gains = log_density(changed, rows.values) - log_density(COMPONENTS, rows.values)
    members = np.flatnonzero(rows.shares[:, trial.active].sum(axis=1) > 0.01)
    # sums of 200 log-densities of about 5
    expected = rows.weights[members] @ gains[members]
    assert trial.gain == pytest.approx(expected, abs=1e-12)
    # the rows that took no part have 1% of their density from the active ones at most
    assert abs(rows.weights @ gains - expected) < 0.02


def test_a_trial_costs_the_share_of_rows_and_components_that_take_part(rng):
    run, rows, trial = trial_of(rng, NEAR, neighbour_share=0.1)
    members = np.flatnonzero(rows.shares[:, trial.active].sum(axis=1) > 0.01)
    each = rows.passes(len(members), len(trial.active))
    n_passes = run.passes / each
    assert n_passes == pytest.approx(round(n_passes), rel=1e-12)
    assert 1 <= n_passes <= 2 * 9  # nine points, and jumps that lost


def test_a_trial_ends_with_the_time_of_the_fit(rng):
    clock = Clock()
    X = COMPONENTS.means[rng.choice(4, 200)] + rng.normal(size=(200, 2))
    run = run_of(MemoryEngine(X), 4, clock=clock, max_time=1.0)
    run.begin_leg(COMPONENTS)
    rows = JudgedRows.of(run, COMPONENTS)
    clock.now = 1.0
    with pytest.raises(BudgetSpentError):
        trial_in(run, rows, PLAN)


def climbed(run, rows, plan, steps):
    """Return the trial's gain and components after so many steps."""
    return trial_in(run, rows, plan, tol=0.0, patience=steps)


def shift_by_prior(seed, plan, constraints):
    """Return what a prior adds to a trial's gain, and what it should, before any step of EM."""
    gains = []
    for ours in (constraints, None):
        rng = np.random.default_rng(seed)
        run, rows, _ = trial_of(rng, plan, constraints=ours, neighbour_share=0.1)
        trial = climbed(run, rows, plan, 0)
        gains.append(trial.gain)
    changed = COMPONENTS.put(trial.active, trial.components)
    difference = constraints.log_prior(changed).sum() - constraints.log_prior(COMPONENTS).sum()
    return gains[0] - gains[1], difference / 200


@pytest.mark.parametrize("prior", [{"slope": 7.0}, {"width": 5.0}, {"slope": 2.0, "width": 3.0}])
@pytest.mark.parametrize("plan", [PLAN, NEAR], ids=["all", "few"])
def test_the_gain_of_a_trial_sees_the_prior(plan, prior):
    found, expected = shift_by_prior(0, plan, Leaning(**prior))
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("plan", [PLAN, NEAR], ids=["all", "few"])
def test_the_gain_of_a_trial_sees_a_prior_of_the_weights_in_the_mixture(plan):
    found, expected = shift_by_prior(0, plan, Leaning(crowd=4.0))
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_prior_counts_by_all_rows_where_a_trial_sees_a_sample_of_them(rng):
    X = COMPONENTS.means[rng.choice(4, 400)] + rng.normal(size=(400, 2))
    gains = []
    for slope in (0.0, 7.0):
        constraints = Leaning(slope=slope)
        run = run_of(MemoryEngine(X), 4, tuning=Tuning(plan_rows=100), constraints=constraints)
        run.begin_leg(COMPONENTS)
        run.expect(COMPONENTS)
        trial = climbed(run, JudgedRows.of(run, COMPONENTS), PLAN, 0)
        gains.append(trial.gain)
    changed = COMPONENTS.put(trial.active, trial.components)
    difference = constraints.log_prior(changed).sum() - constraints.log_prior(COMPONENTS).sum()
    assert gains[1] - gains[0] == pytest.approx(difference / 400, abs=1e-12)


def test_a_trial_leaves_the_points_of_the_run_alone(rng):
    run, _, _ = trial_of(rng, PLAN)
    assert run.best is None
    assert run.objective == -np.inf


def test_a_trial_is_put_under_the_constraints(rng):
    run, _, trial = trial_of(rng, PLAN)
    whole = trial.put(run, COMPONENTS)
    assert whole.weights.sum() == pytest.approx(1, rel=1e-12)
    places = trial.active
    np.testing.assert_allclose(whole.means[places], trial.components.means, rtol=1e-12)


def test_a_surgery_keeps_the_weight_of_all(rng):
    run = run_of(MemoryEngine(rng.normal(size=(50, 2))), 4)
    whole = run.note(operate(run.constraints, COMPONENTS, PLAN))
    assert whole.weights.sum() == pytest.approx(1, rel=1e-12)
