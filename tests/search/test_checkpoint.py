"""A fit that is killed at any moment goes on, and ends in the same model to the last bit."""

import errno
import os
import struct
import subprocess
import sys

import numpy as np
import pytest

import kills
from biglearn import GaussianMixture
from biglearn.engines import Chunked, MemoryEngine
from biglearn.model.moments import Moments
from biglearn.search import checkpoint
from biglearn.search.methods import Paper, Search
from helpers import blobs

METHODS = {"em": "em", "paper": Paper(steps=15, size=2), "search": Search(effort=2)}


class KilledError(Exception):
    pass


class Killer:
    """Raise at the given number of records."""

    def __init__(self, after):
        self.left = after

    def __call__(self, record):
        self.left -= 1
        if self.left < 0:
            raise KilledError


class Counting(MemoryEngine):
    """Count the joint passes."""

    passes = 0

    def expect(self, mixture):
        Counting.passes += 1
        return super().expect(mixture)


def model(method="search", **parameters):
    parameters = {"random_state": 1, "max_iter": 400, "n_init": 2, **parameters}
    return GaussianMixture(3, method=METHODS.get(method, method), **parameters)


@pytest.fixture
def X(rng):
    return blobs(rng, 300, 3)


def assert_same(one, other):
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.lower_bounds_ == other.lower_bounds_
    assert one.converged_ == other.converged_
    assert [r.log_likelihood for r in one.history_] == pytest.approx(
        [r.log_likelihood for r in other.history_], abs=0, nan_ok=True
    )


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("engine", ["memory", Chunked(block_bytes=4000)])
def test_a_killed_fit_goes_on_to_the_same_model(tmp_path, rng, X, method, engine):
    whole = model(method, engine=engine).fit(X)
    path, kills = tmp_path / "fit.checkpoint", 0
    while True:
        # each attempt repeats what is known, and gets further than the one before
        callback = Killer(int(rng.integers(1, len(whole.history_))) if kills < 3 else 10**9)
        try:
            done = model(method, engine=engine, checkpoint=path, callback=callback).fit(X)
            break
        except KilledError:
            kills += 1
    assert kills == 3
    assert_same(done, whole)


def test_known_passes_are_not_made_again(tmp_path, X, without_numba):
    without_numba()  # many passes over few rows are one call, which is sooner made than read
    path = tmp_path / "fit.checkpoint"
    with pytest.raises(KilledError):
        model("em", engine=Counting, checkpoint=path, callback=Killer(8)).fit(X)
    before = Counting.passes
    done = model("em", engine=Counting, checkpoint=path).fit(X)
    assert Counting.passes == done.history_[-1].passes
    Counting.passes = 0
    assert_same(model("em", engine=Counting, checkpoint=path).fit(X), done)
    assert Counting.passes == 0
    assert before > 0


def test_a_file_that_breaks_off_anywhere_is_gone_on_with(tmp_path, rng, X):
    path = tmp_path / "fit.checkpoint"
    whole = model("em", checkpoint=path).fit(X)
    content = path.read_bytes()
    for length in [0, 1, 21, 22, 30, *rng.integers(len(content), size=5), len(content) - 1]:
        path.write_bytes(content[:length])
        assert_same(model("em", checkpoint=path).fit(X), whole)
        assert path.read_bytes()[:22] == content[:22]
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match=r"is damaged behind pass \d+; the fit goes on"):
        again = model("em", checkpoint=path).fit(X)
    assert_same(again, whole)
    assert path.read_bytes()[:22] == content[:22]


def test_without_a_seed_the_file_gives_it(tmp_path, X):
    path = tmp_path / "fit.checkpoint"
    first = model(random_state=None, checkpoint=path).fit(X)
    assert_same(model(random_state=None, checkpoint=path).fit(X), first)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"random_state": 2}, "another fit: random_state was"),
        ({"tol": 1e-3}, "another fit: tol was 1e-05 there and is 0.001 now"),
        ({"method": "em"}, "another fit: method was .*Search.* is .*EM"),
        ({"method": Search(effort=9)}, "another fit: method was .*'effort': 2.*'effort': 9"),
    ],
)
def test_the_checkpoint_of_another_fit_is_refused(tmp_path, X, change, message):
    path = tmp_path / "fit.checkpoint"
    model(checkpoint=path).fit(X)
    with pytest.raises(ValueError, match=message):
        model(**{"checkpoint": path, **change}).fit(X)
    with pytest.raises(ValueError, match="another fit: rows was"):
        model(checkpoint=path).fit(X + 1)


