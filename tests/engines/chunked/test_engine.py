"""Rows out of memory: every container of them, and every fault they can have."""

import gzip
import os
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest

from biglearn import GaussianMixture
from biglearn.engines import Chunked, RowOptions, open_source
from helpers import blobs

SMALL = Chunked(block_bytes=4000)


def fit(X, n_components=3, engine=SMALL, sample_weight=None, **parameters):
    parameters = {"method": "em", "random_state": 0, **parameters}
    model = GaussianMixture(n_components, engine=engine, **parameters)
    return model.fit(X, sample_weight=sample_weight)


@pytest.fixture
def X(rng):
    return blobs(rng, 1000, 3, spread=6.0)


class Again:
    """Blocks that are made anew for every pass, in one and the same memory."""

    def __init__(self, X, size=70):
        self.X, self.size, self.passes = X, size, 0

    def __iter__(self):
        self.passes += 1
        memory = np.empty((self.size, self.X.shape[1]), dtype=self.X.dtype)
        for start in range(0, len(self.X), self.size):
            rows = self.X[start : start + self.size]
            memory[: len(rows)] = rows
            yield memory[: len(rows)]


def write_npy(folder, X):
    np.save(folder / "rows.npy", X)
    return folder / "rows.npy"


def write_columns(folder, X):
    np.save(folder / "columns.npy", np.asfortranarray(X))
    return folder / "columns.npy"


def write_npz(folder, X):
    np.savez_compressed(folder / "rows.npz", rows=X)
    return folder / "rows.npz"


def write_csv(folder, X):
    pd.DataFrame(X, columns=["a", "b", "c"]).to_csv(folder / "rows.csv", index=False)
    return folder / "rows.csv"


def write_gz(folder, X):
    path = write_csv(folder, X)
    (folder / "rows.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    return folder / "rows.csv.gz"


def write_parquet(folder, X):
    pl.DataFrame(X, schema=["a", "b", "c"]).write_parquet(
        folder / "rows.parquet", row_group_size=90
    )
    return folder / "rows.parquet"


def write_folder(folder, X):
    for number, part in enumerate(np.array_split(X, [100, 101, 700])):
        np.save(folder / f"part-{number}.npy", part)
    (folder / "notes.txt").write_text("not a table")
    return folder


CONTAINERS = {
    "npy": write_npy,
    "npy by columns": write_columns,
    "npz": write_npz,
    "csv": write_csv,
    "csv.gz": write_gz,
    "parquet": write_parquet,
    "folder": write_folder,
    "files": lambda folder, X: sorted(write_folder(folder, X).glob("*.npy")),
    "memory map": lambda folder, X: np.load(write_npy(folder, X), mmap_mode="r"),
    "array": lambda folder, X: X,
    "frame": lambda folder, X: pd.DataFrame(X, columns=["a", "b", "c"]),
    "list of blocks": lambda folder, X: np.array_split(X, [10, 20, 500]),
    "list of frames": lambda folder, X: [pl.DataFrame(X[:9]), pl.DataFrame(X[9:])],
    "iterable": lambda folder, X: Again(X),
    "lists": lambda folder, X: X.tolist(),
}


@pytest.mark.parametrize("container", list(CONTAINERS))
def test_every_container_gives_the_model_of_the_array(tmp_path, X, container):
    rows = CONTAINERS[container](tmp_path, X)
    ours, theirs = fit(rows), fit(X, engine="memory")
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-7)
    np.testing.assert_array_equal(ours.predict(rows), theirs.predict(X))
    assert ours.score(rows) == pytest.approx(theirs.score(X), rel=1e-9)
    if container in ("csv", "csv.gz", "parquet", "frame"):
        assert ours.feature_names_in_.tolist() == ["a", "b", "c"]


def test_how_the_rows_arrive_changes_no_bit(X):
    whole, parts = fit(X), fit(np.array_split(X, [3, 400, 401]))
    np.testing.assert_array_equal(whole.covariances_, parts.covariances_)


def test_a_file_finds_its_features_by_name(tmp_path, X):
    model = fit(write_csv(tmp_path, X))
    known = pd.DataFrame(X, columns=["a", "b", "c"])
    frame = known.assign(d="text")[["d", "c", "a", "b"]]
    frame.to_parquet(tmp_path / "other.parquet")
    np.testing.assert_array_equal(model.predict(tmp_path / "other.parquet"), model.predict(known))
    frame.drop(columns="a").to_csv(tmp_path / "less.csv")
    with pytest.raises(ValueError, match="lacks 'a', which the model needs"):
        model.predict(tmp_path / "less.csv")


