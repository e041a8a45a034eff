"""Rows in memory: anything that scikit-learn takes for an array, and small files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from biglearn._types import BoolArray, FloatArray
from biglearn.engines.base import Engine, Header, RowOptions, SourceBase
from biglearn.engines.memory.choose import engine_over
from biglearn.engines.memory.threads import default_threads
from biglearn.engines.rows.checks import check_labels, check_weights, reject_infinite
from biglearn.engines.rows.summaries import ArrayRows, Extent, Summary, T
from biglearn.engines.rows.units import Units
from biglearn.engines.wrappers.labelled import LabelledEngine
from biglearn.engines.wrappers.noisy import NoisyEngine
from biglearn.model.noise import Noise
from biglearn.tables.containers import numbers_of
from biglearn.tables.tables import read_table

#: Members of the protocol of engines.
_MEMBERS = ("n_rows", "n_features", "project", "expect", "subsample", "align", "running")

#: Makes an engine: ``(rows, *, weights, units, n_threads)``, as `MemoryEngine`.
Factory = Callable[..., Engine]


class ArraySource(SourceBase):
    """Rows in an array, given to an engine by a factory.

    Parameters
    ----------
    rows : array of shape (N, D)
        Checked, float64 or float32.
    header : Header
    options : RowOptions
    factory : callable
        See `Factory`.
    label : str
    deliver : callable
        Turns results of `map` into the user's kind of array.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.engines import ArraySource, Header, RowOptions
    >>> source = ArraySource(np.ones((4, 2)), Header(2), RowOptions(sample_weight=[1, 0, 3, 1]))
    >>> source.extent.n_rows, float(source.total(lambda rows, weights: weights.sum()))
    (3, 5.0)
    """

    def __init__(
        self,
        rows: FloatArray,
        header: Header,
        options: RowOptions,
        *,
        factory: Factory = engine_over,
        label: str = "memory",
        deliver: Callable[[Any], Any] = np.asarray,
    ) -> None:
        weights = check_weights(options.sample_weight, len(rows))
        self.header, self.label = header, label
        self.dtype: np.dtype[Any] = rows.dtype
        self.n_given = len(rows)
        self.present: BoolArray | None = None
        self._all = rows
        if weights is not None and not weights.all():
            self.present = weights > 0
            rows, weights = rows[self.present], weights[self.present]
        labels = check_labels(options.labels, self.n_given)
        if labels is not None and self.present is not None:
            labels = labels[self.present]
        self._labels, self._noisy = labels, options.noise
        if options.noise and factory is not engine_over:
            raise ValueError(f'noise needs engine="memory", and these rows are for {label}')
        self._rows = ArrayRows(rows, weights)
        self._factory, self._deliver = factory, deliver
        self._threads = options.n_threads or default_threads()

    @property
    def supports(self) -> frozenset[str]:
        """Labels and noise."""
        return frozenset({"labels", "noise"})

    @cached_property
    def extent(self) -> Extent:
        """Number, weight and range of the rows with a positive weight."""
        return self._rows.extent

    def total(self, summary: Summary[T]) -> T:
        """Return the sum of ``summary(rows, weights)`` over blocks of the rows."""
        return self._rows.total(summary)

    def map(self, rule: Callable[[FloatArray], Any]) -> Any:
        """Return the rule's result for all rows at once."""
        return self._deliver(rule(self._all))

    def engine(self, units: Units) -> Engine:
        """Open the engine over the rows, in units."""
        rows, factory = self._rows, self._factory
        if self.extent.n_missing and factory is not engine_over:
            warnings.warn(
                f"{self.label} does not support missing values and X has {self.extent.n_missing}; "
                "its rows are fitted by the engine in memory",
                UserWarning,
                stacklevel=2,
            )
            factory = engine_over
        noise = self.noise(units) if self._noisy else None

        def engine_of(chosen: BoolArray | None = None, noise: Noise | None = noise) -> Engine:
            """Open the engine over all rows, or some of them, and beside noise if there is any."""
            given, weights = rows.rows, rows.weights
            if chosen is not None:
                given, weights = given[chosen], None if weights is None else weights[chosen]
            open_one = partial(
                factory, given, weights=weights, units=units, n_threads=self._threads
            )
            if noise is None:
                return _whole(open_one(), self.label)
            return NoisyEngine(open_one(), open_one(background=noise.log_density(given)))

        labels = self._labels
        if labels is None or (labels < 0).all():
            return engine_of()
        known = np.unique(labels[labels >= 0]).tolist()
        return LabelledEngine(
            engine_of(noise=None),
            engine_of(labels < 0) if (labels < 0).any() else None,
            {k: engine_of(labels == k, noise=None) for k in known},
        )


def _whole(engine: Engine, label: str) -> Engine:
    """Refuse an engine of the user's that lacks a part of the protocol."""
    missing = [name for name in _MEMBERS if not hasattr(engine, name)]
    if missing:
        raise TypeError(
            f"engine {label!r} has no {', '.join(missing)}; subclass biglearn.engines.EngineBase"
        )
    return engine


def open_source(
    X: Any, options: RowOptions, *, factory: Factory = engine_over, label: str = "memory"
) -> ArraySource:
    """Check rows and hold them for the engine that a factory makes."""
    rows, header = check_rows(X, options)
    return ArraySource(rows, header, options, factory=factory, label=label)


def check_rows(X: Any, options: RowOptions) -> tuple[FloatArray, Header]:
    """Check rows as scikit-learn does, and name their faults.

    Returns the rows and their header.
    """
    if isinstance(X, str | os.PathLike):
        table = read_table(X, features=options.features)
        return table.values, Header(table.values.shape[1], table.names)
    from sklearn.utils import check_array  # loading scikit-learn takes seconds

    numbers, names = numbers_of(X)
    rows = check_array(
        numbers,
        dtype=[np.float64, np.float32],
        ensure_all_finite=False,
        input_name="X",
        estimator="GaussianMixture",
    )
    reject_infinite(rows, names)
    return np.asarray(rows), Header(rows.shape[1], names, given=numbers if names is None else X)
