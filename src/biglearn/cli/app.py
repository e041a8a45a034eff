"""The command line: thin over the library, results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import typer
from numpy.typing import ArrayLike
from rich.console import Console
from typer.exceptions import TyperException

from biglearn._types import Array, FloatArray
from biglearn._version import __version__
from biglearn.cli import options
from biglearn.cli.inputs import (
    paper_options,
    read_data,
    rows_and_columns,
    rows_of,
    sizes,
    source_of,
    split,
)
from biglearn.cli.messages import explain, say, short_warnings
from biglearn.cli.progress import FitProgress
from biglearn.cli.show import as_json, contest_report, describe, model_report
from biglearn.io import Model, Table, load_model, save_model, write_table
from biglearn.model.mixture import Mixture
from biglearn.plots import require_matplotlib
from biglearn.tables.tables import TableRows, check_output

if TYPE_CHECKING:
    from biglearn.estimators.mixture import BigLearnGaussianMixture

# Whatever loads scikit-learn is imported by the commands that need it: that takes seconds.

app = typer.Typer(
    name="biglearn",
    help="Gaussian mixtures that escape bad local optima.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@dataclass
class _Session:
    """What outlives a command: how to report its failure."""

    debug: bool = False


def _version(wanted: bool) -> None:
    if wanted:
        print(f"biglearn {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    if isinstance(context.obj, _Session):
        context.obj.debug = debug


@app.command()
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
    reg_covar: options.RegCovar = 1e-6,
    max_iter: options.MaxIter = 1000,
    n_init: options.NInit = 1,
    init: options.Init = "k-means++",
    seed: options.Seed = 0,
    scaling: options.Scaling = "standard",
    threads: options.Threads = None,
    columns: options.Columns = None,
    exclude: options.Exclude = None,
    weights: options.Weights = None,
    key: options.Key = None,
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
    check_output(output, data)
    table = read_data(data, columns, exclude, key, engine=engine, weights=weights)
    from biglearn.estimators.mixture import BigLearnGaussianMixture

    say(rows_and_columns(data, table), quiet=quiet)
    estimator = BigLearnGaussianMixture(
        components,
        method=paper or method,
        covariance_type=covariance_type,
        n_factors=factors,
        family=family,
        max_time=max_time,
        tol=tol,
        reg_covar=reg_covar,
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
    try:
        _fit(estimator, table, planned=planned, quiet=quiet)
    except KeyboardInterrupt:
        if hasattr(estimator, "mixture_"):
            _save(output, estimator, table, known | {"interrupted": True}, quiet=quiet)
        raise
    _save(output, estimator, table, known, quiet=quiet)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)


def _fit(
    estimator: "BigLearnGaussianMixture",
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


def _save(
    output: Path,
    estimator: "BigLearnGaussianMixture",
    table: Table | TableRows,
    known: dict[str, Any],
    *,
    quiet: bool,
) -> None:
    info = describe(estimator, **known, n_rows=estimator.n_samples_seen_)
    fitted = estimator.mixture_
    mixture = Mixture(
        fitted.weights,
        fitted.means,
        fitted.covariances,
        feature_names=table.names,
        dof=fitted.dof,
    )
    save_model(output, mixture, info=info)
    say(
        f"{output}: {mixture.n_components} components, log-likelihood "
        f"{info['log_likelihood']:.6f} per row, {info['seconds']:.1f} s",
        quiet=quiet,
    )


def _write(output: Path | None, columns: dict[str, ArrayLike], *, quiet: bool) -> None:
    if output is None:
        write_table(sys.stdout, columns)
        sys.stdout.flush()
        return
    write_table(output, columns)
    n_rows = len(np.asarray(next(iter(columns.values()))))
    say(f"{output}: {n_rows} rows, columns {', '.join(columns)}", quiet=quiet)


@app.command()
def select(
    data: options.Data,
    components: options.Sizes = "1-10",
    output: options.Chosen = None,
    covariance_type: options.Structures = None,
    factors: options.Factors = 1,
    criterion: options.Criterion = "bic",
    tol: options.Tol = 1e-5,
    reg_covar: options.RegCovar = 1e-6,
    seed: options.Seed = 0,
    scaling: options.Scaling = "standard",
    threads: options.Threads = None,
    jobs: options.Jobs = None,
    columns: options.Columns = None,
    exclude: options.Exclude = None,
    weights: options.Weights = None,
    key: options.Key = None,
    quiet: options.Quiet = False,
) -> None:
    """Choose the number of components: print the criteria of every K, and save the best."""
    from biglearn.estimators.selection import select_mixture

    if output is not None:
        check_output(output, data)
    tried = sizes(components)
    table = read_data(data, columns, exclude, key, weights=weights)
    X, sample_weight = rows_of(table)
    found = select_mixture(
        X,
        tried,
        covariance_type=split(covariance_type) or "full",
        n_factors=factors,
        criterion=criterion,
        sample_weight=sample_weight,
        n_jobs=jobs,
        tol=tol,
        reg_covar=reg_covar,
        random_state=seed,
        scaling=scaling,
        n_threads=threads,
    )
    _write(None, {**found.table()}, quiet=quiet)
    best = found.best
    say(f"{criterion} chooses {best.n_components} components, {best.covariance_type}", quiet=quiet)
    if output is not None:
        known = {"method": "select", "criterion": criterion, "seed": seed, "data": data.name}
        _save(output, found.best_estimator_, table, known, quiet=quiet)


@app.command()
def predict(
    model: options.ModelFile,
    data: options.Data,
    output: options.Table = None,
    proba: options.Proba = False,
    columns: options.Columns = None,
    exclude: options.Exclude = None,
    key: options.Key = None,
    quiet: options.Quiet = False,
) -> None:
    """Write each row's component, its responsibility and the row's log-density."""
    if output is not None:
        check_output(output, data, model, table=True)
    mixture = load_model(model).mixture
    source = source_of(read_data(data, columns, exclude, key, model=mixture))

    def rule(rows: FloatArray) -> Array:
        shares = mixture.responsibilities(rows)
        columns = [shares.argmax(axis=1), shares.max(axis=1), mixture.log_density(rows)]
        return np.column_stack([*columns, shares] if proba else columns)

    label, responsibility, log_density, *shares = source.map(rule).T
    result: dict[str, ArrayLike] = {
        "label": label.astype(np.intp),
        "responsibility": responsibility,
        "log_density": log_density,
    }
    result |= {f"responsibility_{k}": column for k, column in enumerate(shares)}
    _write(output, result, quiet=quiet)


@app.command()
def score(
    model: options.ModelFile,
    data: options.Data,
    columns: options.Columns = None,
    exclude: options.Exclude = None,
    weights: options.Weights = None,
    key: options.Key = None,
    as_object: options.Json = False,
) -> None:
    """Print the mean log-likelihood per row of DATA."""
    mixture = load_model(model).mixture
    source = source_of(read_data(data, columns, exclude, key, weights=weights, model=mixture))

    def ask(rows: FloatArray, weights: Array | None) -> Array:
        log_density = mixture.log_density(rows)
        shares = np.ones(len(rows)) if weights is None else weights
        return np.array([shares @ log_density, shares.sum()])

    log_likelihood, weight = source.total(ask)
    mean = float(log_likelihood / weight)
    if as_object:
        print(json.dumps({"log_likelihood": mean, "n_rows": source.n_given}))
    else:
        print(f"{mean:.10g}")


@app.command()
def impute(
    model: options.ModelFile,
    data: options.Data,
    output: options.Table = None,
    how: options.How = "mean",
    draws: options.Draws = 1,
    seed: options.Seed = 0,
    columns: options.Columns = None,
    exclude: options.Exclude = None,
    key: options.Key = None,
    quiet: options.Quiet = False,
) -> None:
    """Fill missing values of DATA from what a model says of each row.

    Several draws are written below each other, with their number in a column "draw".
    """
    if output is not None:
        check_output(output, data, model, table=True)
    mixture = load_model(model).mixture
    table = cast("Table", read_data(data, columns, exclude, key, engine="memory", model=mixture))
    say(rows_and_columns(data, table), quiet=quiet)
    filled = mixture.impute(table.values, how=how, n=draws, rng=np.random.default_rng(seed))
    names = table.names or tuple(f"x{j}" for j in range(mixture.n_features))
    n_rows = len(table.values)
    result: dict[str, ArrayLike] = {}
    if draws > 1:
        result["draw"] = np.repeat(np.arange(draws), n_rows)
    values = filled.reshape(-1, mixture.n_features)
    _write(output, result | dict(zip(names, values.T, strict=True)), quiet=quiet)


@app.command()
def sample(
    model: options.ModelFile,
    rows: options.Rows = 100,
    seed: options.Seed = 0,
    output: options.Table = None,
    labels: options.Labels = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw new rows from a model."""
    if output is not None:
        check_output(output, model, table=True)
    mixture = load_model(model).mixture
    X, components = mixture.sample(rows, np.random.default_rng(seed))
    names = mixture.feature_names or tuple(f"x{j}" for j in range(mixture.n_features))
    result: dict[str, ArrayLike] = dict(zip(names, X.T, strict=True))
    if labels:
        result["label"] = components
    _write(output, result, quiet=quiet)


