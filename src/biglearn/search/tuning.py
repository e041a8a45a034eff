"""Constants of the search, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """Constants of starts, surgery, legs and the path through K.

    They were chosen on simulated mixtures of 10 to 100 components and on letter, pendigits and
    vehicle; see docs/explanation/what-paid.md.

    Parameters
    ----------
    same : float
        Objectives per row this close are the same optimum.
    rough : float
        Tolerance to which a leg climbs before surgery.
    small_effort : float
        The effort for two components, and for few rows.
    few_rows : int
        Rows below which a few climbs are all.
    few_runs, few_steps : int
        Short runs of a tournament there, and their EM steps.
    offers : int
        Best components of legs, at most, that are climbed to the end before one is chosen.
    warm_steps, strength_steps : int
        EM steps before a prior's strength is chosen, and for each strength.
    start_rows, start_rows_per_component : int
        Rows that a start looks at, at most, and rows for each component.
    merged_rows : int
        Rows that Ward's method merges, at most: its cost grows with their square.
    lone_rows, lone_neighbours, lone_rounds : int
        Rows that the search for lone ones looks at, their neighbours, and its rounds of EM.
    sample_rows, sample_share : float
        Where there are more rows than `sample_share` times so many for each component and
        dimension, and for plans, the search looks at so many, and finishes on all.
    last_passes : float
        Passes over all rows for which time is kept back then.
    plan_rows : int
        Rows that plans, trials and starts in a view look at, at most.
    cut_steps, first_cut_steps : int
        EM steps inside a component that look for its best cut, and after how many of them the
        better of two directions is chosen.
    cut_members : int
        Rows of one component that shape its cut, at most.
    least_steps : int
        With a smaller `max_iter` a search is one climb, since others would end as early.
    least_share : float
        Responsibility below which a row takes no part in a cut or a trial.
    chances : int
        Plans in which the same cut, or the same removal, is tried.
    remembered : int
        Mixtures whose surgeries are remembered.
    neighbour_share : float
        Components that answer for more than this share of the touched ones' rows are
        neighbours.
    neighbours : int
        Neighbours of a surgery, at most.
    grace : int
        Steps that a trial has before it can be given up.
    small_work, tiled_work : float
        Multiplications of a pass up to which many steps are one call, on one thread: all of them,
        and those in which rows meet the components near to them alone.
    tiled_components : int
        K from which they do.
    near_share, near_most : float
        Responsibility of a component that is near, at most, and share of all pairs of tiles and
        components up to which it pays.
    tiled_steps : int
        Steps between two looks at all components.
    look_cost : float
        Of one, in passes.
    settle : int
        Steps of EM between two rounds of surgery.
    searched_size : int
        Up to this K the path through K makes a search of its own at every K.
    largest_size : int
        ``n_components="auto"`` tries no larger K.
    patience : int
        ``n_components="auto"`` ends after so many K that did not improve the criterion.
    chain_share : float
        Share of the time that the published chain may use; the polish has the rest.
    least_noise, most_noise : float
        Bounds on the share of noise that a fit begins with.
    """

    same: float = 1e-5
    rough: float = 1e-3
    small_effort: float = 3.0
    few_rows: int = 100
    few_runs: int = 2
    few_steps: int = 4
    warm_steps: int = 8
    strength_steps: int = 2
    offers: int = 3
    start_rows: int = 20_000
    start_rows_per_component: int = 200
    merged_rows: int = 1000
    lone_rows: int = 5000
    lone_neighbours: int = 12
    lone_rounds: int = 50
    sample_rows: float = 20.0
    sample_share: float = 3.0
    last_passes: float = 15.0
    plan_rows: int = 10_000
    cut_steps: int = 6
    first_cut_steps: int = 2
    cut_members: int = 1000
    least_steps: int = 10
    least_share: float = 1e-2
    chances: int = 3
    remembered: int = 6
    neighbour_share: float = 0.02
    neighbours: int = 4
    grace: int = 3
    small_work: float = 4e6
    tiled_work: float = 1e9
    tiled_components: int = 24
    near_share: float = 1e-3
    near_most: float = 0.5
    tiled_steps: int = 12
    look_cost: float = 0.6
    settle: int = 5
    searched_size: int = 5
    largest_size: int = 30
    patience: int = 5
    chain_share: float = 0.85
    least_noise: float = 0.01
    most_noise: float = 0.5
