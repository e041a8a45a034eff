"""Problems: the input of a fit as values, and the way to its result."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from biglearn import kernels
from biglearn.engines.base import Engine
from biglearn.engines.rows.digest import RowDigest
from biglearn.model.blocks import unscaled
from biglearn.model.checks import check_fixed, check_given
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints, n_parameters
from biglearn.model.fixed import Fixed
from biglearn.model.mixture import Mixture
from biglearn.model.noise import Noise
from biglearn.model.prior import FOLLOWED, CovariancePrior, PseudoRows
from biglearn.search.checkpoint import described, fingerprint, journalled
from biglearn.search.climbing.compiled import loops_know
from biglearn.search.em import EM
from biglearn.search.fit import Fit
from biglearn.search.float_range import within_floats
from biglearn.search.judge import Judge
from biglearn.search.order import ordered
from biglearn.search.records import Record
from biglearn.search.run import Method, Run, Settings, Start, carry_out
from biglearn.search.scaled_rows import ScaledRows
from biglearn.search.starts.cleared import ClearedStart, NoisyStart
from biglearn.search.starts.given import GivenComponents, GivenParameters
from biglearn.search.starts.names import InitParams, from_user
from biglearn.search.strength import choose_prior, default_strength
from biglearn.search.tuning import Tuning
from biglearn.search.verdict import Verdict, verdict_of


@dataclass(frozen=True, eq=False)
class Problem:
    """Input of a fit: rows in units, number of components, constraints, start and budget.

    Parameters
    ----------
    rows : ScaledRows
    n_components : int
    limits : Constraints
        Constraints that the user asks for: structure, family and ratio.
    reg_covar : float or "auto"
    prior : CovariancePrior or None
    resolution : "auto", None or array-like of shape (D,)
        Unit to which each column is rounded; "auto" reads it from the rows.
    has_unit_spread : bool
        Whether the columns have unit spread in units.
    fixed : Fixed, optional
        Given parameters, in the user's units.
    has_noise : bool
        Whether there is a uniform component beside the others.
    labels : array of shape (N,), optional
        Known components of the rows, which the rows' engine knows too.
    settings : Settings
        Budget; its number of components is not used.
    init_params : str, array-like or callable
    weights_init, means_init, precisions_init : array-like, optional
        As in `GaussianMixture`.
    order : str or None
        Order of the fitted components: "weights", "means" or as they come.
    last : tuple of Mixture and Noise or None, optional
        Where an earlier fit ended, to begin there.
    """

    rows: ScaledRows
    n_components: int
    limits: Constraints = Constraints()  # noqa: RUF009  immutable
    reg_covar: float | str = "auto"
    prior: CovariancePrior | None = None
    resolution: str | ArrayLike | None = None
    has_unit_spread: bool = True
    fixed: Mapping[str, ArrayLike] | None = None
    has_noise: bool = False
    labels: ArrayLike | None = None
    settings: Settings = Settings(1)  # noqa: RUF009  immutable
    init_params: InitParams = "kmeans"
    weights_init: ArrayLike | None = None
    means_init: ArrayLike | None = None
    precisions_init: ArrayLike | None = None
    order: str | None = None
    last: tuple[Mixture, Noise | None] | None = None

    def with_size(self, n_components: int) -> Problem:
        """Return the same problem with another K."""
        return replace(self, n_components=n_components)

    @property
    def shape(self) -> tuple[int, int]:
        """K and D."""
        return self.n_components, len(self.rows.units.scale)

    @cached_property
    def given(self) -> Fixed | None:
        """Checked given parameters, in the user's units."""
        return check_fixed(self.fixed, self.limits.structure, self.shape)

    @cached_property
    def noise(self) -> Noise | None:
        """The uniform component, in units."""
        return self.rows.source.noise(self.rows.units) if self.has_noise else None

    @cached_property
    def constraints(self) -> Constraints:
        """The constraints, in units; with noise, of K + 1 components."""
        units, fixed = self.rows.units, self.given
        if fixed is not None:
            fixed = fixed.inward(units.centre, units.scale)
        if self.noise is not None:
            last = self.noise.fixed(self.n_components)
            fixed = last if fixed is None else fixed.joined(last)
        floors = self.rows.floors(self.reg_covar, self.resolution, scaled=self.has_unit_spread)
        return replace(self.limits, floor=floors, fixed=fixed, prior=self.pseudo_rows())

    @property
    def is_penalised(self) -> bool:
        """Whether there is a prior; a target that follows one covariance says nothing."""
        prior = self.prior
        if prior is None or prior.rows == 0:
            return False
        alone = self.n_components == 1 or self.limits.structure.is_shared
        return not alone or not isinstance(prior.target, str)

    @property
    def row_weight(self) -> float:
        """Weight of one row, in which pseudo-rows are counted."""
        extent = self.rows.source.extent
        return min(1.0, extent.weight / extent.n_rows)

    def pseudo_rows(self) -> PseudoRows:
        """Return the prior in units; what is automatic begins with its default."""
        prior = self.prior
        if prior is None or not self.is_penalised:
            return PseudoRows()
        rows = default_strength(self.shape[1]) if isinstance(prior.rows, str) else prior.rows
        if isinstance(prior.target, str):
            follows = FOLLOWED[0] if prior.target == "auto" else prior.target
            return PseudoRows(rows * self.row_weight, follows=follows)
        scale = self.rows.units.scale
        target = unscaled(np.asarray(prior.target, dtype=np.float64)[None], scale)
        size = self.limits.structure.block_size(len(scale))
        return PseudoRows(rows * self.row_weight, target[0]).within(size)

    @property
    def n_parameters(self) -> int:
        """Free numbers of the mixture, those that are fixed not counted."""
        return n_parameters(self.limits, self.given, self.has_noise, self.shape)

    def start(self) -> Start:
        """Return the start that the user asks for."""
        units = self.rows.units
        if self.last is not None:
            return GivenComponents(self._inward(*self.last))
        start = from_user(self.init_params, self.rows.source, units, self.n_components)
        weights, means, covariances = check_given(
            self.weights_init,
            self.means_init,
            self.precisions_init,
            self.limits.structure,
            self.shape,
        )
        if weights is not None or means is not None or covariances is not None:
            if means is not None:
                means = self.rows.means_inward(means)
            if covariances is not None:
                covariances = self.rows.covariances_inward(covariances)
            start = GivenParameters(start, weights, means, covariances)
        if self.noise is not None:
            return NoisyStart(start, self.noise)
        return ClearedStart(start) if self.limits.family.has_tails else start

    def _inward(self, mixture: Mixture, noise: Noise | None) -> Components:
        """Convert a fitted mixture, and noise, to K or K + 1 components in units."""
        components, family = self.rows.units.inward(mixture), self.limits.family
        if components.family != family:
            shapes = family.starting_shapes(self.n_components)
            components = components.replace(family=family, shapes=shapes)
        if self.noise is None:
            return components
        weight = 1 / (self.n_components + 1) if noise is None else noise.weight
        last = self.noise.components(family, weight)
        return components.replace(weights=(1 - weight) * components.weights).joined(last)

    def run(
        self,
        rng: np.random.Generator,
        start: Start | None = None,
        *,
        engine: Engine | None = None,
        clock: Callable[[], float] = time.perf_counter,
        tuning: Tuning = Tuning(),  # noqa: B008  immutable
        operates: bool = False,
    ) -> Run:
        """Return a run of the problem, before its first pass.

        What loops it may need is compiled here, `operates` those of surgery too: the clock does
        not run yet.
        """
        constraints, start = self.constraints, start or self.start()
        known = loops_know(constraints, self.shape[1])
        kernels.load(self.rows.source.dtype, with_climbs=known, with_surgery=operates)
        return Run(
            engine or self.rows.engine,
            self._settings(),
            start,
            rng,
            constraints,
            tuning=tuning,
            offset=self.rows.offset,
            clock=clock,
            scale=None if (self.rows.units.scale == 1.0).all() else self.rows.units.scale,
        )

    def verdict(self, fit: Fit, constraints: Constraints) -> Verdict:
        """Judge a fit by one more pass over the rows."""
        return verdict_of(
            self.rows.source,
            fit.mixture,
            fit.noise,
            fit.scaled,
            constraints,
            coarse=self.rows.coarse(self.resolution),
            total=fit.total,
            row_weight=self.row_weight,
        )

    def judge(self, size: int) -> Judge:
        """Return what judges components, on a sample of about `size` rows."""
        source, units = self.rows.source, self.rows.units
        structure = self.limits.structure
        return Judge.of(source, units, size, structure=structure, has_noise=self.has_noise)

    def _settings(self) -> Settings:
        """Return the settings of a run, in which the noise is one component more."""
        n_init = 1 if self.last is not None else self.settings.n_init
        size = self.n_components + (self.noise is not None)
        return replace(self.settings, n_components=size, n_init=n_init)

    def result(self, run: Run, history: list[Record]) -> Fit:
        """Return a run's result in the user's units, with given parameters exactly as given."""
        units, noise, trace = self.rows.units, None, run.best_ascent
        scaled, reseeded = ordered(run.components, self.order, self.n_components, trace.reseeded)
        components = scaled
        if self.has_noise:
            components, noise = Noise.split(scaled)
            noise = noise.outward(units.centre, units.scale)
        outside = units.outward(components)
        share = 1.0 if noise is None else 1.0 - noise.weight
        weights = share * outside.weights
        if self.given is not None:
            weights, outside = self.given.restore(weights, outside)
            if noise is None:
                outside = outside.replace(weights=weights)
        bounds = tuple(value - run.offset for value in trace.up_to(run.objective))
        return Fit(
            mixture=Mixture.of(outside, self.rows.names),
            noise=noise,
            weights=weights,
            lower_bound=run.objective - run.offset,
            lower_bounds=bounds,
            n_iter=_steps_of(trace.points, len(bounds), self.settings.max_iter),
            converged=run.converged,
            reseeded=reseeded,
            n_reseeded=run.counters.repairs.reseeded,
            n_raised=run.counters.repairs.raised,
            n_rows=run.engine.n_rows,
            n_parameters=self.n_parameters,
            total=run.total,
            pseudo_rows=run.constraints.prior.rows,
            observed=self.rows.source.extent.observed,
            passes=int(run.passes),
            history=tuple(history),
            scaled=scaled,
            units=units,
            offset=run.offset,
            dtype=self.rows.source.dtype,
            outlook=run.outlook,
        )


