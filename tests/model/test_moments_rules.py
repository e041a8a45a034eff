"""What counts as a row, and so which components are alive."""

import numpy as np
import pytest

from biglearn.model.moments import DEAD_ROWS, Moments


def moments_with(counts, *, total, rows):
    counts = np.asarray(counts, dtype=float)
    zeros = np.zeros((len(counts), 1))
    return Moments(counts, zeros, zeros[:, :, None], 0.0, total, rows, np.zeros(1))


@pytest.mark.parametrize(
    ("total", "rows", "one_row"),
    [(1.0, 1000, 1e-3), (1000.0, 1000, 1.0), (3000.0, 1000, 1.0), (0.5, 1, 0.5), (0.0, 0, 0.0)],
)
def test_a_row_weighs_one_or_the_average_where_that_is_less(total, rows, one_row):
    assert moments_with([total], total=total, rows=rows).row_weight == one_row


@pytest.mark.parametrize(("total", "one_row"), [(1.0, 1e-3), (1000.0, 1.0), (3000.0, 1.0)])
def test_a_component_is_alive_above_a_thousandth_of_a_row(total, one_row):
    limit = DEAD_ROWS * one_row
    counts = [0.0, 0.99 * limit, 1.01 * limit, total]
    alive = moments_with(counts, total=total, rows=1000).alive
    assert alive.tolist() == [False, False, True, True]


def test_weights_that_sum_to_one_leave_components_of_a_few_rows_alive():
    # 3 of a million rows, each of a millionth
    assert moments_with([1 - 3e-6, 3e-6], total=1.0, rows=1_000_000).alive.all()
