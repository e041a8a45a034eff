"""Rows on a dask cluster: partitions stay on the workers, and only moments travel."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from operator import add
from typing import Any, TypeVar

import dask
import dask.array as da
import numpy as np
from dask.delayed import delayed

from biglearn._types import BoolArray, FloatArray
from biglearn.engines.base import EngineBase, Header, RowOptions, SourceBase
from biglearn.engines.dask import partitions
from biglearn.engines.memory.choose import engine_over
from biglearn.engines.memory.engine import MemoryEngine
from biglearn.engines.memory.threads import Threads
from biglearn.engines.memory.with_gaps import MissingEngine
from biglearn.engines.rows.checks import check_weights, weight_exponent
from biglearn.engines.rows.samples import draw
from biglearn.engines.rows.summaries import Extent, Summary
from biglearn.engines.rows.units import Units
from biglearn.model.components import Components
from biglearn.model.moments import Moments
from biglearn.model.views import View
from biglearn.tables.containers import as_array

S = TypeVar("S")
T = TypeVar("T")

#: How often a partition's work may fail with its worker before the fit does.
_RETRIES = 3

#: Results that one task adds: each task costs the scheduler about a millisecond.
_TOGETHER = 8


@dataclass(frozen=True)
class Dask:
    """Rows on a dask cluster: ``engine="dask"``, with options.

    Parameters
    ----------
    client : distributed.Client, optional
        The current one if left out, or dask's own threads where there is none.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from biglearn import GaussianMixture
    >>> X = da.from_array(np.repeat([[0.0], [1.0]], [20, 30], axis=0), chunks=(10, 1))
    >>> model = GaussianMixture(2, random_state=0).fit(X)
    >>> sorted(model.weights_.round(3).tolist())
    [0.4, 0.6]
    >>> model.predict(X).chunks
    ((10, 10, 10, 10, 10),)
    """

    client: Any = None

    def open_source(self, X: Any, options: RowOptions) -> DaskSource:
        """Describe rows, without computing anything."""
        return DaskSource(X, options, Cluster(self.client))


def open_source(X: Any, options: RowOptions) -> DaskSource:
    """Open rows on the cluster of the engine that was wished for: a client, or the current one."""
    client = options.engine if hasattr(options.engine, "persist") else None
    return Dask(client).open_source(X, options)


class Cluster:
    """Where tasks run: a client's workers, or whatever dask uses without one."""

    def __init__(self, client: Any = None) -> None:
        self.client = client

    def persist(self, tasks: list[Any]) -> list[Any]:
        """Begin tasks, and keep their results where they are made."""
        if self.client is not None:
            return list(self.client.persist(tasks, retries=_RETRIES))
        return list(dask.persist(*tasks, retries=_RETRIES))

    def compute(self, *tasks: Any) -> tuple[Any, ...]:
        """Return the results of tasks."""
        with warnings.catch_warnings():  # parameters of many features are large
            warnings.filterwarnings("ignore", message="Sending large graph")
            if self.client is not None:
                return tuple(self.client.gather(self.client.compute(tasks, retries=_RETRIES)))
            return tuple(dask.compute(*tasks, retries=_RETRIES))


