"""Components from their neighbour of another K, by the best cuts or the cheapest merges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biglearn.model.components import Components
from biglearn.model.m_step import reseed
from biglearn.search.run import Run
from biglearn.search.surgery.cuts import find_cuts
from biglearn.search.surgery.judged import JudgedRows
from biglearn.search.surgery.plans import Removal, merge, removals


@dataclass(frozen=True)
class Neighbour:
    """A start: components of any K, brought to the run's number of components.

    They grow by the cuts, and shrink by the removals, that Jensen's bound says
    gain most and lose least.

    Parameters
    ----------
    components : Components
        In the engine's units.
    """

    components: Components

    def __call__(self, run: Run) -> Components:
        """Return as many components as the run's settings ask for."""
        components, goal = self.components, run.settings.n_components
        while components.n_components != goal:
            rows = JudgedRows.of(run, components)
            if components.n_components < goal:
                components = _grow(run, components, rows, goal - components.n_components)
            else:
                components = _shrink(run, components, rows, components.n_components - goal)
        return components


def _grow(run: Run, components: Components, rows: JudgedRows, most: int) -> Components:
    """Make the best cuts, at most `most`; each makes one component two."""
    found = find_cuts(run, components, rows, np.arange(components.n_components))
    cuts = sorted(found, key=lambda cut: -cut.gain)[:most]
    if cuts:
        halves = [cut.placed(components) for cut in cuts]
        return _replace(run, components, {cut.parent for cut in cuts}, halves)
    # No component has rows enough to show where: a new one takes half of the heaviest.
    nothing = components.part([0], scale=0.0)
    grown = _replace(run, components, set(), [nothing])
    return run.note(reseed(run.constraints, grown, grown.weights == 0))


def _shrink(run: Run, components: Components, rows: JudgedRows, most: int) -> Components:
    """Make the cheapest removals that do not share a component, at most `most`."""
    chosen: list[Removal] = []
    touched: set[int] = set()
    for removal in removals(run.constraints, components, rows):
        if len(chosen) < most and not removal.touched & touched:
            chosen.append(removal)
            touched |= removal.touched
    merged = [
        merge(components, [removal.lost], [removal.partner])
        for removal in chosen
        if removal.partner is not None
    ]
    return _replace(run, components, touched, merged)


def _replace(
    run: Run, components: Components, lost: set[int], new: Sequence[Components]
) -> Components:
    """Return the components without some of them, and with others at their end."""
    kept = [k for k in range(components.n_components) if k not in lost]
    whole = components.part(kept).joined(*new).reweighted()
    return run.note(run.constraints.impose_on(whole))
