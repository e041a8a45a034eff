"""Distinct optima that legs came to, for others to combine."""

from __future__ import annotations

from dataclasses import dataclass, field

from biglearn.model.components import Components


@dataclass
class Pool:
    """The best distinct optima of the legs so far.

    Parameters
    ----------
    size : int
        How many are kept.
    same : float
        Objectives this close are the same optimum.

    Examples
    --------
    >>> from biglearn.search.pool import Pool
    >>> pool = Pool(size=2)
    >>> for value in (-3.0, -1.0, -2.0, -1.0):
    ...     pool.add(None, value)
    >>> [value for value, _ in pool.optima]
    [-1.0, -2.0]
    """

    size: int = 10
    same: float = 1e-5
    optima: list[tuple[float, Components]] = field(default_factory=list)

    def add(self, components: Components, objective: float) -> None:
        """Take an optimum in, if it is another than those here and good enough."""
        if all(abs(objective - value) > self.same for value, _ in self.optima):
            self.optima.append((objective, components))
            self.optima.sort(key=lambda one: -one[0])
            del self.optima[self.size :]
