"""Merging of components, beside a straightforward account of both criteria."""

import numpy as np
import pytest

from biglearn.model.merging import Shares, merge


def entropy_of(shares, weights):
    return -(weights[:, None] * shares * np.log(np.where(shares > 0, shares, 1))).sum()


def lowered(shares, weights, a, b):
    """Return by how much a merge lowers the entropy, from the definition."""
    return entropy_of(shares, weights) - entropy_of(joined(shares, a, b), weights)


def taken(shares, weights, a, b):
    """Return how often one of two is taken for the other, row by row."""
    winners = shares.argmax(axis=1)
    both = []
    for one, other in ((a, b), (b, a)):
        lost = sum(
            w * s[one] for w, s, k in zip(weights, shares, winners, strict=True) if k == other
        )
        both.append(lost / (weights @ shares[:, one]))
    return max(both)


def joined(shares, a, b):
    out = np.delete(shares, b, axis=1)
    out[:, a] += shares[:, b]
    return out


def drawn(rng, n_rows=60, n_components=5):
    return rng.dirichlet(np.full(n_components, 0.3), size=n_rows), rng.uniform(0.5, 3.0, n_rows)


@pytest.mark.parametrize(
    ("criterion", "affinity"), [("entropy", lowered), ("misclassification", taken)]
)
@pytest.mark.parametrize("noise", [0, 1])
def test_each_merge_is_the_one_that_the_criterion_asks_for(rng, criterion, affinity, noise):
    shares, weights = drawn(rng)
    merging = merge(Shares.of(shares, weights), 5 - noise, criterion)
    names, entropies, merged = list(range(5 - noise)), [entropy_of(shares, weights)], [0.0]
    for step, (one, other, height, _) in enumerate(merging.tree):
        pairs = [(a, b) for b in range(len(names)) for a in range(b)]
        a, b = max(pairs, key=lambda pair: affinity(shares, weights, *pair))
        assert sorted((names[a], names[b])) == [one, other]
        merged.append(merged[-1] + weights @ shares[:, [a, b]].sum(axis=1))
        shares = joined(shares, a, b)
        names[a] = 5 - noise + step
        del names[b]
        entropies.append(entropy_of(shares, weights))
        assert height == pytest.approx(entropies[0] - entropies[-1])
    np.testing.assert_allclose(merging.entropy[::-1], entropies, atol=1e-9)
    np.testing.assert_allclose(merging.merged_rows[::-1], merged)


def test_shares_add_and_a_weight_is_a_number_of_copies(rng):
    shares, _ = drawn(rng)
    copies = rng.integers(1, 4, size=len(shares))
    whole = merge(Shares.of(shares, copies.astype(float)), 5)
    repeated = np.repeat(shares, copies, axis=0)
    parts = merge(Shares.of(repeated[:50]) + Shares.of(repeated[50:]), 5)
    np.testing.assert_allclose(parts.tree, whole.tree)
    np.testing.assert_allclose(parts.entropy, whole.entropy, atol=1e-9)


def test_clusters_are_numbered_by_first_components_at_every_level(rng):
    merging = merge(Shares.of(drawn(rng)[0]), 5)
    assert merging.clusters(5).tolist() == [0, 1, 2, 3, 4]
    assert merging.clusters(1).tolist() == [0, 0, 0, 0, 0]
    for size in (2, 3, 4):
        labels, finer = merging.clusters(size), merging.clusters(size + 1)
        assert sorted(set(labels)) == list(range(size))
        firsts = [int(np.argmax(labels == cluster)) for cluster in range(size)]
        assert firsts == sorted(firsts)
        assert all(len(set(labels[finer == part])) == 1 for part in range(size + 1))


def test_the_tree_is_one_that_scipy_reads(rng):
    from scipy.cluster.hierarchy import fcluster, is_valid_linkage

    merging = merge(Shares.of(drawn(rng, n_components=8)[0]), 8)
    assert is_valid_linkage(merging.tree)
    theirs = fcluster(merging.tree, 3, criterion="maxclust")
    ours = merging.clusters(3)
    assert len(set(zip(theirs, ours, strict=True))) == 3


def paired(overlap, n=100):
    """Return the shares of rows in 3 clusters of 2 components each, which overlap so much."""
    shares = np.zeros((3 * n, 6))
    for cluster in range(3):
        shares[cluster * n : (cluster + 1) * n, 2 * cluster] = 1 - overlap
        shares[cluster * n : (cluster + 1) * n, 2 * cluster + 1] = overlap
        shares[cluster * n, :] = [0.95 - 0.025 * cluster, *[0.01 + 0.005 * cluster] * 5]
    return shares


def test_the_elbow_is_where_the_steep_fall_ends():
    merging = merge(Shares.of(paired(0.4)), 6)
    assert merging.clusters(3).tolist() == [0, 0, 1, 1, 2, 2]
    assert merging.elbow() == 3


def test_without_overlap_every_component_is_a_cluster():
    assert merge(Shares.of(np.repeat(np.eye(4), 9, axis=0)), 4).elbow() == 4
    assert merge(Shares.of(np.full((9, 2), 0.5)), 2).elbow() == 2
    assert merge(Shares.of(np.ones((9, 1))), 1).elbow() == 1