class DaskSource(SourceBase):
    """Rows in a dask array or data frame.

    Parameters
    ----------
    X : dask array, dask data frame, or array-like of shape (N, D)
        Chunks of columns are put together; chunks of rows are the partitions.
    options : RowOptions
    cluster : Cluster
    """

    def __init__(self, X: Any, options: RowOptions, cluster: Cluster) -> None:
        self._X, names = as_chunks(X)
        self._names = None if names is None else list(names)
        self._cluster = cluster
        self.header = Header(int(self._X.shape[1]), names)
        self.dtype: np.dtype[Any] = np.dtype(
            np.float32 if self._X.dtype == np.float32 else np.float64
        )
        self._sample_weight = options.sample_weight
        self.label = f"dask ({self._X.numblocks[0]} partitions)"

    def _weights(self) -> list[Any]:
        """Return the weights of every partition, scaled as those of an array."""
        given = self._sample_weight
        if given is None or np.ndim(given) == 0:
            check_weights(given, 1)
            return [None] * self._X.numblocks[0]
        if not isinstance(given, da.Array):
            lengths = self._lengths()
            weights = check_weights(given, sum(lengths))
            if weights is None:
                return [None] * len(lengths)
            return [delayed(part) for part in np.split(weights, np.cumsum(lengths)[:-1])]
        if given.numblocks != self._X.numblocks[:1]:
            if np.isnan(given.shape[0]) or np.isnan(self._X.shape[0]):
                raise ValueError(
                    f"sample_weight has {given.numblocks[0]} chunks and X {self._X.numblocks[0]} "
                    "partitions; chunk the weights like the rows"
                )
            given = given.rechunk(self._X.chunks[:1])
        ends = self._cluster.compute(given.min(), given.max(), da.isfinite(given).all())
        low, high, finite = (value.item() for value in ends)
        if not finite or low < 0:
            raise ValueError(
                "sample_weight must be finite and at least 0, got "
                f"{low if finite else 'NaN or infinity'}"
            )
        if check_weights([low, high], 2) is None:  # all alike
            return [None] * self._X.numblocks[0]
        return list((given * np.ldexp(1.0, weight_exponent(high))).to_delayed().ravel())

    def _lengths(self) -> list[int]:
        """Return the number of rows of every partition."""
        if np.isnan(self._X.shape[0]):
            blocks = self._X.to_delayed().ravel()
            return [int(n) for n in self._cluster.compute(*(delayed(len)(b) for b in blocks))]
        return [int(n) for n in self._X.chunks[0]]

    @cached_property
    def _given_parts(self) -> list[Any]:
        blocks = self._X.to_delayed().ravel()
        check = delayed(partitions.check, pure=False)
        tasks = [
            check(block, weights, number, self.dtype, self._names)
            for number, (block, weights) in enumerate(zip(blocks, self._weights(), strict=True))
        ]
        return self._cluster.persist(tasks)

    @cached_property
    def _census(self) -> list[tuple[int, Extent | None]]:
        """Number and extent of every partition, known after one pass."""
        return list(self._cluster.compute(*map(delayed(partitions.census), self._given_parts)))

    @cached_property
    def _extents(self) -> list[Extent]:
        extents = [extent for _, extent in self._census if extent is not None]
        if not extents:
            given = self.n_given
            raise ValueError(
                "sample_weight is zero for every row; at least one weight must be positive"
                if given
                else "X has no rows: found 0 sample(s) while a minimum of 1 is required"
            )
        return extents

    @cached_property
    def parts(self) -> list[Any]:
        """Partitions that have rows, checked, on their workers."""
        self._extents  # noqa: B018  there must be any
        pairs = zip(self._given_parts, self._census, strict=True)
        return [part for part, (_, extent) in pairs if extent is not None]

    @property
    def sizes(self) -> list[int]:
        """Number of rows of each of the `parts`."""
        return [extent.n_rows for extent in self._extents]

    @property
    def n_given(self) -> int:
        """Number of all rows, those of weight 0 included."""
        return sum(n_given for n_given, _ in self._census)

    @property
    def present(self) -> BoolArray | None:
        """Which rows have a positive weight, shape (n_given,); None where all have."""
        if self.extent.n_rows == self.n_given:
            return None
        masks = self._cluster.compute(*(part.present for part in self._given_parts))
        lengths = [n_given for n_given, _ in self._census]
        pairs = zip(masks, lengths, strict=True)
        return np.concatenate([np.ones(n, bool) if mask is None else mask for mask, n in pairs])

    @cached_property
    def extent(self) -> Extent:
        """Number, weight and range of the rows with a positive weight."""
        return reduce(add, self._extents)

    def total(self, summary: Summary[T]) -> T:
        """Return the sum of ``summary(rows, weights)``, added up on the workers."""
        result: T = self.sum_over(partial(partitions.summarised, summary=summary))
        return result

    def sum_over(self, rule: Callable[[partitions.Partition], Any]) -> Any:
        """Return the sum of the rule's results over partitions, in the order of a fixed tree."""
        sent = delayed(_same, pure=False)(rule)  # goes once to each worker
        work = delayed(_apply, pure=False)
        (result,) = self._cluster.compute(tree_sum([work(sent, part) for part in self.parts]))
        return result

    def gather(self, tasks: list[Any]) -> tuple[Any, ...]:
        """Return the results of tasks."""
        return self._cluster.compute(*tasks)

    def map(self, rule: Callable[[FloatArray], Any]) -> Any:
        """Return the rule's result for every row, as a dask array chunked like the rows."""
        like = np.asarray(rule(np.zeros((1, self.header.n_features), self.dtype)))
        options = {"rule": rule, "precision": self.dtype, "dtype": like.dtype, "meta": like[:0]}
        if like.ndim == 1:
            options["drop_axis"] = 1
        else:
            options["chunks"] = (self._X.chunks[0], (like.shape[1],))
        return da.map_blocks(partitions.answer, self._X, **options)

    def engine(self, units: Units) -> DaskEngine:
        """Open the engine over the rows, in units."""
        return DaskEngine(self, units)


