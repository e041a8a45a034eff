"""No EM at all: the start as the result, which `max_iter=0` asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from biglearn.search.moves.restart import Restart
from biglearn.search.run import Move, Run


@dataclass(frozen=True)
class AsInitialised:
    """Return the start, as in scikit-learn with `max_iter=0`."""

    @property
    def keeps_best(self) -> bool:
        """The one point is returned."""
        return False

    def schedule(self, run: Run) -> Iterator[Move]:
        """Start."""
        yield Restart()