def test_blocks_may_bring_weights(X, rng):
    weights = rng.integers(0, 3, size=1000) * 1e3
    pairs = [(X[:300], weights[:300]), (X[300:], weights[300:])]
    ours, theirs = fit(pairs), fit(X, engine="memory", sample_weight=weights)
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-7)
    for size in (1e-9, 1e9):  # only their ratios count, as in memory
        scaled = fit([(rows, size * part) for rows, part in pairs])
        again = fit(X, engine="memory", sample_weight=size * weights)
        np.testing.assert_allclose(scaled.means_, again.means_, rtol=1e-7)
        scaled_pairs = [(rows, size * part) for rows, part in pairs]
        ours = open_source(scaled_pairs, RowOptions(engine=SMALL)).extent.weight
        theirs = open_source(
            X, RowOptions(engine="memory", sample_weight=size * weights)
        ).extent.weight
        assert ours == pytest.approx(theirs, rel=1e-12)
        totals = open_source(scaled_pairs, RowOptions(engine=SMALL)).total(lambda rows, w: w.sum())
        assert totals == pytest.approx(theirs, rel=1e-12)
    equal = fit([(part, np.full(len(part), 0.3)) for part in np.array_split(X, 3)])
    np.testing.assert_array_equal(equal.means_, fit(X).means_)
    np.testing.assert_array_equal(fit(X, sample_weight=0.3).means_, fit(X).means_)
    with pytest.raises(ValueError, match="one weight for each row, got the number 3"):
        fit(X, sample_weight=3)
    with pytest.raises(ValueError, match="bring weights of their own"):
        fit(pairs, sample_weight=weights)


def test_memory_is_bounded_and_stated(tmp_path, rng):
    X = rng.normal(size=(400_000, 4))
    path = write_npy(tmp_path, X)
    del X
    source = open_source(path, RowOptions(engine=Chunked(block_bytes=1 << 20)))
    assert source.most_bytes <= 4 << 20
    assert f"about {source.most_bytes / 2**20:.0f} MiB" in source.label
    tracemalloc.start()
    try:
        total = source.total(lambda rows, weights: rows.sum())
        fit(path, 2, engine=Chunked(block_bytes=1 << 20), max_iter=2, max_time=1e-9)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.isfinite(total)
    # the start looks at 20000 rows, 0.6 MiB, and the engine keeps work buffers of 1 MiB
    assert peak < source.most_bytes + (5 << 20)


def test_rows_that_can_be_read_only_once_are_refused(X):
    with pytest.raises(ValueError, match=r"a generator, which can be read only once.*partial_fit"):
        fit(block for block in [X])
    with pytest.raises(ValueError, match="X is a int; engine='chunked' takes"):
        fit(3)


def fault(blocks, message, **parameters):
    with pytest.raises(ValueError, match=message):
        fit(blocks, **parameters)


def test_a_block_unlike_the_first_is_named(X):
    fault([X, X[:, :2]], "block 1, which begins at row 1000, has n_features=2, .* n_features=3")
    fault([X, X.astype(np.float32)], "block 1, .* has dtype=float32, the first block dtype=float64")
    fault([X, X[0]], r"block 1 has shape \(3,\)")
    fault([X, np.full(X.shape, "x")], "block 1 holds text or other values that are no numbers")
    fault([X, X.astype(complex)], "block 1 holds complex128, not real numbers")
    fault([X, (X, np.ones(1000))], "has weighted=True, the first block weighted=False")
    fault([(X, np.ones(9))], r"weights from row 0 have shape \(9,\), expected \(1000,\)")
    fault([(X, np.ones(1000)), (X, -np.ones(1000))], "at least 0, got -1.0 in row 1000")
    frames = [pl.DataFrame(X, schema=list("abc")), pl.DataFrame(X, schema=list("abd"))]
    fault(frames, r"has names=\('a', 'b', 'd'\), the first block names=\('a', 'b', 'c'\)")


def test_a_value_that_is_not_finite_is_named_with_its_row_among_all(X):
    def blocks():
        for number in range(70):
            block = X[:10].copy()
            if number == 69:
                block[3, 1] = -np.inf
            yield block

    class Later:
        def __iter__(self):
            return blocks()

    fault(Later(), "-inf in column 1, row 693 ")
    frame = pl.DataFrame(X, schema=list("abc")).with_columns(b=pl.lit(float("inf")))
    fault([frame], r"inf in column 1 \('b'\), row 0")


