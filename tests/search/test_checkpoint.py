"""A fit that is killed at any moment goes on, and ends in the same model to the last bit."""

import numpy as np
import pytest

from biglearn import BigLearnGaussianMixture
from biglearn.engines import Chunked, MemoryEngine
from biglearn.model.moments import Moments
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
    return BigLearnGaussianMixture(3, method=METHODS.get(method, method), **parameters)


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
    assert_same(model("em", checkpoint=path).fit(X), whole)


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
