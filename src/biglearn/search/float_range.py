"""The end of the range of floats: a sentence in place of what linear algebra says there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def within_floats() -> Iterator[None]:
    """Turn a factorisation that fails into an error that says what to do.

    What can be repaired is repaired and counted before; here variances, or their ratios to the
    floor, have left the range of float64.  NumPy's warnings on the way there are left out.

    Raises
    ------
    ValueError
        In place of `numpy.linalg.LinAlgError`.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.search.float_range import within_floats
    >>> with within_floats():
    ...     np.linalg.cholesky(np.array([[-1.0]]))
    Traceback (most recent call last):
    ValueError: the covariances of this fit left the range of float64 (Matrix is not positive ...
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except np.linalg.LinAlgError as error:
        raise ValueError(
            f"the covariances of this fit left the range of float64 ({error}): the spreads of its "
            "columns, its floor or its given parameters are too far apart; use "
            'scaling="standard", raise reg_covar or rescale X'
        ) from error