def test_a_file_that_is_none_is_refused_and_left_alone(tmp_path, X):
    path = tmp_path / "notes.txt"
    path.write_text("my only copy of the thesis")
    with pytest.raises(ValueError, match=r"notes.txt' is no checkpoint"):
        model(checkpoint=path).fit(X)
    assert path.read_text() == "my only copy of the thesis"


def test_a_fit_that_computes_otherwise_goes_on_by_itself(tmp_path, X, without_numba):
    without_numba()  # so that every pass is in the journal
    path = tmp_path / "fit.checkpoint"
    labels = np.arange(300) % 3
    model("em", init_params=labels, checkpoint=path).fit(X)
    with pytest.warns(UserWarning, match="from pass 0 on the checkpoint .* does not fit"):
        other = model("em", init_params=labels[::-1].copy(), checkpoint=path).fit(X)
    assert_same(model("em", init_params=labels[::-1].copy(), checkpoint=path).fit(X), other)


def test_moments_that_are_not_symmetric_come_back_as_they_were(tmp_path, rng, X):
    class Skewed(MemoryEngine):
        def expect(self, mixture):
            moments = super().expect(mixture)
            moments.second[:, 0, 1] *= 1 + 1e-15
            return Moments(**vars(moments))

    path = tmp_path / "fit.checkpoint"
    first = model("em", engine=Skewed, checkpoint=path).fit(X)
    assert_same(model("em", engine=Skewed, checkpoint=path).fit(X), first)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("polish", [True, False])
def test_no_pass_is_made_after_an_interrupt_or_an_error(X, error, polish):
    class Failing(MemoryEngine):
        passes = 0

        def expect(self, mixture):
            Failing.passes += 1
            if Failing.passes >= limit:
                raise error("at a pass")
            return super().expect(mixture)

    for limit in (1, 10):
        Failing.passes = 0
        with pytest.raises(error, match="at a pass"):
            model(Paper(polish=polish), engine=Failing).fit(X)
        assert Failing.passes == limit


def test_an_interrupted_fit_leaves_the_best_so_far(X):
    def interrupt(record):
        if record.step == 20:
            raise KeyboardInterrupt

    stopped = model(callback=interrupt, prior=None, init_params="random")
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(X)
    assert [r.step for r in stopped.history_] == list(range(21))
    assert stopped.lower_bound_ == stopped.history_[-1].best
    assert stopped.score(X) == pytest.approx(stopped.lower_bound_)
    assert np.isnan(stopped.loo_score_)  # no further pass was made
    assert stopped.doubts_ == []

    def at_once(record):
        raise KeyboardInterrupt

    fresh = model(callback=at_once)
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X)
    assert not hasattr(fresh, "mixture_")  # nothing was evaluated yet


# Other rows, and files that cannot be used


@pytest.fixture
def alike(rng):
    """Return two tables of other rows with the same means and deviations, to the last bit."""
    column = np.tile([-1.0, -0.5, 0.5, 1.0], 100)
    X = np.c_[rng.permutation(column), rng.permutation(column)]
    return X, np.c_[X[:, 0], rng.permutation(X[:, 1])]


@pytest.mark.parametrize("engine", ["memory", Chunked(block_bytes=2000)])
@pytest.mark.parametrize(
    "start",
    [{"init_params": "normal"}, {"means_init": [[0.0, 0.0], [3.0, 3.0], [0.0, 3.0]]}],
)
def test_a_checkpoint_knows_its_rows_where_the_start_does_not(tmp_path, alike, engine, start):
    path = tmp_path / "fit.checkpoint"
    how = {"method": "em", "engine": engine, "checkpoint": path, **start}
    one, other = alike
    whole = model(**how).fit(one)
    for rows in (other, one[::-1], one[:-1]):
        with pytest.raises(ValueError, match=r"fit.checkpoint' is the checkpoint of another fit"):
            model(**how).fit(rows)
    assert_same(model(**how).fit(one), whole)


