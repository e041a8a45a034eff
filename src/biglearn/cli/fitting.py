"""The commands that fit: `fit` and `select`."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from biglearn.cli import options
from biglearn.cli.inputs import (
    paper_options,
    read_data,
    regularisation,
    rows_and_columns,
    rows_of,
    sizes,
)
from biglearn.cli.messages import say
from biglearn.cli.outputs import save, write
from biglearn.cli.progress import FitProgress
from biglearn.cli.reading import Reading, reads, split
from biglearn.io import Table
from biglearn.tables.tables import TableRows, check_output

if TYPE_CHECKING:
    from biglearn.estimators.mixture import GaussianMixture

# Whatever loads scikit-learn is imported by the commands that need it: that takes seconds.


@reads("weights")
def fit(
    data: options.Data,
    components: options.Components,
    output: options.Output,
    method: options.Method = "search",
    covariance_type: options.CovarianceType = "full",
    factors: options.Factors = 1,
    family: options.Family = "gaussian",
    max_time: options.MaxTime = None,
    tol: options.Tol = 1e-5,
    reg_covar: options.RegCovar = "auto",
    prior: options.Prior = "auto",
    resolution: options.Resolution = "auto",
    max_ratio: options.MaxRatio = None,
    max_iter: options.MaxIter = 1000,
    n_init: options.NInit = 1,
    init: options.Init = "kmeans",
    seed: options.Seed = 0,
    scaling: options.Scaling = "standard",
    threads: options.Threads = None,
    *,
    reading: Reading,
    steps: options.Steps = None,
    lift: options.Lift = None,
    pseudo_count: options.PseudoCount = None,
    no_polish: options.NoPolish = False,
    engine: options.Engine = "auto",
    checkpoint: options.Checkpoint = None,
    quiet: options.Quiet = False,
) -> None:
    """Fit a mixture of K Gaussians to DATA and save it."""
    paper = paper_options(method, steps, lift, pseudo_count, no_polish)
    check_output(output, data, model=True)
    table, _ = read_data(data, reading, engine=engine)
    from biglearn.estimators.mixture import GaussianMixture

    say(rows_and_columns(data, table), quiet=quiet)
    estimator = GaussianMixture(
        components,
        method=paper or method,
        covariance_type=covariance_type,
        n_factors=factors,
        family=family,
        max_time=max_time,
        tol=tol,
        **regularisation(reg_covar, prior, resolution, max_ratio),
        max_iter=max_iter,
        n_init=n_init,
        init_params=init,
        random_state=seed,
        scaling=scaling,
        n_threads=threads,
        engine=engine,
        checkpoint=checkpoint,
    )
    known: dict[str, Any] = {"method": method, "seed": seed, "data": data.name}
    if paper is not None:
        known["paper"] = {
            "steps": paper.steps,
            "lift": paper.lift,
            "pseudo_count": paper.pseudo_count,
            "polish": paper.polish,
        }
    planned = None if paper is None else paper.steps * n_init
    start = time.perf_counter()
    try:
        _fit(estimator, table, planned=planned, quiet=quiet)
    except KeyboardInterrupt:
        if hasattr(estimator, "mixture_"):
            known |= {"interrupted": True, "seconds": round(time.perf_counter() - start, 3)}
            save(output, estimator, table, known, quiet=quiet)
        raise
    known["seconds"] = round(time.perf_counter() - start, 3)
    save(output, estimator, table, known, quiet=quiet)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)


def _fit(
    estimator: "GaussianMixture",
    table: Table | TableRows,
    *,
    planned: int | None,
    quiet: bool,
) -> None:
    X, weights = rows_of(table)
    if quiet:
        estimator.fit(X, sample_weight=weights)
        return
    console = Console(stderr=True)
    with FitProgress(console, max_time=estimator.max_time, planned=planned) as progress:
        estimator.set_params(callback=progress)
        estimator.fit(X, sample_weight=weights)
    if estimator.outlook_ is not None:
        say(f"{estimator.outlook_} (--max-time buys it)", quiet=quiet)


@reads("weights")
def select(
    data: options.Data,
    components: options.Sizes = "1-10",
    output: options.Chosen = None,
    covariance_type: options.Structures = None,
    factors: options.Factors = 1,
    criterion: options.Criterion = "bic",
    tol: options.Tol = 1e-5,
    reg_covar: options.RegCovar = "auto",
    prior: options.Prior = "auto",
    resolution: options.Resolution = "auto",
    max_ratio: options.MaxRatio = None,
    seed: options.Seed = 0,
    scaling: options.Scaling = "standard",
    threads: options.Threads = None,
    jobs: options.Jobs = None,
    *,
    reading: Reading,
    quiet: options.Quiet = False,
) -> None:
    """Choose the number of components: print the criteria of every K, and save the best."""
    from biglearn.estimators.selection import select_mixture

    if output is not None:
        check_output(output, data, model=True)
    tried = sizes(components)
    table, _ = read_data(data, reading)
    X, sample_weight = rows_of(table)
    start = time.perf_counter()
    found = select_mixture(
        X,
        tried,
        covariance_type=split(covariance_type) or "full",
        n_factors=factors,
        criterion=criterion,
        sample_weight=sample_weight,
        n_jobs=jobs,
        tol=tol,
        **regularisation(reg_covar, prior, resolution, max_ratio),
        random_state=seed,
        scaling=scaling,
        n_threads=threads,
    )
    seconds = time.perf_counter() - start
    write(None, {**found.table()}, quiet=quiet)
    best = found.best
    say(
        f"{criterion} chooses {best.n_components} components, {best.covariance_type}, "
        f"in {seconds:.1f} s",
        quiet=quiet,
    )
    if output is not None:
        known: dict[str, Any] = {"method": "select", "criterion": criterion, "seed": seed}
        known["candidates"] = [asdict(one) for one in found.candidates]
        known |= {"data": data.name, "seconds": round(seconds, 3)}
        save(output, found.best_estimator_, table, known, quiet=quiet)
