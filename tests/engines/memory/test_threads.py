"""Threads: results in order, errors to the caller."""

import operator
from threading import Barrier

import pytest

from biglearn.engines.memory.threads import Threads


def test_results_are_added_in_order_whoever_is_ready_first():
    threads, turn = Threads(3), Barrier(3)

    def work(item):
        if item < 3:
            turn.wait(timeout=60)  # three are at work at once
        return [item]

    with threads.running():
        assert threads.fold(work, range(40), operator.add) == list(range(40))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_in_any_thread_is_the_callers(n_threads):
    def work(item):
        if item == 7:
            raise ValueError("item 7")
        return item

    threads = Threads(n_threads)
    with threads.running(), pytest.raises(ValueError, match="item 7"):
        threads.fold(work, range(1000), operator.add)