def test_empty_blocks_are_skipped_and_counted(X):
    with pytest.warns(UserWarning, match="2 empty blocks of list were skipped"):
        model = fit([X[:0], X[:50], X[:0], X[50:]])
    np.testing.assert_array_equal(model.means_, fit(X).means_)
    fault([], "list holds no rows")
    fault([X[:0]], "list holds no rows")


def test_weights_must_fit_the_rows(X):
    fault(
        [X],
        "one weight for each row, got 999 for at least 1000 rows",
        sample_weight=[1, 2] + [1] * 997,
    )
    fault([X], "one weight for each row, got 1001 for 1000", sample_weight=[1, 2] + [1] * 999)
    fault([(X, np.zeros(1000))], "zero for every row")


def test_rows_that_change_in_number_are_noticed(X):
    class Shrinking(Again):
        def __iter__(self):
            self.X = self.X[:-1] if self.passes else self.X
            return super().__iter__()

    fault(Shrinking(X), "Shrinking gave 99. rows in this pass and ....? in the first")


def test_a_file_that_changes_or_breaks_off_is_named(tmp_path, X):
    path = write_npy(tmp_path, X)
    size = path.stat().st_size

    def change(record):
        with path.open("r+b") as stream:
            stream.truncate(size // 2)

    with pytest.raises(ValueError, match=r"cannot use '.*rows.npy': it changed while it was read"):
        fit(path, callback=change)
    write_npy(tmp_path, X)

    def touch(record):
        os.utime(path, ns=(0, 0))

    with pytest.raises(ValueError, match="it changed while it was read"):
        fit(path, callback=touch)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"claims shape .* but .* bytes follow"):
        fit(path)


@pytest.mark.parametrize("container", ["npy", "npy by columns", "parquet", "folder", "memory map"])
def test_rows_that_are_rewritten_with_the_same_size_and_time_are_noticed(tmp_path, X, container):
    rows = CONTAINERS[container](tmp_path, X)
    fit(rows)
    other = np.where(X[700, 1] == X, np.nextafter(X, 9), X)  # one bit of one value
    path = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)

    def rewrite(record):
        if record.step == 2:
            before = path.stat()
            CONTAINERS[container](tmp_path, other)
            assert path.stat().st_size == before.st_size
            for one in tmp_path.iterdir():
                os.utime(one, ns=(before.st_atime_ns, before.st_mtime_ns))

    for one in tmp_path.iterdir():  # those of a folder were written one after the other
        os.utime(one, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    with pytest.raises(ValueError, match=r"gave other rows in this pass than in the first"):
        fit(rows, callback=rewrite)


def test_weights_that_change_are_noticed(X, rng):
    weights = rng.random(1000)

    def change(record):
        weights[500] += 1e-9

    class Memory:  # sliced like an array, with weights beside it
        is_fixed, label, header, names = True, "memory", None, None

        def blocks(self, n_rows):
            yield X, weights

    source = SMALL.open_source(X, RowOptions(engine=SMALL))
    source = type(source)(Memory(), RowOptions(engine=SMALL), 4000)
    assert source.total(lambda rows, weights: 1) > 1
    change(None)
    with pytest.raises(ValueError, match="memory gave other rows"):
        source.total(lambda rows, weights: 1)


def test_text_that_changes_after_it_was_read_twice_changes_nothing(tmp_path, X):
    path = write_csv(tmp_path, X)
    whole, before = fit(path), path.stat()

    def rewrite(record):
        path.write_bytes(path.read_bytes()[::-1])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    np.testing.assert_array_equal(fit(path, callback=rewrite).means_, whole.means_)


def test_folders_and_their_files_must_fit_together(tmp_path, X):
    with pytest.raises(ValueError, match="holds no file that ends in"):
        fit(tmp_path)
    write_csv(tmp_path, X)
    np.save(tmp_path / "zzz.npy", X[:, :2])
    with pytest.raises(ValueError, match=r"'.*zzz.npy': its columns are \['0', '1'\], those of"):
        fit(tmp_path)


def test_more_components_than_rows_are_refused(X):
    fault([X[:2]], "n_components=3 .*n_samples=2")


def test_an_error_in_the_iterable_reaches_the_user(X):
    class Broken:
        def __iter__(self):
            yield X
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        fit(Broken())
