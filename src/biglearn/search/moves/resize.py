"""One mixture from its neighbour of another K: cut what gains most, merge what costs least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biglearn.model.mixture import Mixture
from biglearn.search.moves.ascent import reseed
from biglearn.search.moves.surgery import Cut, Removal, Rows, find_cuts, merge, removals
from biglearn.search.run import Run

#: Rows that cuts and removals look at, at most.
_SAMPLE = 10_000


@dataclass(frozen=True)
class Neighbour:
    """A start: a mixture of any K, brought to the run's number of components.

    It grows by the cuts, and shrinks by the removals, that Jensen's bound says
    gain most and lose least.

    Parameters
    ----------
    mixture : Mixture
        In the engine's units.
    """

    mixture: Mixture

    def __call__(self, run: Run) -> Mixture:
        """Return a mixture of ``run.settings.n_components`` components."""
        mixture, goal = self.mixture, run.settings.n_components
        while mixture.n_components != goal:
            rows = Rows.of(run, mixture, _SAMPLE)
            if mixture.n_components < goal:
                mixture = _grow(run, mixture, rows, goal - mixture.n_components)
            else:
                mixture = _shrink(run, mixture, rows, mixture.n_components - goal)
        return mixture


def _grow(run: Run, mixture: Mixture, rows: Rows, most: int) -> Mixture:
    """Make the best cuts, at most `most`; each makes one component two."""
    found = find_cuts(run, mixture, rows, np.arange(mixture.n_components))
    cuts = sorted(found, key=lambda cut: -cut.gain)[:most]
    if cuts:
        halves = [_halves_of(mixture, cut) for cut in cuts]
        return _replace(run, mixture, {cut.parent for cut in cuts}, halves)
    # No component has rows enough to show where: a new one takes half of the heaviest.
    nothing = Mixture.trusted(np.zeros(1), mixture.means[:1].copy(), mixture.covariances[:1].copy())
    grown = _replace(run, mixture, set(), [nothing])
    return reseed(run, grown, grown.weights == 0)


def _halves_of(mixture: Mixture, cut: Cut) -> Mixture:
    """Return a cut's halves where its parent lies, with the parent's weight."""
    halves, k = cut.halves, cut.parent
    return Mixture.trusted(
        halves.weights * mixture.weights[k], halves.means + mixture.means[k], halves.covariances
    )


def _shrink(run: Run, mixture: Mixture, rows: Rows, most: int) -> Mixture:
    """Make the cheapest removals that do not share a component, at most `most`."""
    chosen: list[Removal] = []
    touched: set[int] = set()
    for removal in removals(mixture, rows):
        if len(chosen) < most and not removal.touched & touched:
            chosen.append(removal)
            touched |= removal.touched
    merged = [
        merge(mixture, np.array([removal.lost]), np.array([removal.partner]))
        for removal in chosen
        if removal.partner is not None
    ]
    return _replace(run, mixture, touched, merged)


def _replace(run: Run, mixture: Mixture, lost: set[int], new: list[Mixture]) -> Mixture:
    """Return the mixture without some components, and with others at its end."""
    kept = [k for k in range(mixture.n_components) if k not in lost]
    weights = np.concatenate([mixture.weights[kept], *(part.weights for part in new)])
    means = np.concatenate([mixture.means[kept], *(part.means for part in new)])
    covariances = np.concatenate([mixture.covariances[kept], *(part.covariances for part in new)])
    weights = weights / weights.sum()
    return run.regularise(weights, means, covariances, weights)
