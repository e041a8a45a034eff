"""Threads that live as long as a fit, with BLAS held to one in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, reduce
from itertools import count
from threading import Lock
from typing import TypeVar, cast

from threadpoolctl import ThreadpoolController

S = TypeVar("S")
T = TypeVar("T")


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController()  # looking for the libraries takes milliseconds


class Threads:
    """A number of threads, and while `running` the pool of them.

    Engines over parts, views and samples of the same rows share one.
    """

    def __init__(self, n_threads: int = 1) -> None:
        self.n_threads = max(1, n_threads)
        self._pool: ThreadPoolExecutor | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold a pool of threads, with BLAS held to one thread in each."""
        with _blas().limit(limits=1, user_api="blas"):
            if self.n_threads == 1:
                yield
                return
            with ThreadPoolExecutor(self.n_threads - 1) as pool:
                self._pool = pool
                try:
                    yield
                finally:
                    self._pool = None

    def fold(self, work: Callable[[S], T], items: Iterable[S], add: Callable[[T, T], T]) -> T:
        """Return the sum of the work's results over items, of which there is at least one.

        They are added in the order of the items, each as soon as those before it are, so that
        few results are held at a time.  This thread works too.
        """
        todo = list(items)
        if self._pool is None or len(todo) < 2:
            return reduce(add, map(work, todo))
        following, lock = count(), Lock()  # the next of a count is atomic
        ready: dict[int, T] = {}
        total: T | None = None
        n_added = 0

        def drain() -> None:
            nonlocal total, n_added
            while (i := next(following)) < len(todo):
                result = work(todo[i])
                with lock:
                    ready[i] = result
                    while n_added in ready:
                        part = ready.pop(n_added)
                        total = part if total is None else add(total, part)
                        n_added += 1

        helpers = [self._pool.submit(drain) for _ in range(min(self.n_threads, len(todo)) - 1)]
        try:
            drain()
        finally:
            following = count(len(todo))  # after an error nobody begins another item
            for helper in helpers:
                helper.result()
        return cast(T, total)


def default_threads() -> int:
    """Return the number of threads that BLAS may use now, so that one setting rules both."""
    return max((pool["num_threads"] for pool in _blas().info()), default=1)
