"""Clusters of merged components."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from biglearn import GaussianMixture
from helpers import with_gaps


@pytest.fixture(scope="module")
def rings():
    """Return rows in a ring about a disc, and which is which."""
    rng = np.random.default_rng(5)
    angles = rng.uniform(0, 2 * np.pi, size=800)
    radii = np.repeat([4.0, 0.0], 400) + 0.3 * rng.normal(size=800)
    X = radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    return X, np.repeat([0, 1], 400)


@pytest.fixture(scope="module")
def model(rings):
    return GaussianMixture(9, random_state=0).fit(rings[0])


@pytest.mark.parametrize("criterion", ["entropy", "misclassification"])
def test_clusters_of_any_shape_are_found(model, rings, criterion):
    X, y = rings
    clusters = model.merge_components(X, 2, criterion=criterion)
    assert adjusted_rand_score(y, model.predict(X)) < 0.7
    assert adjusted_rand_score(y, clusters.labels_) == 1
    np.testing.assert_array_equal(clusters.labels_, clusters.component_labels[model.predict(X)])


def test_responsibilities_of_a_cluster_are_those_of_its_components(model, rings):
    X, _ = rings
    clusters = model.merge_components(X, 3)
    mine = model.predict_proba(X)
    summed = [mine[:, clusters.component_labels == c].sum(axis=1) for c in range(3)]
    np.testing.assert_allclose(clusters.predict_proba(X), np.transpose(summed))
    np.testing.assert_array_equal(clusters.predict(X), np.argmax(summed, axis=0))
    np.testing.assert_array_equal(clusters.predict(X), clusters.labels_)
    ninth = -(mine * np.log(np.maximum(mine, 1e-300))).sum()
    assert clusters.entropy[-1] == pytest.approx(ninth)
    assert (clusters.entropy[0], len(clusters.tree)) == (pytest.approx(0.0), 8)


def test_rows_from_a_file_and_repeated_rows_say_the_same(model, rings, tmp_path):
    X, _ = rings
    whole = model.merge_components(X, 2)
    np.save(tmp_path / "rows.npy", X)
    stored = model.merge_components(tmp_path / "rows.npy", 2)
    np.testing.assert_allclose(stored.entropy, whole.entropy, atol=1e-9)
    np.testing.assert_array_equal(stored.labels_, whole.labels_)
    copies = np.arange(len(X)) % 3
    weighted = model.merge_components(X, 2, sample_weight=copies)
    repeated = model.merge_components(np.repeat(X, copies, axis=0), 2)
    np.testing.assert_allclose(weighted.tree, repeated.tree)
    assert len(weighted.labels_) == len(X)


def test_rows_with_gaps_belong_to_what_their_values_say(model, rings, rng):
    X, _ = rings
    holes = with_gaps(rng, X)
    clusters = model.merge_components(holes, 2)
    by_component = model.predict_proba(holes)
    first = by_component[:, clusters.component_labels == 0].sum(axis=1)
    np.testing.assert_allclose(clusters.predict_proba(holes)[:, 0], first)


def test_noise_stays_by_itself(rings, rng):
    X = np.concatenate([rings[0], rng.uniform(-8, 8, size=(80, 2))])
    model = GaussianMixture(9, noise=True, random_state=0).fit(X)
    clusters = model.merge_components(X, 2)
    noise = model.predict(X) == -1
    assert noise.sum() > 20
    assert clusters.predict_proba(X).shape == (880, 3)
    np.testing.assert_allclose(clusters.predict_proba(X)[:, 2], model.predict_proba(X)[:, 9])
    np.testing.assert_array_equal(clusters.labels_[noise], -1)
    assert adjusted_rand_score(rings[1], clusters.labels_[:800]) > 0.9
    everything = model.merge_components(X, 1).predict_proba(X)
    np.testing.assert_allclose(everything.sum(axis=1), 1)


def test_left_to_itself_it_finds_clusters_where_components_do_not_overlap(rng):
    X = np.repeat([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0]], 60, axis=0) + rng.normal(size=(180, 2))
    model = GaussianMixture(3, random_state=0).fit(X)
    assert model.merge_components(X).n_clusters == 3


def test_what_cannot_be_merged_is_refused(model, rings):
    with pytest.raises(ValueError, match=r"at most the number of components, 9, got 10.*select_mi"):
        model.merge_components(rings[0], 10)
    with pytest.raises(ValueError, match=r"n_clusters.*0"):
        model.merge_components(rings[0], 0)
    with pytest.raises(ValueError, match=r"criterion.*'ward'"):
        model.merge_components(rings[0], 2, criterion="ward")
