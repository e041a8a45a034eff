"""Rows on a torch device: held there where they fit, else sent block by block."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from biglearn.engines.rows.units import Units
from biglearn.engines.torch.tensors import Tensor

#: Bytes of the CPU's memory to use by default: enough for a copy of small rows.
_CPU_BYTES = 1 << 27

#: Shares of the memory there is: for rows that stay, and for the work on one block.
_HELD, _WORK = 0.7, 0.25

#: Work on a block takes no more than this: on the CPU it should stay in the cache; a
#: GPU is busy with far less than its memory.
_BLOCK_BYTES = {"cpu": 1 << 23, "cuda": 1 << 29}

#: Blocks are no smaller.
_LEAST_ROWS = 256

T = TypeVar("T")


class Budget:
    """The memory of a device, shared by all engines over parts of the same rows.

    Parameters
    ----------
    device : torch.device
    limit : int, optional
        Bytes; all that is free if left out.
    """

    def __init__(self, device: torch.device, limit: int | None = None) -> None:
        self.device = device
        self.n_shrunk = 0
        self._limit = limit
        self._block_bytes = _BLOCK_BYTES.get(device.type, _BLOCK_BYTES["cuda"])

    @property
    def available(self) -> int:
        """Bytes that may be used."""
        if self._limit is not None:
            return self._limit
        if self.device.type != "cuda":
            return _CPU_BYTES
        free, _ = torch.cuda.mem_get_info(self.device)
        cached = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return int(free + cached)

    def holds(self, n_bytes: int) -> bool:
        """Whether rows of this size may stay."""
        return n_bytes <= _HELD * self.available

    def block_rows(self, bytes_per_row: int) -> int:
        """Return the number of rows to work on at a time."""
        usable = min(self._block_bytes, int(_WORK * self.available))
        rows = max(_LEAST_ROWS, usable // bytes_per_row)
        return 1 << (int(rows).bit_length() - 1)  # powers of two keep groups whole

    def attempt(self, work: Callable[[], T]) -> T:
        """Do work; where the device's memory runs out, again with smaller blocks.

        Raises
        ------
        MemoryError
            If it does not even suffice for the smallest.
        """
        while True:
            try:
                return work()
            except torch.cuda.OutOfMemoryError:
                pass  # the blocks are only let go of with the error
            self._shrink()

    def _shrink(self) -> None:
        self.n_shrunk += 1
        self._block_bytes //= 4
        if self._block_bytes < 1 << 14:
            raise MemoryError(
                f"{self.device} has too little free memory even for blocks of {_LEAST_ROWS} rows; "
                "free some of it, or use engine='memory'"
            )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        warnings.warn(
            f"{self.device} ran out of memory; going on with blocks of at most "
            f"{self._block_bytes} bytes, which may be slower",
            RuntimeWarning,
            stacklevel=2,
        )


class DeviceRows:
    """The rows ỹ = (1, y) of an engine, features first, on its device.

    Parameters
    ----------
    make : callable
        Block size to an iterator of blocks (L, b), in the order of the rows.
    shape : tuple of int
        (L, N).
    dtype : torch.dtype
    budget : Budget
    """

    def __init__(
        self,
        make: Callable[[int], Iterator[Tensor]],
        *,
        shape: tuple[int, int],
        dtype: torch.dtype,
        budget: Budget,
    ) -> None:
        self.shape, self.dtype, self.budget = shape, dtype, budget
        self._make = make
        self._held: Tensor | None = None
        if budget.holds(shape[0] * shape[1] * dtype.itemsize):
            self._held = self._hold()

    @classmethod
    def of(cls, X: Tensor, units: Units, *, dtype: torch.dtype, budget: Budget) -> DeviceRows:
        """Express the user's rows, (N, D) on any device, in units."""
        centre = torch.from_numpy(units.centre).to(budget.device)
        scale = torch.from_numpy(units.scale).to(budget.device)

        def make(size: int) -> Iterator[Tensor]:
            for block in uploads(X, size, budget.device):
                rows = block.new_ones((X.shape[1] + 1, len(block)), dtype=dtype)
                rows[1:] = ((block - centre) / scale).T
                yield rows

        return cls(make, shape=(X.shape[1] + 1, len(X)), dtype=dtype, budget=budget)

    def project(self, basis: Tensor) -> DeviceRows:
        """Return the rows seen through a view's basis (d, D)."""

        def make(size: int) -> Iterator[Tensor]:
            for block in self.blocks(size):
                rows = block.new_ones((len(basis) + 1, block.shape[1]))
                torch.matmul(basis, block[1:], out=rows[1:])
                yield rows

        shape = (len(basis) + 1, self.shape[1])
        return DeviceRows(make, shape=shape, dtype=self.dtype, budget=self.budget)

    @property
    def is_held(self) -> bool:
        """Whether the rows stay on the device between passes."""
        return self._held is not None

    def blocks(self, size: int) -> Iterator[Tensor]:
        """Yield the rows in blocks (L, b), b at most `size`."""
        if self._held is None:
            yield from self._make(size)
        else:
            yield from self._held.split(size, dim=1)

    def _hold(self) -> Tensor | None:
        """Return all rows at once, or nothing where the memory is less than it seemed."""
        size = self.budget.block_rows(32 * self.shape[0])
        try:
            held = torch.empty(self.shape, dtype=self.dtype, device=self.budget.device)
            start = 0
            for block in self._make(size):
                held[:, start : start + block.shape[1]] = block
                start += block.shape[1]
        except torch.cuda.OutOfMemoryError:
            self.budget.n_shrunk += 1
            warnings.warn(
                f"{self.budget.device} ran out of memory for all rows at once; sending them "
                "block by block in every pass, which is slower",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
        return held


def uploads(X: Tensor, size: int, device: torch.device) -> Iterator[Tensor]:
    """Yield rows (N, D) block by block on the device.

    Through two pinned buffers, so that the next block travels while one is worked on.
    """
    if X.device == device:
        yield from X.split(size)
        return
    buffers = [torch.empty((size, X.shape[1]), dtype=X.dtype, pin_memory=True) for _ in range(2)]
    sent = [torch.cuda.Event(), torch.cuda.Event()]
    channel, worker = torch.cuda.Stream(device), torch.cuda.current_stream(device)
    for turn, block in enumerate(X.split(size)):
        buffer, done = buffers[turn % 2][: len(block)], sent[turn % 2]
        done.synchronize()  # at once where it was never recorded
        buffer.copy_(block)
        with torch.cuda.stream(channel):
            there = buffer.to(device, non_blocking=True)
            done.record(channel)
        worker.wait_stream(channel)
        there.record_stream(worker)
        yield there
