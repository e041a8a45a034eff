"""The commands that use a model file: `predict`, `score`, `impute`, `sample` and `info`."""

from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array, FloatArray
from biglearn.cli import options
from biglearn.cli.inputs import read_data, rows_and_columns, source_of
from biglearn.cli.messages import say
from biglearn.cli.outputs import beside, write
from biglearn.cli.reading import Reading, reads
from biglearn.cli.show import as_json, json_text, summary_of
from biglearn.io import Table, load_model
from biglearn.tables.tables import check_output


@reads("keep")
def predict(
    model: options.ModelFile,
    data: options.Data,
    output: options.Table = None,
    proba: options.Proba = False,
    *,
    reading: Reading,
    quiet: options.Quiet = False,
) -> None:
    """Write each row's component, its responsibility and the row's log-density."""
    if output is not None:
        check_output(output, data, model)
    mixture = load_model(model).mixture
    table, kept = read_data(data, reading, model=mixture)
    source = source_of(table)

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
    write(output, beside(kept, result), quiet=quiet)


@reads("weights")
def score(
    model: options.ModelFile,
    data: options.Data,
    *,
    reading: Reading,
    as_object: options.Json = False,
) -> None:
    """Print the mean log-likelihood per row of DATA."""
    mixture = load_model(model).mixture
    source = source_of(read_data(data, reading, model=mixture).table)

    def ask(rows: FloatArray, weights: Array | None) -> Array:
        log_density = mixture.log_density(rows)
        shares = np.ones(len(rows)) if weights is None else weights
        return np.array([shares @ log_density, shares.sum()])

    log_likelihood, weight = source.total(ask)
    mean = float(log_likelihood / weight)
    if as_object:
        print(json_text({"log_likelihood": mean, "n_rows": source.n_given}))
    else:
        print(f"{mean:.10g}")


@reads("keep")
def impute(
    model: options.ModelFile,
    data: options.Data,
    output: options.Table = None,
    how: options.How = "mean",
    draws: options.Draws = 1,
    seed: options.Seed = 0,
    *,
    reading: Reading,
    quiet: options.Quiet = False,
) -> None:
    """Fill missing values of DATA by the model, given each row's other values.

    Several draws are written below each other, with their number in a column "draw".
    """
    if output is not None:
        check_output(output, data, model)
    mixture = load_model(model).mixture
    given, kept = read_data(data, reading, engine="memory", model=mixture)
    table = cast("Table", given)
    say(rows_and_columns(data, table), quiet=quiet)
    filled = mixture.impute(table.values, how=how, n=draws, rng=np.random.default_rng(seed))
    names = table.names or tuple(f"x{j}" for j in range(mixture.n_features))
    n_rows = len(table.values)
    result: dict[str, ArrayLike] = {
        name: np.tile(np.asarray(column), draws) for name, column in kept.items()
    }
    if draws > 1:
        result["draw"] = np.repeat(np.arange(draws), n_rows)
    values = filled.reshape(-1, mixture.n_features)
    write(output, beside(result, dict(zip(names, values.T, strict=True))), quiet=quiet)


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
        check_output(output, model)
    mixture = load_model(model).mixture
    X, components = mixture.sample(rows, np.random.default_rng(seed))
    names = mixture.feature_names or tuple(f"x{j}" for j in range(mixture.n_features))
    result: dict[str, ArrayLike] = dict(zip(names, X.T, strict=True))
    if labels:
        result["label"] = components
    write(output, result, quiet=quiet)


def info(model: options.ModelFile, as_object: options.Json = False) -> None:
    """Show the content of a model file and how it was made."""
    if as_object:
        print(json_text(as_json(load_model(model)), indent=2))
    else:
        print(summary_of(model))
