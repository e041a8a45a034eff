"""A search on a sample: when, on how many rows, and that it ends on all of them."""

from dataclasses import replace

import numpy as np
import pytest

from biglearn import GaussianMixture, Search
from biglearn.engines import MemoryEngine
from biglearn.search.moves.refine import Settle
from biglearn.search.moves.thinning import sample_size, thinned
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.tuning import Tuning
from helpers import clusters
from scripted import components_of, run_of

FEW = Tuning(plan_rows=100, sample_rows=5.0)


def test_a_sample_has_rows_for_every_component_and_dimension(rng):
    engine = MemoryEngine(rng.normal(size=(5000, 3)))
    assert sample_size(run_of(engine, 4, tuning=FEW)) == 100
    assert sample_size(run_of(engine, 40, tuning=FEW)) == 5 * 40 * (3 + 2)


def test_rows_that_are_not_many_more_are_all_looked_at(rng):
    for n_rows, is_thinned in [(300, False), (301, True)]:
        run = run_of(MemoryEngine(rng.normal(size=(n_rows, 2))), 4, tuning=FEW)
        assert (thinned(run) is not None) == is_thinned


def test_a_row_of_the_sample_stands_for_several(rng):
    run = run_of(MemoryEngine(rng.normal(size=(1000, 2))), 4, tuning=FEW)
    inner = thinned(run)
    assert inner.engine.n_rows == 100
    assert inner.row_stands_for == pytest.approx(10)
    inner.spend(1.0)
    assert run.passes == pytest.approx(0.1)


def test_surgery_counts_the_prior_by_all_rows_where_the_search_is_on_a_sample(rng):
    X = rng.normal(size=(1000, 2))
    for plan_rows in (100, 50):  # surgery may look at a sample of the sample
        run = run_of(MemoryEngine(X), 4, tuning=replace(FEW, plan_rows=100))
        inner = thinned(run)
        inner.tuning = replace(FEW, plan_rows=plan_rows)
        rows = JudgedRows.of(inner, components_of([0.5, 0.5], [[0, 0], [1, 1]]))
        assert rows.stands_for == pytest.approx(1000 / plan_rows)
        assert rows.total == pytest.approx(1000)


@pytest.mark.parametrize("prior", [None, "auto"])
@pytest.mark.parametrize("max_time", [None, 3.0])
def test_a_fit_on_a_sample_ends_at_an_optimum_of_all_rows(rng, prior, max_time):
    X = clusters(rng, [(0, 0), (0, 9), (9, 0), (9, 9)], n=400)
    model = GaussianMixture(
        4, method=Search(tuning=FEW), prior=prior, max_time=max_time, random_state=0
    ).fit(X)
    order = np.lexsort(model.means_.T)
    truth = np.array([X[400 * k : 400 * (k + 1)].mean(axis=0) for k in range(4)])
    np.testing.assert_allclose(model.means_[order], truth[np.lexsort(truth.T)], atol=0.02)
    assert model.converged_


def test_a_prior_that_is_chosen_on_a_sample_counts_for_all_rows(rng, monkeypatch):
    X = clusters(rng, [(0, 0), (0, 9), (9, 0), (9, 9)], n=400)
    seen = []
    settle = Settle.__call__

    def watch(move, run):
        seen.append(run.constraints.prior.thinning)
        return settle(move, run)

    monkeypatch.setattr(Settle, "__call__", watch)
    GaussianMixture(4, method=Search(tuning=FEW), random_state=0).fit(X)
    assert seen == [1.0]


def test_labels_are_worth_more_than_a_sample(rng):
    X = clusters(rng, [(0, 0), (0, 9), (9, 0), (9, 9)], n=400)
    labels = np.full(len(X), -1)
    labels[[0, 400, 800, 1200]] = [3, 2, 1, 0]
    model = GaussianMixture(4, method=Search(tuning=FEW), random_state=0)
    model.fit(X, labels=labels)
    assert model.predict(X[[0, 400, 800, 1200]]).tolist() == [3, 2, 1, 0]