def test_a_checkpoint_knows_the_weights_of_its_rows(tmp_path, rng):
    how = {"method": "em", "init_params": "normal", "checkpoint": tmp_path / "fit.checkpoint"}
    X = rng.permutation(np.tile([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]], (75, 1)))
    weights = 2.0 + X[:, 0] * X[:, 1]  # the other way round they give the same mean and deviation
    model(**how).fit(X, sample_weight=weights)
    for others in (None, 4.0 - weights):
        with pytest.raises(ValueError, match="another fit: rows was"):
            model(**how).fit(X, sample_weight=others)


def test_the_passes_of_another_fit_behind_our_header_are_dropped(tmp_path, alike, without_numba):
    without_numba()  # so that every pass is in the journal
    path = tmp_path / "fit.checkpoint"
    how = {"method": "em", "init_params": "normal", "checkpoint": path, "prior": None}
    contents, models = [], []
    for rows in alike:
        path.unlink(missing_ok=True)
        models.append(model(**how).fit(rows))
        contents.append(path.read_bytes())
    length = struct.unpack_from("<Q", contents[0], 22)[0] + 22 + 24  # magic and frame before it
    path.write_bytes(contents[0][:length] + contents[1][length:])
    with pytest.warns(UserWarning, match="damaged behind pass 0"):
        again = model(**how).fit(alike[0])
    assert_same(again, models[0])


class Full:
    """A disk that is full after so many writes."""

    def __init__(self, monkeypatch, after):
        self.left = after
        self.write = checkpoint.write_whole
        monkeypatch.setattr(checkpoint, "write_whole", self)

    def __call__(self, stream, content):
        self.left -= 1
        if self.left < 0:
            stream.write(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.write(stream, content)


@pytest.mark.parametrize("after", [0, 1, 2, 5])
def test_a_full_disk_ends_the_checkpoint_and_not_the_fit(tmp_path, monkeypatch, X, after):
    path = tmp_path / "fit.checkpoint"
    how = {"method": "em", "engine": Chunked(block_bytes=4000), "checkpoint": path}
    whole = model(**{**how, "checkpoint": None}).fit(X)
    Full(monkeypatch, after)
    with pytest.warns(UserWarning, match=r"fit.checkpoint' cannot be written \(no space") as caught:
        assert_same(model(**how).fit(X), whole)
    assert len(caught) == 1
    monkeypatch.undo()
    assert_same(model(**how).fit(X), whole)  # what was written is gone on with


def test_a_file_that_cannot_be_opened_or_is_none_is_named_before_any_work(tmp_path, X):
    with pytest.raises(FileNotFoundError, match=r"cannot write '.*nowhere/fit'"):
        model(checkpoint=tmp_path / "nowhere" / "fit").fit(X)
    with pytest.raises(IsADirectoryError, match="cannot write"):
        model(checkpoint=tmp_path).fit(X)
    with pytest.raises(OSError, match="cannot write '/dev/null': it is not a regular file"):
        model(checkpoint="/dev/null").fit(X)


def test_two_fits_do_not_share_a_file(tmp_path, X):
    path = tmp_path / "fit.checkpoint"
    code = (
        "import sys\nfrom pathlib import Path\nfrom biglearn.tables.files import sole\n"
        "with sole(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(
            BlockingIOError, match=r"fit.checkpoint' is in use by another fit; wait"
        ):
            model("em", checkpoint=path).fit(X)
        other.kill()  # and the lock dies with it
        other.wait()
    model("em", checkpoint=path).fit(X)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_fits_killed_at_random_moments_end_in_the_same_model(rng, without_numba):
    without_numba()
    assert kills.killed_and_resumed(rng, 2) == (0, 2)


def test_no_damaged_file_is_taken_for_something_else(rng, without_numba):
    without_numba()
    others, refused = kills.taken_for_another(rng, 16)
    assert others == 0
    assert refused < 16
