"""Rows in memory: anything that scikit-learn takes for an array, and small files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from biglearn._linalg import BoolArray, FloatArray
from biglearn.engines.base import Engine, Header, Wishes
from biglearn.engines.labelled import LabelledEngine
from biglearn.engines.over import over
from biglearn.engines.threads import default_threads
from biglearn.inputs import check_labels, check_weights, reject_infinite, reject_text
from biglearn.summaries import ArrayRows, Ask, Extent
from biglearn.tables import read_table
from biglearn.units import Units

#: Makes an engine: ``(rows, *, weights, units, n_threads)``, as `MemoryEngine`.
Factory = Callable[..., Engine]


class ArraySource:
    """Rows in an array, given to an engine by a factory.

    Parameters
    ----------
    rows : array of shape (N, D)
        Checked, float64 or float32.
    header : object
        See `Source`.
    wishes : Wishes
    factory : callable
        See `Factory`.
    label : str
    deliver : callable
        Turns what `map` returns into the user's kind of array.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.engines import ArraySource, Header, Wishes
    >>> source = ArraySource(np.ones((4, 2)), Header(2), Wishes(sample_weight=[1, 0, 3, 1]))
    >>> source.extent.n_rows, float(source.total(lambda rows, weights: weights.sum()))
    (3, 5.0)
    """

    def __init__(
        self,
        rows: FloatArray,
        header: Any,
        wishes: Wishes,
        *,
        factory: Factory = over,
        label: str = "memory",
        deliver: Callable[[Any], Any] = np.asarray,
    ) -> None:
        weights = check_weights(wishes.sample_weight, len(rows))
        self.header, self.label = header, label
        self.dtype: np.dtype[Any] = rows.dtype
        self.n_given = len(rows)
        self.present: BoolArray | None = None
        self._all = rows
        if weights is not None and not weights.all():
            self.present = weights > 0
            rows, weights = rows[self.present], weights[self.present]
        labels = check_labels(wishes.labels, self.n_given)
        if labels is not None and self.present is not None:
            labels = labels[self.present]
        self._labels = labels
        self._rows = ArrayRows(rows, weights)
        self._factory, self._deliver = factory, deliver
        self._threads = wishes.n_threads or default_threads()

    @cached_property
    def extent(self) -> Extent:
        """Number, weight and range of the rows with a positive weight."""
        return self._rows.extent

    def total(self, ask: Ask[Any]) -> Any:
        """Return the sum of ``ask(rows, weights)`` over blocks of the rows."""
        return self._rows.total(ask)

    def map(self, rule: Callable[[FloatArray], Any]) -> Any:
        """Return the rule's result for all rows at once."""
        return self._deliver(rule(self._all))

    def engine(self, units: Units) -> Engine:
        """Open the engine over the rows, in units."""
        rows, factory = self._rows, self._factory
        if self.extent.n_missing and factory is not over:
            warnings.warn(
                f"{self.label} takes no missing values and X has {self.extent.n_missing}; "
                "its rows are fitted by the engine in memory",
                UserWarning,
                stacklevel=2,
            )
            factory = over
        how: dict[str, Any] = {"units": units, "n_threads": self._threads}
        whole = factory(rows.rows, weights=rows.weights, **how)
        if self._labels is None:
            return whole

        def over_those(chosen: BoolArray) -> Engine:
            weights = None if rows.weights is None else rows.weights[chosen]
            return factory(rows.rows[chosen], weights=weights, **how)

        known = np.unique(self._labels[self._labels >= 0]).tolist()
        if not known:
            return whole
        unknown = self._labels < 0
        return LabelledEngine(
            whole,
            over_those(unknown) if unknown.any() else None,
            {k: over_those(self._labels == k) for k in known},
        )


def open_source(
    X: Any, wishes: Wishes, *, factory: Factory = over, label: str = "memory"
) -> ArraySource:
    """Check rows and hold them for the engine that a factory makes."""
    rows, header = check_rows(X, wishes)
    return ArraySource(rows, header, wishes, factory=factory, label=label)


def check_rows(X: Any, wishes: Wishes) -> tuple[FloatArray, Any]:
    """Check rows as scikit-learn does, and name what is wrong with them.

    Returns the rows and what tells their columns; see `Source`.
    """
    if isinstance(X, str | os.PathLike):
        table = read_table(X, features=wishes.features)
        return table.values, Header(table.values.shape[1], table.names)
    from sklearn.utils import check_array  # loading scikit-learn takes seconds

    reject_text(X)
    rows = check_array(
        X,
        dtype=[np.float64, np.float32],
        ensure_all_finite=False,
        input_name="X",
        estimator="BigLearnGaussianMixture",
    )
    columns = getattr(X, "columns", None)
    names = None if columns is None or isinstance(columns, property) else list(map(str, columns))
    reject_infinite(rows, names if names and len(names) == rows.shape[1] else None)
    return np.asarray(rows), X