@within_floats()
def solve(
    problem: Problem,
    method: Method,
    rng: np.random.Generator,
    *,
    start: Start | None = None,
    watch: Callable[[Record], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    seeded: bool = True,
    keep: Callable[[Fit], None] | None = None,
    tuning: Tuning | None = None,
) -> Fit:
    """Fit a problem by a method.

    Parameters
    ----------
    problem : Problem
    method : Method
    rng : Generator
    start : Start, optional
        That of the problem if left out.
    watch : callable, optional
        Called with every record.
    checkpoint : path, optional
        See `journalled`.
    seeded : bool
        Whether the generator was asked for, and has to be that of the checkpoint.
    keep : callable, optional
        Given the best fit so far where the user interrupts.
    tuning : Tuning, optional
        That of the method if left out.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    """
    about: dict[str, Any] = {}
    if checkpoint is not None:
        about = described(problem.settings, problem.constraints, method)
        about["n_components"] = problem.n_components + problem.has_noise
        about["rows"] = _rows_of(problem)
    how: dict[str, Any] = {"tuning": tuning_of(method) if tuning is None else tuning}
    how["operates"] = getattr(method, "trials", 0) > 0  # others compile such loops when asked to
    with journalled(checkpoint, about, rng, seeded=seeded) as journal:
        if journal is None:
            run = problem.run(rng, start, **how)
        else:
            engine = journal.wrapped(problem.rows.engine)
            run = problem.run(rng, start, engine=engine, clock=journal.clock, **how)
        if run.settings.max_iter == 0:
            method = EM()  # the parameters as initialised, whatever the method
        elif problem.prior is not None and problem.is_penalised:
            run.judge = problem.judge(run.tuning.plan_rows)
            if problem.prior.is_automatic:
                choose_prior(run, run.judge, problem.prior, problem.row_weight)
        history: list[Record] = []
        records = carry_out(run, method)
        try:
            for record in records:
                history.append(record)
                if watch is not None:
                    watch(record)
        except KeyboardInterrupt:
            records.close()
            if run.best is not None and keep is not None:
                keep(problem.result(run, history))
            raise
        fit = problem.result(run, history)
        return replace(fit, verdict=problem.verdict(fit, run.constraints))


def _steps_of(points: int, n_bounds: int, most: int) -> int:
    """Return the EM steps of a run that passed so many points, or was cut short after one."""
    return min(most, max(1, points - 1, n_bounds - 1))


def tuning_of(method: Method) -> Tuning:
    """Return the constants that a method brings, or the default ones."""
    tuning = getattr(method, "tuning", None)
    return tuning if isinstance(tuning, Tuning) else Tuning()


def _rows_of(problem: Problem) -> dict[str, Any]:
    """Describe the rows of a problem, in JSON's types, to tell them from others."""
    rows = problem.rows
    about = {
        "n_rows": rows.source.extent.n_rows,
        "content": rows.source.total(RowDigest.of).hex(),
        "units": fingerprint(rows.units.centre, rows.units.scale),
    }
    if problem.labels is not None:
        about["labels"] = fingerprint(np.asarray(problem.labels))
    return about