@app.command()
def info(model: options.ModelFile, as_object: options.Json = False) -> None:
    """Show what is in a model file and how it was made."""
    loaded: Model = load_model(model)
    if as_object:
        print(json.dumps(as_json(loaded), indent=2))
    else:
        Console().print(model_report(loaded))


@app.command()
def demo(
    output_dir: options.OutputDir = Path("demo-output"),
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
) -> None:
    """Compare plain EM with big learning on two problems (needs the extra plots)."""
    require_matplotlib()
    from biglearn.cli.demo import contest, digits, grid25, write_results

    output_dir.mkdir(parents=True, exist_ok=True)
    results = {}
    for draw in (grid25, digits):
        problem = draw(np.random.default_rng(seed))
        outcomes = []
        for outcome in contest(problem, seed=seed):
            say(f"{problem.name}: {outcome.method}: {outcome.seconds:.1f} s", quiet=quiet)
            outcomes.append(outcome)
        results[problem.name] = problem, outcomes
        Console().print(contest_report(problem, outcomes), "")
    for path in write_results(output_dir, results, seed=seed):
        say(f"wrote {path}", quiet=quiet)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        0 if all went well, 1 if the command failed, 2 if it was called wrongly, 130 if it was
        interrupted.

    Examples
    --------
    >>> main(["--version"])
    biglearn ...
    0
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    session = _Session()
    try:
        with short_warnings():
            code = app(
                arguments or ["--help"], prog_name="biglearn", standalone_mode=False, obj=session
            )
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if session.debug:
            raise
        say(f"biglearn: error: {explain(error)}")
        return error.exit_code if isinstance(error, TyperException) else 1
    if code == 130:
        say("biglearn: error: interrupted")
    if not arguments:  # the help is an answer, but to a call that was not complete
        return 2
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
