"""What surgery has looked at already: cuts, and plans that did not pay, where components return.

Legs come back to the same regions of a mixture again and again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from biglearn._types import IntArray
from biglearn.model.blocks import times
from biglearn.model.components import Components
from biglearn.search.surgery.cuts import Cut
from biglearn.search.surgery.plans import Plan

#: Components are the same where weights agree to this share, and means and covariances to that
#: of a standard deviation and a variance.
_SAME_WEIGHT, _SAME_PLACE = 0.02, 0.05

_Key = tuple[int, int | None, int]


@dataclass
class Failures:
    """Surgeries that did not pay, while the components around them stay as they are."""

    _active: dict[_Key, set[int]] = field(default_factory=dict)

    @staticmethod
    def _key(plan: Plan) -> _Key:
        ((removal, cut),) = plan
        return removal.lost, removal.partner, cut.parent

    def knows(self, plan: Plan) -> bool:
        """Whether the surgery has failed before."""
        return self._key(plan) in self._active

    def add(self, plan: Plan, active: set[int]) -> None:
        """Remember a failure."""
        self._active[self._key(plan)] = active

    def forget(self, changed: set[int]) -> None:
        """Give surgeries another chance where a success has changed their components."""
        self._active = {k: v for k, v in self._active.items() if not v & changed}

    def moved(self, places: dict[int, int]) -> Failures:
        """Return those whose components all have new places."""
        found = {}
        for (lost, partner, parent), active in self._active.items():
            if active <= places.keys():
                new = None if partner is None else places[partner]
                found[places[lost], new, places[parent]] = {places[k] for k in active}
        return Failures(found)


@dataclass
class Memory:
    """Cuts and failures of the last rounds of surgery.

    Parameters
    ----------
    size : int
        How many mixtures are remembered.
    """

    size: int = 6
    _seen: list[tuple[Components, dict[int, Cut], Failures]] = field(default_factory=list)

    def recall(self, components: Components) -> tuple[dict[int, Cut], Failures]:
        """Return the cuts and failures that still hold for components."""
        best: dict[int, int] = {}
        found: tuple[dict[int, Cut], Failures] = {}, Failures()
        for old, cuts, failures in self._seen:
            places = same_places(old, components)
            if len(places) > len(best):
                kept = {
                    places[k]: replace(cut, parent=places[k])
                    for k, cut in cuts.items()
                    if k in places
                }
                best, found = places, (kept, failures.moved(places))
        return found

    def keep(self, components: Components, cuts: dict[int, Cut], failures: Failures) -> None:
        """Remember what was found for components."""
        self._seen.insert(0, (components, dict(cuts), failures))
        del self._seen[self.size :]


def same_places(old: Components, new: Components) -> dict[int, int]:
    """Return where old components are among new ones, those of them that stayed as they were.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.blocks import times
    >>> from biglearn.model.components import Components
    >>> from biglearn.search.surgery.memory import same_places
    >>> covariances = np.ones((2, 1, 1))
    >>> old = Components(np.array([0.5, 0.5]), np.array([[0.0], [9.0]]), covariances)
    >>> new = Components(np.array([0.5, 0.5]), np.array([[9.0], [2.0]]), covariances)
    >>> same_places(old, new)
    {1: 0}
    """
    if old.means.shape != new.means.shape:
        return {}
    roots = old.whitening_blocks
    distances = np.stack([(times(roots, mean - old.means) ** 2).sum(axis=1) for mean in new.means])
    nearest: IntArray = distances.argmin(axis=0)
    heavy = np.maximum(new.weights[nearest], 1e-300)
    close = distances[nearest, np.arange(len(nearest))] < _SAME_PLACE**2
    close &= np.abs(np.log(np.maximum(old.weights, 1e-300) / heavy)) < _SAME_WEIGHT
    seen = roots @ new.blocks[nearest] @ np.swapaxes(roots, -1, -2)
    apart = np.abs(seen - np.eye(old.block_size)).reshape(len(seen), -1).max(axis=1)
    kept = np.flatnonzero(close & (apart < _SAME_PLACE))
    return dict(zip(kept.tolist(), nearest[kept].tolist(), strict=True))
