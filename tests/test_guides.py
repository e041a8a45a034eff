"""The guides on extending the library work when they are followed to the letter."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from biglearn import EM, GaussianMixture, Mixture, Search, View
from biglearn.engines import MemoryEngine, engine_over
from biglearn.engines.rows.units import Units
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints
from biglearn.model.families import FAMILIES
from biglearn.model.fixed import Fixed
from biglearn.search.run import Run, Settings
from examples import blocks, run_python
from pages import read

GUIDES = ["add-a-covariance-structure", "add-an-engine", "add-a-move"]


def page_of(guide):
    return Path("docs/how-to") / f"{guide}.md"


def names_of(guide):
    """Run the blocks of a guide from top to bottom, and return their names."""
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _, code in blocks(read(page_of(guide)), "python"):
            run_python(code, names, guide)
    return names


@pytest.fixture(scope="module")
def structure():
    return names_of("add-a-covariance-structure")


@pytest.fixture(scope="module")
def engine():
    return names_of("add-an-engine")


@pytest.fixture(scope="module")
def move():
    return names_of("add-a-move")


@pytest.mark.parametrize("guide", GUIDES)
def test_guides_are_short(guide):
    assert len(read(page_of(guide)).splitlines()) < 100


# A covariance structure


def test_the_structure_of_the_guide_is_the_likeliest_of_its_kind(structure, rng):
    """Any other shared diagonal has a lower expected log-likelihood."""
    shared = structure["shared"]
    factor = rng.normal(size=(3, 4, 4))
    samples, shares = factor @ factor.swapaxes(1, 2), np.array([10.0, 3.0, 7.0])
    found = shared.collapse(shared.fit(samples, shares, 1e-12)[0])

    def expected(variances):
        quadratic = (np.diagonal(samples, axis1=1, axis2=2) / variances).sum(axis=1)
        return -0.5 * shares @ (np.log(variances).sum() + quadratic)

    best = expected(found)
    for _ in range(100):
        assert expected(found * np.exp(rng.normal(0, 0.1, size=4))) < best


def test_with_one_component_it_is_the_variance_of_the_columns(structure, rng):
    X = rng.normal(size=(200, 3)) * [1.0, 5.0, 0.1]
    model = GaussianMixture(covariance_type=structure["shared"]).fit(X)
    np.testing.assert_allclose(model.covariances_, X.var(axis=0), rtol=1e-9)
    expected = multivariate_normal(X.mean(axis=0), np.diag(X.var(axis=0))).logpdf(X).mean()
    assert model.score(X) == pytest.approx(expected, rel=1e-9)


def test_its_fit_is_found_and_its_numbers_are_counted(structure):
    model, X, shared = structure["model"], structure["X"], structure["shared"]
    assert model.covariances_.shape == model.precisions_.shape == (3,)
    np.testing.assert_allclose(model.covariances_, [1.0, 0.25, 100.0], rtol=0.2)
    np.testing.assert_allclose(model.precisions_ * model.covariances_, 1.0)
    free = 2 + 3 * 3 + 3  # weights, means, variances
    expected = free * np.log(len(X)) - 2 * len(X) * model.score(X)
    assert model.bic(X) == pytest.approx(expected, rel=1e-12)
    found = structure["found"].best
    assert (found.covariance_type, found.n_components) == ("shared-diag", 3)
    again = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=shared
    )
    np.testing.assert_allclose(again.score_samples(X), model.score_samples(X), rtol=1e-9)


def test_its_precisions_can_start_a_fit(structure):
    model, X = structure["model"], structure["X"]
    again = GaussianMixture(
        3, covariance_type=structure["shared"], method=EM(), weights_init=model.weights_,
        means_init=model.means_, precisions_init=model.precisions_,
    ).fit(X)  # fmt: skip
    assert again.n_iter_ <= 3
    np.testing.assert_allclose(again.means_, model.means_, rtol=1e-2, atol=1e-2)


# An engine


@pytest.mark.parametrize(
    "view", [View.joint(2), View(np.array([[0.6, 0.8]]))], ids=["all", "turned"]
)
def test_the_engine_of_the_guide_computes_what_the_engine_in_memory_does(engine, view, rng):
    X, weights = rng.normal(size=(300, 2)) * [1.0, 30.0], rng.uniform(0.5, 2, size=300)
    given = {"weights": weights, "units": Units.of(X, weights=weights)}
    mixture = Mixture([0.3, 0.7], rng.normal(size=(2, 2)), [np.eye(2), [[2, 1], [1, 2]]])
    mine, theirs = (
        kind(X, **given).project(view).expect(mixture.project(view))
        for kind in (engine["PlainEngine"], MemoryEngine)
    )
    for name in ("counts", "first", "second", "log_likelihood", "total", "rows"):
        np.testing.assert_allclose(
            getattr(mine, name), getattr(theirs, name), rtol=1e-9, atol=1e-9, err_msg=name
        )


def test_its_sample_is_that_of_the_engine_in_memory(engine, rng):
    X, view = rng.normal(size=(300, 2)), View.marginal([1], 2)
    mine, theirs = (
        kind(X, units=Units.of(X)).project(view).subsample(50, np.random.default_rng(3))
        for kind in (engine["PlainEngine"], MemoryEngine)
    )
    np.testing.assert_array_equal(mine.rows(), theirs.rows())


@pytest.mark.parametrize("kind", ["PlainEngine", "distinct"])
def test_a_fit_by_it_is_the_fit_in_memory(engine, kind, rng):
    X = np.round(rng.normal(np.repeat([[0.0], [5.0]], 150, axis=0)), 1)
    start = {"means_init": [[0.0], [5.0]], "method": "em"}
    mine, theirs = (
        GaussianMixture(2, engine=one, random_state=0, **start).fit(X)
        for one in (engine[kind], engine_over)
    )
    np.testing.assert_allclose(mine.means_, theirs.means_, rtol=1e-6)
    assert mine.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=1e-6)


def test_it_refuses_tails_and_leaves_gaps_to_the_library(engine):
    X = engine["X"]
    mixture = Components(np.ones(1), np.zeros((1, 2)), np.eye(2)[None], family=FAMILIES["student"])
    with pytest.raises(ValueError, match="does not support family 'student'"):
        engine["PlainEngine"](X, units=Units.of(X)).expect(mixture)
    gaps = X.copy()
    gaps[0, 0] = np.nan
    with pytest.warns(UserWarning, match="PlainEngine does not support missing values"):
        GaussianMixture(2, engine=engine["PlainEngine"], random_state=0).fit(gaps)


# A move


def test_the_leg_of_the_guide_takes_its_turn_and_is_recorded(move):
    records = [record for record in move["model"].history_ if record.move == "relocate"]
    assert records
    assert all(np.isnan(record.log_likelihood) for record in records)
    after = [record.move for record in move["model"].history_][records[0].step + 1]
    assert after == "em"  # a climb follows


def test_its_moves_begin_at_the_best_components(move):
    class Best:
        best = object()

    jump, second = move["RelocateLeg"]().moves(Best())
    assert jump.components is Best.best
    assert second is move["relocate"]
    Best.best = None
    assert list(move["RelocateLeg"]().moves(Best())) == []


def test_the_move_counts_its_work_and_keeps_weights_and_constraints(move):
    run = move["run"]
    assert run.components.weights.sum() == pytest.approx(1)
    assert run.passes == pytest.approx(1)  # it looked at every row once
    assert np.linalg.eigvalsh(run.components.covariances).min() >= run.constraints.floor


def test_the_move_leaves_given_components_alone(move, rng):
    nan = np.full(2, np.nan)
    fixed = Fixed(nan, np.array([nan, [0.5, 0.0]]), np.full((2, 2, 2), np.nan))
    constraints = Constraints(fixed=fixed)
    assert constraints.held_places == {1}
    poor = move["poor"]
    run = Run(MemoryEngine(move["Y"]), Settings(2), lambda run: poor, rng, constraints)
    run.components = poor
    list(move["relocate"](run))
    np.testing.assert_array_equal(run.components.means[1], [0.5, 0.0])
    assert (run.components.means[0] > 15).all()


def test_the_search_must_begin_with_a_fresh_leg(move):
    with pytest.raises(ValueError, match="fresh"):
        Search(legs=(move["RelocateLeg"](), "restart"))
