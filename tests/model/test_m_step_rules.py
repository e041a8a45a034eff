"""What the M-step leaves alone: dead components, empty views, and pseudo-counts in covariances."""

import numpy as np
import pytest

from biglearn.model.components import Components
from biglearn.model.constraints import Constraints, Repairs
from biglearn.model.families import FAMILIES
from biglearn.model.m_step import m_step
from biglearn.model.moments import Moments
from biglearn.model.structures import structure_of
from biglearn.model.views import View
from helpers import random_covariances

STUDENT = FAMILIES["student"]


@pytest.fixture
def three(rng):
    """Return three t components of different shapes."""
    return Components(
        np.array([0.5, 0.3, 0.2]),
        3.0 * rng.normal(size=(3, 2)),
        random_covariances(rng, 3, 2),
        np.array([[3.0], [7.0], [30.0]]),
        STUDENT,
    )


def sums(rng, counts, *, n_features=2, family=STUDENT):
    """Return moments of components with other means, covariances and shapes than before."""
    counts = np.asarray(counts, dtype=float)
    means = rng.normal(size=(len(counts), n_features)) + 5.0
    spread = random_covariances(rng, len(counts), n_features)
    second = counts[:, None, None] * (spread + means[:, :, None] * means[:, None, :])
    statistics = -0.3 * counts[:, None] if family.n_statistics else np.empty((len(counts), 0))
    moments = Moments(
        counts=counts,
        first=counts[:, None] * means,
        second=second,
        log_likelihood=-100.0,
        total=float(counts.sum()),
        rows=round(counts.sum()),
        reference=np.zeros(n_features),
        statistics=statistics,
    )
    return moments, means, spread


@pytest.mark.parametrize("count", [0.0, 1e-4])
def test_a_dead_component_keeps_its_mean_covariance_and_shape(rng, three, count):
    moments, means, spread = sums(rng, [50.0, count, 50.0])
    found, _ = m_step(Constraints(family=STUDENT), three, moments)
    for name in ("means", "covariances", "shapes"):
        np.testing.assert_allclose(
            getattr(found, name)[1], getattr(three, name)[1], rtol=1e-12, err_msg=name
        )
    alive = [0, 2]
    np.testing.assert_allclose(found.means[alive], means[alive], rtol=1e-12)
    np.testing.assert_allclose(found.covariances[alive], spread[alive], rtol=1e-11)
    assert (found.shapes[alive] != three.shapes[alive]).all()
    assert found.weights[1] == pytest.approx(count / moments.total, rel=1e-12)


def test_a_dead_component_stays_in_a_view_as_well(rng, three):
    view = View.marginal([1], 2)
    moments, means, _ = sums(rng, [50.0, 0.0, 50.0], n_features=1)
    found, _ = m_step(Constraints(family=STUDENT), three, moments, view=view)
    np.testing.assert_allclose(found.means[1], three.means[1], rtol=1e-12)
    np.testing.assert_allclose(found.covariances[1], three.covariances[1], rtol=1e-12)
    np.testing.assert_allclose(found.means[[0, 2], 1], means[[0, 2], 0], rtol=1e-12)


def test_a_view_of_which_no_row_shows_anything_leaves_everything(three):
    nothing = Moments(
        counts=np.zeros(3),
        first=np.zeros((3, 1)),
        second=np.zeros((3, 1, 1)),
        log_likelihood=0.0,
        total=0.0,
        rows=0,
        reference=np.zeros(1),
        statistics=np.zeros((3, 1)),
    )
    view = View.marginal([0], 2)
    for pseudo_count in (0.0, 0.5):
        found, repairs = m_step(
            Constraints(family=STUDENT), three, nothing, view=view, pseudo_count=pseudo_count
        )
        assert found is three
        assert repairs == Repairs()


@pytest.mark.parametrize("pseudo_count", [0.0, 0.2, 5.0])
def test_a_tied_covariance_averages_by_counts_and_not_by_pseudo_counted_weights(rng, pseudo_count):
    counts = np.array([90.0, 9.0, 1.0])
    moments, _, spread = sums(rng, counts, family=FAMILIES["gaussian"])
    before = Components(np.full(3, 1 / 3), np.zeros((3, 2)), np.tile(np.eye(2), (3, 1, 1)))
    constraints = Constraints(structure_of("tied"))
    found, _ = m_step(constraints, before, moments, pseudo_count=pseudo_count)
    expected = np.einsum("k,kij->ij", counts / 100, spread)
    # squares of means of about 5 are taken away
    np.testing.assert_allclose(found.covariances, np.tile(expected, (3, 1, 1)), rtol=1e-11)
    weights = (counts / 100 + pseudo_count) / (1 + 3 * pseudo_count)
    np.testing.assert_allclose(found.weights, weights, rtol=1e-12)
