"""Pictures are tested by the artists they are made of."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from biglearn.model.mixture import Mixture
from biglearn.plots import ellipses, likelihood
from biglearn.search.records import Record


@pytest.fixture
def ax():
    return Figure().subplots()


def outline(patch) -> np.ndarray:
    """Return points on an ellipse, in data units."""
    return patch.get_patch_transform().transform(patch.get_path().vertices)


def test_an_outline_is_two_standard_deviations_from_its_mean(mixture, ax):
    ellipses(mixture, ax=ax, features=["c", "a"])
    for k, patch in enumerate(ax.patches):
        mean = mixture.means[k][[2, 0]]
        covariance = mixture.covariances[k][np.ix_([2, 0], [2, 0])]
        offset = outline(patch)[::3] - mean  # every third vertex of a Bézier path lies on it
        squared = np.einsum("ni,ij,nj->n", offset, np.linalg.inv(covariance), offset)
        np.testing.assert_allclose(np.sqrt(squared), 2.0, rtol=1e-6)


def test_axes_are_named_and_heavier_components_drawn_stronger(mixture, ax):
    assert ellipses(mixture, ax=ax, features=["c", "a"], deviations=1) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("c", "a")
    strength = [patch.get_alpha() for patch in ax.patches]
    assert np.argsort(strength).tolist() == np.argsort(mixture.weights).tolist()


def test_points_are_the_rows_in_the_two_features(mixture, ax, rng):
    X, labels = mixture.sample(40, rng)
    ellipses(mixture, X, ax, features=(2, 1), labels=labels)
    (points,) = ax.collections
    np.testing.assert_allclose(points.get_offsets(), X[:, [2, 1]])
    assert len(set(points.get_array())) == 3


def test_many_rows_are_thinned(mixture, ax, rng):
    X, _ = mixture.sample(12_000, rng)
    ellipses(mixture, X, ax)
    assert len(ax.collections[0].get_offsets()) == 5000


def test_two_features_are_needed(mixture, ax):
    with pytest.raises(ValueError, match=r"two features, got \['a'\]"):
        ellipses(mixture, ax=ax, features=["a"])
    line = Mixture([1.0], [[0.0]], [[[1.0]]])
    with pytest.raises(ValueError, match="feature"):
        ellipses(line, ax=ax)


def record(seconds: float, best: float) -> Record:
    return Record(
        step=0,
        move="em",
        log_likelihood=best,
        best=best,
        accepted=True,
        passes=1,
        raised=0,
        reseeded=0,
        seconds=seconds,
    )


def test_a_line_for_each_fit_without_what_is_not_known(ax):
    first = [record(0.1, -np.inf), record(0.2, -3.0), record(0.4, -2.0)]
    likelihood({"first": first, "second": [], "third": iter([record(0.1, -4.0)])}, ax)
    assert [line.get_label() for line in ax.lines] == ["first", "second", "third"]
    assert ax.lines[0].get_xydata().tolist() == [[0.2, -3.0], [0.4, -2.0]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "first",
        "second",
        "third",
    ]
