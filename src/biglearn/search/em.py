"""Plain EM as a method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from biglearn.search.climbing.ascent import Ascent
from biglearn.search.moves.refine import Settle
from biglearn.search.moves.restart import Restart
from biglearn.search.run import Move, Run


@dataclass(frozen=True)
class EM:
    """Plain EM from `n_init` starts."""

    @property
    def keeps_best(self) -> bool:
        """The best of the starts is returned."""
        return True

    def schedule(self, run: Run) -> Iterator[Move]:
        """Start and climb, as often as the settings ask."""
        for _ in range(run.settings.n_init):
            yield Restart()
            yield Ascent("em")
            if run.settings.n_init > 1:
                run.offer()
        if run.judge is not None:
            yield Settle(accelerate=False)
