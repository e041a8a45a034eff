"""What surgery has looked at already: cuts, and plans that did not pay, where components return.

Legs come back to the same regions of a mixture again and again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

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
    log_weights = [np.log(np.maximum(one.weights, 1e-300)) for one in (old, new)]
    k, j = np.nonzero(np.abs(log_weights[0][:, None] - log_weights[1]) < _SAME_WEIGHT)
    if not len(k):
        return {}
    roots, gaps = old.whitening_blocks[k], new.means[j] - old.means[k]
    distances = (times(roots, gaps) ** 2).sum(axis=1)
    near = distances < _SAME_PLACE**2
    k, j, roots, distances = k[near], j[near], roots[near], distances[near]
    seen = roots @ new.blocks[j] @ np.swapaxes(roots, -1, -2)
    apart = np.abs(seen - np.eye(old.block_size))
    same = np.flatnonzero(apart.max(axis=tuple(range(1, apart.ndim)), initial=0.0) < _SAME_PLACE)
    same = same[np.argsort(-distances[same], kind="stable")]  # the nearest comes last, and stays
    return dict(zip(k[same].tolist(), j[same].tolist(), strict=True))
