"""The judge, and what a run does with its verdict."""

import numpy as np
import pytest

from biglearn import EM, CovariancePrior, DoubtfulFitWarning, GaussianMixture, Search
from biglearn.model.prior import PseudoRows
from biglearn.search.judge import Judge
from biglearn.search.legs import OwnUnitsLeg
from helpers import blobs, make_run, random_mixture

FEW = {"random_state": 0}


class Fixed:
    """A judge with opinions of its own, by the first mean."""

    def __init__(self, worth):
        self.of = worth

    def worth(self, components, pseudo_rows):
        return self.of(components)


def test_its_worth_is_the_mean_leave_one_out_likelihood(rng):
    X = blobs(rng, 90, 2)
    model = GaussianMixture(2, prior=2.0, **FEW).fit(X)
    units = model.mixture_
    judge = Judge(X, np.ones(90), 90.0)
    assert judge.worth(units, 2.0) == pytest.approx(model.loo_score(X), rel=1e-9)
    far = Judge(np.vstack([X, [[1e9, 1e9]]]), np.ones(91), 91.0)
    assert far.worth(units, 2.0) > -1.2e4  # no row counts below -10^6


def test_the_judge_and_not_the_objective_chooses(rng):
    X = blobs(rng, 120, 2)
    run = make_run(X, 2, floor=1e-3)
    low, high = (random_mixture(rng, 2, 2) for _ in range(2))
    for components in (low, high):
        run.begin_leg(components)
        run.expect(components)
        run.offer()  # nobody judges
    assert run.offers == []
    liked, other = (low, high) if run.best is high else (high, low)
    run.judge = Fixed(lambda components: float(components is liked))
    for components in (liked, other):
        run.begin_leg(components)
        run.expect(components)
        run.offer()
    before = run.best_objective
    run.settle()
    assert run.best is liked
    assert run.best_objective < before
    assert not run.converged


def test_optima_of_equal_worth_keep_the_first(rng):
    run = make_run(blobs(rng, 60, 2), 2, floor=1e-3)
    run.judge = Fixed(lambda components: 1e-4 * float(components.means[0, 0]))
    first, second = random_mixture(rng, 2, 2), random_mixture(rng, 2, 2)
    for components in (first, second):
        run.begin_leg(components)
        run.expect(components)
        run.offer()
    assert [offer.components for offer in run.offers] == [first]


def test_methods_choose_only_where_there_is_a_prior(rng):
    X = blobs(rng, 150, 2)
    plain = GaussianMixture(3, prior=None, **FEW).fit(X)
    assert "refine" not in {record.move for record in plain.history_}
    ours = GaussianMixture(3, **FEW).fit(X)
    assert "refine" in {record.move for record in ours.history_}
    assert ours.prior_rows_ > 0
    for kind in ({"n_components": 1}, {"n_components": 3, "covariance_type": "tied"}):
        alone = GaussianMixture(**kind, **FEW).fit(X)
        assert alone.prior_rows_ == 0  # one covariance is its own average
    many = GaussianMixture(3, method=EM(), n_init=3, **FEW).fit(X)
    assert sum(record.move == "start" for record in many.history_) == 3


def test_own_units_take_part_where_they_differ_and_somebody_judges(rng, monkeypatch):
    X, calls = blobs(rng, 150, 2) * [1.0, 100.0], []
    moves = OwnUnitsLeg.moves
    monkeypatch.setattr(OwnUnitsLeg, "moves", lambda leg, run: calls.append(leg) or moves(leg, run))

    def taken(**parameters):
        calls.clear()
        search = Search(legs=("restart", "own-units"), chance=0.4, effort=1000)
        GaussianMixture(3, method=search, **FEW, **parameters).fit(X)
        return len(calls)

    assert taken() == 1
    assert taken(prior=None) == taken(scaling="none") == 0


def test_the_strength_is_the_one_of_the_highest_worth(rng):
    truth = random_mixture(rng, 2, 6, spread=2.0)
    few, many = truth.sample(50, rng)[0], truth.sample(6000, rng)[0]
    strong = GaussianMixture(3, **FEW).fit(few)
    fixed = [
        GaussianMixture(3, prior=CovariancePrior(target, rows=rows), **FEW).fit(few)
        for target in ("pooled", "geometric")
        for rows in (0.001, 1.0, 7.0)
    ]
    assert strong.loo_score_ > max(model.loo_score_ for model in fixed) - 0.3
    assert strong.prior_rows_ >= 1
    # with 100 D rows per component the estimates are those of maximum likelihood to 1 %
    ours, likeliest = (
        GaussianMixture(2, prior=prior, method="em", **FEW).fit(many) for prior in ("auto", None)
    )
    for k in range(2):
        twin = np.abs(likeliest.means_ - ours.means_[k]).sum(axis=1).argmin()
        gap = ours.covariances_[k] - likeliest.covariances_[twin]
        assert np.linalg.norm(gap, 2) < 0.01 * np.linalg.norm(likeliest.covariances_[twin], 2)


def test_doubts_name_the_components_and_what_to_do(rng):
    spike = np.vstack([rng.normal(size=(80, 3)), np.full((2, 3), 9.0), [[9.0, 9.1, 9.0]]])
    with pytest.warns(DoubtfulFitWarning, match=r"components \[\d\] .*use fewer components"):
        model = GaussianMixture(2, prior=None, **FEW).fit(spike)
    assert any("hold fewer rows than the 4" in doubt for doubt in model.doubts_)
    assert any("follow single rows" in doubt for doubt in model.doubts_)
    assert any("stand on the floor in columns" in doubt for doubt in model.doubts_)
    meant = GaussianMixture(2, prior=None, reg_covar=1e-3, **FEW)
    with pytest.warns(DoubtfulFitWarning):
        meant.fit(spike)
    assert not any("floor" in doubt for doubt in meant.doubts_)  # it was asked for
    clean = GaussianMixture(2, **FEW).fit(blobs(rng, 300, 2))
    assert clean.doubts_ == []


def test_constant_and_binary_columns_are_no_doubt(rng):
    X = np.column_stack([blobs(rng, 300, 2), np.ones(300), rng.random(300) < 0.3])
    assert GaussianMixture(2, **FEW).fit(X).doubts_ == []


def test_a_prior_of_nothing_is_maximum_likelihood(rng):
    assert not PseudoRows().is_active
    X = blobs(rng, 120, 2)
    none, zero = (GaussianMixture(3, prior=prior, **FEW).fit(X) for prior in (None, 0))
    np.testing.assert_array_equal(none.means_, zero.means_)
