"""Moves that replace the mixture as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from biglearn.mixture import Mixture
from biglearn.records import Record
from biglearn.search import Run


@dataclass(frozen=True)
class Restart:
    """Begin again from the run's start, with fresh randomness."""

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the mixture; nothing is known of it yet."""
        run.begin_leg(run.start(run))
        yield run.record("start", log_likelihood=float("nan"))


@dataclass(frozen=True)
class Jump:
    """Go on from a given mixture.

    Parameters
    ----------
    mixture : Mixture
        In the engine's units.
    """

    mixture: Mixture

    def __call__(self, run: Run) -> Iterator[Record]:
        """Set the mixture."""
        run.begin_leg(self.mixture)
        return iter(())
