"""Checkpoints: what they may differ in, and the clock that goes on."""

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from biglearn import GaussianMixture
from biglearn.model.constraints import Constraints
from biglearn.model.structures import Structure
from biglearn.search import checkpoint
from biglearn.search.checkpoint import Journal, described
from biglearn.search.legs import DisturbLeg
from biglearn.search.methods import EM, Paper, Search
from biglearn.search.run import BudgetSpentError, Settings
from helpers import blobs
from scripted import Clock, ScriptedEngine, ScriptedLeg, components_of, run_of

POINTS = [components_of([0.5, 0.5], [[float(x), 0.0], [float(x), 4.0]]) for x in range(6)]


class Store(io.BytesIO):
    """A file in memory, of which a journal asks the size."""

    name = "a store"

    def fileno(self):
        return 0


@pytest.fixture
def clock(monkeypatch):
    """Return the clock that journals see."""
    clock = Clock(1000.0)
    monkeypatch.setattr(checkpoint, "time", SimpleNamespace(perf_counter=clock))
    return clock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.checkpoint"


def opened(path):
    return path.open("a+b")


def make_passes(run, clock, points, seconds=1.0):
    for point in points:
        clock.now += seconds
        run.expect(point)


# The header


def test_the_time_budget_is_no_part_of_what_tells_fits_apart():
    short, long = (
        described(Settings(3, max_time=seconds), Constraints(), EM()) for seconds in (1.0, None)
    )
    assert short == long
    assert "max_time" not in short


@pytest.mark.parametrize("change", [{"tol": 0.5}, {"max_iter": 3}, {"n_init": 2}])
def test_all_other_settings_are(change):
    settings = Settings(3, tol=1e-3, max_iter=10)
    one = described(settings, Constraints(), EM())
    assert described(replace(settings, **change), Constraints(), EM()) != one


def test_floor_structure_and_method_are_as_well():
    settings = Settings(3)
    one = described(settings, Constraints(), Paper())
    assert described(settings, Constraints(floor=0.5), Paper()) != one
    assert described(settings, Constraints(), Paper(steps=3)) != one
    assert described(settings, Constraints(), Search()) != one


def test_leg_objects_are_told_as_another_process_would():
    class Mine:
        name, fresh = "mine", True

        def moves(self, run):
            yield from ()

    for leg in (ScriptedLeg, Mine):
        one, other = (described(Settings(3), Constraints(), Search(legs=(leg(),))) for _ in "ab")
        assert one == other
        assert "0x" not in str(one)


def test_structures_that_differ_in_a_number_of_their_own_are_told_apart():
    class Mine(Structure):
        def __init__(self, number):
            super().__init__("mine")
            object.__setattr__(self, "number", number)

    one, other = (described(Settings(3), Constraints(Mine(n)), Search()) for n in (1, 2))
    assert one != other


def test_functions_are_told_by_their_names():
    def gain(components, view):
        return None

    legs = ("restart", DisturbLeg("mine", gain))
    words = str(described(Settings(3), Constraints(), Search(legs=legs)))
    assert "gain" in words
    assert "0x" not in words


class Interrupt:
    """Interrupts a fit at a record."""

    def __init__(self, after):
        self.left = after

    def __call__(self, record):
        self.left -= 1
        if self.left < 0:
            raise InterruptedError


def test_a_fit_may_be_given_more_time_and_no_other_tolerance(rng, path):
    X = blobs(rng, 200, 2)
    fit = {"method": "em", "checkpoint": path, "random_state": 0, "max_iter": 500}
    model = GaussianMixture(3, max_time=500.0, callback=Interrupt(3), **fit)
    with pytest.raises(InterruptedError):
        model.fit(X)
    with pytest.raises(ValueError, match="checkpoint of another fit: tol was"):
        GaussianMixture(3, max_time=1000.0, tol=1e-9, **fit).fit(X)
    resumed = GaussianMixture(3, max_time=1000.0, **fit).fit(X)
    whole = GaussianMixture(3, **{**fit, "checkpoint": None}).fit(X)
    np.testing.assert_array_equal(resumed.means_, whole.means_)


