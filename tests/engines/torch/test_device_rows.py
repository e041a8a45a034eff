"""Blocks of rows in the memory there is."""

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'biglearn-em[torch]'")

from biglearn.engines.torch import device_rows  # noqa: E402


def test_blocks_fit_in_the_memory_there_is():
    budget = device_rows.Budget(torch.device("cpu"), limit=1 << 20)
    assert budget.holds(700_000)
    assert not budget.holds(800_000)
    assert budget.block_rows(100) * 100 <= 0.25 * (1 << 20)
    assert budget.block_rows(1 << 20) == 256  # the least
