"""The dask engine: lazy answers, bad input, and a cluster that loses a worker in mid-fit."""

import os
import signal

import numpy as np
import pandas as pd
import pytest

from biglearn import GaussianMixture
from biglearn.engines.rows.units import Units
from biglearn.search.methods import Paper
from helpers import blobs

da = pytest.importorskip("dask.array", reason="needs dask: pip install 'biglearn-em[dask]'")

import dask  # noqa: E402

from biglearn.engines import RowOptions, open_source  # noqa: E402
from biglearn.engines.choose import choose  # noqa: E402
from biglearn.engines.dask.engine import Dask, tree_sum  # noqa: E402


def fit(X, weights=None, **parameters):
    parameters = {"method": "em", "random_state": 0, "tol": 1e-3} | parameters
    return GaussianMixture(3, **parameters).fit(X, sample_weight=weights)


def assert_same_fit(ours, theirs):
    # sums over partitions in another order, and EM that stops at a tolerance
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=1e-10)
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-6)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-6, atol=1e-9)


def test_the_tree_adds_everything_in_order():
    for n in (1, 2, 5, 8):
        letters = [dask.delayed(chr(ord("a") + i)) for i in range(n)]
        assert tree_sum(letters).compute() == "abcdefgh"[:n]


def test_answers_are_lazy_and_chunked_like_the_rows(rng):
    X = blobs(rng, 300, 3).astype(np.float32)
    chunks = da.from_array(X, chunks=(70, 2))
    model = fit(chunks)
    for name, width in (("predict", None), ("score_samples", None), ("predict_proba", 3)):
        lazy, expected = getattr(model, name)(chunks), getattr(model, name)(X)
        assert isinstance(lazy, da.Array)
        assert lazy.chunks[0] == chunks.chunks[0]
        assert lazy.shape[1:] == (() if width is None else (width,))
        assert lazy.dtype == expected.dtype
        # the blocks of a product may round in another way
        np.testing.assert_allclose(lazy.compute(), expected, rtol=1e-5, atol=1e-6)
    assert model.score(chunks) == pytest.approx(model.score(X), rel=1e-12)


@pytest.mark.parametrize("kind", ["numpy", "aligned", "other chunks"])
def test_weights_come_in_any_chunks(rng, kind):
    X, weights = blobs(rng, 300, 2), rng.integers(0, 3, size=300).astype(float)
    weights[:70] = 0  # a whole partition
    given = weights
    if kind != "numpy":
        given = da.from_array(weights, chunks=70 if kind == "aligned" else 100)
    assert_same_fit(fit(da.from_array(X, chunks=(70, 2)), given), fit(X, weights))


def test_data_frames_are_rows_with_names(rng):
    dd = pytest.importorskip("dask.dataframe", reason="needs dask.dataframe (pandas)")
    table = pd.DataFrame(blobs(rng, 200, 2), columns=["height", "width"])
    frame = dd.from_pandas(table, npartitions=3)
    model = fit(frame)
    assert model.feature_names_in_.tolist() == ["height", "width"]
    assert_same_fit(model, fit(table))
    np.testing.assert_array_equal(model.predict(frame).compute(), model.predict(table))
    assert_same_fit(fit(frame, np.ones(200)), model)
    with pytest.raises(ValueError, match=r"columns are \['width', 'height'\]|columns of X are"):
        model.predict(frame[["width", "height"]])
    text = dd.from_pandas(table.assign(name="x"), npartitions=3)
    with pytest.raises(ValueError, match=r"columns \['name'\] do not hold numbers"):
        fit(text)


def test_what_is_wrong_is_named(rng):
    X = blobs(rng, 90, 2)
    bad = X.copy()
    bad[65, 1] = np.inf
    with pytest.raises(ValueError, match=r"partition 2: .*inf in column 1, row 5"):
        fit(da.from_array(bad, chunks=(30, 2)))
    chunks = da.from_array(X, chunks=(30, 2))
    with pytest.raises(ValueError, match="Expected 2D array"):
        fit(chunks[:, 0])
    with pytest.raises(ValueError, match="holds complex128"):
        fit(chunks.astype(complex))
    with pytest.raises(ValueError, match="at least 0, got -1"):
        fit(chunks, da.from_array(np.r_[-1.0, np.ones(89)], chunks=30))
    with pytest.raises(ValueError, match="zero for every row"):
        fit(chunks, da.zeros(90, chunks=30) * da.arange(90, chunks=30))
    with pytest.raises(ValueError, match=r"shape \(90,\)"):
        fit(chunks, np.ones(7))
    with pytest.raises(ValueError, match="has no rows"):
        fit(da.zeros((0, 2)))


def test_sums_depend_on_the_partitions_alone(rng):
    X = blobs(rng, 500, 3)
    engine = open_source(da.from_array(X, chunks=(90, 3)), RowOptions()).engine(Units.identity(3))
    mixture = fit(X).mixture_
    one, other = engine.expect(mixture), engine.expect(mixture)
    np.testing.assert_array_equal(one.second, other.second)
    assert one.log_likelihood == other.log_likelihood


@pytest.fixture
def client():
    distributed = pytest.importorskip("distributed", reason="needs distributed")
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit=None,
        silence_logs=50,
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def test_a_fit_survives_the_loss_of_a_worker(rng, client):
    X = blobs(rng, 3000, 3, spread=1.0)
    chunks = da.from_array(X, chunks=(1000, 3))
    few = {"method": Paper(steps=2, polish=False)}
    pids = client.run(os.getpid)
    assert len(pids) == 2
    killed = []

    def kill_one(record):
        if record.step == 1:
            pid = next(iter(pids.values()))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    model = fit(chunks, engine=Dask(client), callback=kill_one, **few)
    assert killed
    assert_same_fit(model, fit(X, **few))
    labels = model.predict(chunks)
    assert isinstance(labels, da.Array)
    np.testing.assert_array_equal(labels.compute(), model.predict(X))
    assert choose(None, client) == "dask"
