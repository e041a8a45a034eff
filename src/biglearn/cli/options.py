"""Every option of the command line, named once so that all commands spell it alike."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="Table of numbers, or a folder of them: .csv, .tsv (also .gz, .bz2, .xz, .zst), "
        ".parquet, .npy, .npz; - is standard input.",
    ),
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="Model file from biglearn fit.")]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all randomness.")]
Table = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write: .csv, .tsv (also .gz, .bz2, .xz, .zst), .parquet or .npy; - is CSV "
        "on standard output, as by default.",
        callback=lambda path: None if path == Path("-") else path,
    ),
]

Components = Annotated[
    int, typer.Option("--components", "-k", min=1, help="Number of components K.")
]
Sizes = Annotated[
    str,
    typer.Option("--components", "-k", help="Values of K to try, such as 1-12 or 2,4,8."),
]
Structures = Annotated[
    list[str] | None,
    typer.Option(
        "--covariance-type", help="Structures to try, separated by commas (default full)."
    ),
]
Criterion = Annotated[
    Literal["bic", "icl", "aic", "heldout"], typer.Option(help="Criterion that decides.")
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Structures to fit at once.")]
Chosen = Annotated[
    Path | None, typer.Option("--output", "-o", help="File for the chosen model, .npz.")
]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="Model file to write, which ends in .npz.")
]
Method = Annotated[
    Literal["search", "paper", "em"],
    typer.Option(help="Our search, the published algorithm, or plain EM."),
]
CovarianceType = Annotated[
    Literal["full", "tied", "diag", "spherical", "factor"],
    typer.Option(help="Structure of the covariances."),
]
Factors = Annotated[
    int, typer.Option("--factors", min=1, help="Common factors, for covariance type factor.")
]
Family = Annotated[
    Literal["gaussian", "student"],
    typer.Option(help="Gaussian components, or Student-t ones with heavy tails."),
]
MaxTime = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Stop after this time with the best model so far."),
]
Tol = Annotated[float, typer.Option(min=0, help="Gain per row below which EM stops.")]
RegCovar = Annotated[
    str,
    typer.Option(help="Smallest eigenvalue of a covariance, in scaled units: auto or a number."),
]
Prior = Annotated[
    str, typer.Option(help="Pseudo-rows of the pooled covariance: none, auto, or a number.")
]
Resolution = Annotated[
    Literal["none", "auto"],
    typer.Option(help="Let no component be narrower than the unit that columns are rounded to."),
]
MaxRatio = Annotated[
    float | None,
    typer.Option(min=1, help="Largest eigenvalue of any covariance over the smallest of any."),
]
MaxIter = Annotated[int, typer.Option(min=1, help="Most steps of one EM run.")]
NInit = Annotated[int, typer.Option(min=1, help="Number of independent runs.")]
Init = Annotated[
    Literal[
        "kmeans",
        "kmeans-own-units",
        "k-means++",
        "ward",
        "random",
        "random_from_data",
        "normal",
    ],
    typer.Option(help="How a run starts."),
]
Scaling = Annotated[
    Literal["standard", "minmax", "none"], typer.Option(help="Units that the fit works in.")
]
Engine = Annotated[
    Literal["auto", "memory", "chunked", "torch"],
    typer.Option(help="Where the rows live; auto reads large files in blocks."),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Keep every pass in FILE, so that the same command goes on after it was killed.",
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads (default as many as BLAS uses).")]

_PAPER = "Method paper"
Steps = Annotated[
    int | None,
    typer.Option(min=1, help="Outer steps T (default 2000).", rich_help_panel=_PAPER),
]
Lift = Annotated[
    Literal["block", "regression"] | None,
    typer.Option(help="How the rest follows a view (default block).", rich_help_panel=_PAPER),
]
PseudoCount = Annotated[
    str | None,
    typer.Option(
        help="Pseudo-count of the weights: 1/sqrt(K), 1/K or a number (default 1/sqrt(K)).",
        rich_help_panel=_PAPER,
    ),
]
NoPolish = Annotated[
    bool,
    typer.Option(
        "--no-polish",
        help="Return the last point of the chain, as published.",
        rich_help_panel=_PAPER,
    ),
]

Kind = Annotated[
    Literal[
        "pairs",
        "density",
        "uncertainty",
        "histogram",
        "profiles",
        "responsibilities",
        "regression",
        "anomalies",
        "alarms",
        "history",
        "criterion",
    ],
    typer.Argument(metavar="KIND", help="What to draw."),
]
DataToo = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA", help="Table of numbers, as for fit; alarms to criterion need none."
    ),
]
Features = Annotated[
    list[str] | None,
    typer.Option(
        help="Features to draw, by name or number from 0, separated by commas (default: those "
        "whose means differ most between components). Of a regression the given one, then the "
        "one that follows."
    ),
]
Picture = Annotated[
    Path, typer.Option("--output", "-o", help="Picture to write: .png, .svg or .pdf.")
]
Page = Annotated[Path, typer.Option("--output", "-o", help="Page to write, which ends in .html.")]
HeldOut = Annotated[
    Path | None,
    typer.Option(
        "--heldout", metavar="FILE", help="Rows that were not fitted, to judge the fit by."
    ),
]
Title = Annotated[str | None, typer.Option(help="Heading of the page.")]

How = Annotated[
    Literal["mean", "mode", "sample"],
    typer.Option(help="Conditional mean, mean of the likeliest component, or a draw."),
]
Draws = Annotated[
    int, typer.Option("--draws", "-n", min=1, help="Number of draws; several need --how sample.")
]
Rows = Annotated[int, typer.Option("--rows", "-n", min=1, help="Number of rows to draw.")]
Labels = Annotated[bool, typer.Option("--labels", help="Add each row's component.")]
Proba = Annotated[bool, typer.Option("--proba", help="Add the responsibility of every component.")]
OutputDir = Annotated[Path, typer.Option(help="Folder for the results; made if it is missing.")]