# The clock


def test_the_clock_goes_on_where_the_journal_ends(path, clock):
    with opened(path) as stream:
        journal = Journal(stream, {"fit": {}})
        run = run_of(journal.wrapped(ScriptedEngine()), 2, clock=journal.clock)
        make_passes(run, clock, POINTS[:3], seconds=10.0)
        assert run.seconds == 30.0
    clock.now = 5000.0  # the machine was switched off meanwhile
    with opened(path) as stream:
        journal = Journal(stream, {"fit": {}})
        run = run_of(journal.wrapped(ScriptedEngine()), 2, clock=journal.clock)
        seconds = []
        for point in POINTS[:3]:
            run.expect(point)
            seconds.append(run.seconds)
        assert seconds == [10.0, 20.0, 30.0]
        make_passes(run, clock, POINTS[3:4], seconds=2.0)
        assert run.seconds == 32.0


def test_remembering_takes_no_more_time_than_the_passes_took(path, clock):
    with opened(path) as stream:
        journal = Journal(stream, {"fit": {}})
        run = run_of(journal.wrapped(ScriptedEngine()), 2, clock=journal.clock)
        make_passes(run, clock, POINTS[:3], seconds=10.0)
    with opened(path) as stream:
        journal = Journal(stream, {"fit": {}})
        run = run_of(journal.wrapped(ScriptedEngine()), 2, clock=journal.clock)
        make_passes(run, clock, POINTS[:3], seconds=4.0)  # of slow work beside the passes
        assert run.seconds == 30.0
        make_passes(run, clock, POINTS[3:4], seconds=4.0)
        assert run.seconds == 34.0


def test_a_fit_that_was_resumed_twice_has_spent_the_time_of_both(path, clock):
    for n_known, begun in enumerate([0.0, 10.0, 20.0]):
        with opened(path) as stream:
            journal = Journal(stream, {"fit": {}})
            run = run_of(journal.wrapped(ScriptedEngine()), 2, clock=journal.clock)
            for point in POINTS[:n_known]:
                run.expect(point)
            assert run.seconds == begun
            make_passes(run, clock, POINTS[n_known : n_known + 1], seconds=10.0)


def test_the_time_budget_counts_what_was_spent_before(path, clock):
    def resumed(stream, max_time):
        journal = Journal(stream, {"fit": {}})
        engine = journal.wrapped(ScriptedEngine())
        run = run_of(engine, 2, clock=journal.clock, max_time=max_time)
        run.begin_leg(POINTS[0])
        return run

    with opened(path) as stream:
        make_passes(resumed(stream, 35.0), clock, POINTS[:3], seconds=10.0)
    with opened(path) as stream:
        run = resumed(stream, 35.0)
        for point in POINTS[:3]:
            run.expect(point)
        assert run.time_left == 5.0
        with pytest.raises(BudgetSpentError):
            make_passes(run, clock, POINTS[3:4], seconds=5.0)


def test_a_fit_sees_the_clock_of_its_journal(rng, path, clock):
    X = blobs(rng, 200, 2)

    def fit(callback):
        def watch(record):
            seconds.append(record.seconds)
            clock.now += 10.0
            callback(record)

        seconds = []
        how = {"method": "em", "random_state": 0, "tol": 1e-9, "max_iter": 10_000}
        return GaussianMixture(3, checkpoint=path, callback=watch, **how), seconds

    model, before = fit(Interrupt(2))
    with pytest.raises(InterruptedError):
        model.fit(X)
    assert before == [0.0, 10.0, 20.0]
    clock.now = 9000.0
    model, after = fit(lambda record: None)
    model.fit(X)
    # ten seconds a record, whether its pass is remembered or made
    assert after == [10.0 * step for step in range(len(after))]
    assert len(after) > len(before)