class DaskEngine(EngineBase):
    """One pass over rows on a dask cluster.

    Every partition makes its pass where it is, in one thread; the moments, K D² numbers,
    add up on the workers in a tree that depends on the partitions alone.  A worker that is
    lost takes its partitions with it: dask makes them anew elsewhere, and the pass goes on.

    Parameters
    ----------
    source : DaskSource
    units : Units
    view : View, optional
    """

    def __init__(self, source: DaskSource, units: Units, view: View | None = None) -> None:
        super().__init__(view or View.joint(len(units.centre)))
        self._source, self._units = source, units

    @property
    def n_rows(self) -> int:
        """Number of rows N with a positive weight."""
        return self._source.extent.n_rows

    def _through(self, view: View) -> DaskEngine:
        return DaskEngine(self._source, self._units, view)

    def expect(self, components: Components) -> Moments:
        """Make one E-step: return the moments under the components' responsibilities."""
        rule = partial(partitions.expect, components=components, units=self._units, view=self._view)
        moments: Moments = self._source.sum_over(rule)
        return moments

    def subsample(
        self, limit: int, rng: np.random.Generator, components: Components | None = None
    ) -> MemoryEngine:
        """Return an engine in memory, here, over at most `limit` of the rows."""
        return self.thinned(limit, rng).subsample(limit, rng, components)

    def thinned(self, limit: int, rng: np.random.Generator) -> MemoryEngine | MissingEngine:
        """Return an engine in memory, here, over at most `limit` of the rows."""
        chosen = draw(self.n_rows, limit, rng)
        tasks, start = [], 0
        for part, size in zip(self._source.parts, self._source.sizes, strict=True):
            first, last = np.searchsorted(chosen, [start, start + size])
            if last > first:
                tasks.append(delayed(partitions.select)(part, chosen[first:last] - start))
            start += size
        rows, weights = zip(*self._source.gather(tasks), strict=True)
        return engine_over(
            np.concatenate(rows),
            weights=None if weights[0] is None else np.concatenate(weights),
            units=self._units,
            view=self._view,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold BLAS to one thread here, as workers do."""
        with Threads(1).running():
            yield


def as_chunks(X: Any) -> tuple[Any, tuple[str, ...] | None]:
    """Return rows as a dask array (N, D) with whole rows in its chunks, and the columns' names.

    Raises
    ------
    ValueError
        If it is no table of numbers.
    """
    names = None
    if hasattr(X, "to_dask_array"):
        bad = [
            str(name) for name, kind in X.dtypes.items() if getattr(kind, "kind", "O") not in "biuf"
        ]
        if bad:
            raise ValueError(
                f"columns {bad} do not hold numbers; drop or encode them before fitting"
            )
        names = tuple(str(name) for name in X.columns)
        X = X.to_dask_array()
    elif not isinstance(X, da.Array):
        X = da.from_array(np.asarray(as_array(X)))
    if X.ndim != 2 or not X.shape[1]:
        raise ValueError(
            f"Expected 2D array, got a dask array of shape {X.shape}; every row needs D features"
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X holds {X.dtype}, not real numbers; drop or encode such columns")
    return X.rechunk({1: -1}), names


def tree_sum(tasks: list[Any]) -> Any:
    """Add tasks some by some, so that no worker ever holds many results."""
    together = delayed(_sum, pure=False)
    while len(tasks) > 1:
        starts = range(0, len(tasks), _TOGETHER)
        tasks = [together(tasks[start : start + _TOGETHER]) for start in starts]
    return tasks[0]


def _sum(results: list[Any]) -> Any:
    return reduce(add, results)


def _same(value: Any) -> Any:
    return value


def _apply(rule: Callable[[T], S], part: T) -> S:
    return rule(part)
