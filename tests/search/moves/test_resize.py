"""Components of another K, grown by cuts and shrunk by merges."""

from __future__ import annotations

import numpy as np
import pytest

from biglearn.model.mixture import Mixture
from biglearn.search.moves.resize import Neighbour
from helpers import clusters, make_run


def test_a_neighbour_grows_by_the_best_cut_and_shrinks_by_the_cheapest_merge(rng):
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    X = np.repeat(centres, 100, axis=0) + rng.normal(size=(400, 2))
    four = Mixture(np.full(4, 0.25), centres, np.tile(np.eye(2), (4, 1, 1)))
    means = np.array([[0, 0], [10, 0], [5, 10]])
    wide = np.array([np.eye(2), np.eye(2), np.diag([26.0, 1.0])])
    three = Mixture([0.25, 0.25, 0.5], means, wide)

    def resized(mixture, size):
        return Neighbour(mixture)(make_run(X, size))

    grown = resized(three, 4)
    order = np.lexsort(np.round(grown.means / 10).T)
    np.testing.assert_allclose(grown.means[order], centres, atol=0.5)
    overlapping = Mixture(
        np.full(5, 0.2),
        np.vstack([centres, [[0.3, 0.0]]]),
        np.tile(np.eye(2), (5, 1, 1)),
    )
    back = resized(overlapping, 4)
    order = np.lexsort(np.round(back.means / 10).T)
    np.testing.assert_allclose(back.means[order], centres, atol=0.2)
    assert back.weights.max() == pytest.approx(0.4)
    assert resized(four, 13).n_components == 13
    assert resized(four, 1).means[0] == pytest.approx(four.mean)


def test_halves_have_the_degrees_of_freedom_of_their_parent(rng):
    far = clusters(rng, [(40, 0), (40, 10)], n=150, spread=1.0)
    X = np.concatenate([rng.standard_t(2, size=(150, 2)), far])
    wide = np.diag([1.0, 26.0])
    two = Mixture([1 / 3, 2 / 3], [[0, 0], [40, 5]], [np.eye(2), wide], dof=[2.0, 80.0])
    three = Neighbour(two)(make_run(X, 3, family="student"))
    order = np.lexsort((three.means[:, 1], three.means[:, 0].round(-1)))
    np.testing.assert_allclose(three.means[order], [[0, 0], [40, 0], [40, 10]], atol=1.0)
    np.testing.assert_array_equal(three.shapes[order, 0], [2.0, 80.0, 80.0])
    back = Neighbour(three)(make_run(X, 2, family="student"))
    assert sorted(back.shapes[:, 0]) == [2.0, 80.0]
