"""What every report ends with: how to use the model, and what the words mean."""

from __future__ import annotations

import html
import shlex

from biglearn.display import escaped
from biglearn.model.mixture import Mixture

_TERMS = {
    "Component": "A group of rows that are alike: a middle (mean), a spread (standard deviations, "
    "and how features go together), and a share of all rows (weight).",
    "Mixture": "All components together: a description of how likely every combination of values "
    "is.",
    "Probability of a component (responsibility)": "How probable it is that a row came from a "
    "component, given its values. The probabilities of a row add up to 1.",
    "Standard deviation": "The usual distance from the mean: about two thirds of the rows of a "
    "component are closer to its mean than this, and 19 of 20 are closer than twice this.",
    "Log-density, log-likelihood": "How well the model expects a row: the logarithm of its "
    "density. Only differences matter: 1 less is 2.7 times less expected. Per row it is the mean "
    "over all rows.",
    "Leave-one-out": "The same for each row under a model that has not seen this row: what to "
    "expect of new rows.",
    "BIC, AIC, ICL": "Scores that weigh fit against the number of free parameters; low is good. "
    "They compare models of the same rows, and mean nothing by themselves. ICL wants components "
    "apart from each other, too.",
    "Prior": "A few imagined rows of average spread, which keep components from shrinking onto "
    "single rows.",
    "Floor": "The smallest width that a component may have. A component on the floor holds rows "
    "that share a value, and its density there was decided by the floor.",
    "Nat": "The unit of log-densities, with natural logarithms.",
}


def glossary() -> list[str]:
    """Return the terms of a report and what they mean, as a list of definitions."""
    items = (f"<dt>{escaped(term)}</dt><dd>{escaped(told)}</dd>" for term, told in _TERMS.items())
    return [f"<dl>{''.join(items)}</dl>"]


def how_to_use(mixture: Mixture, files: tuple[str, str] | None) -> list[str]:
    """Return commands and code that use a model file.

    Parameters
    ----------
    mixture : Mixture
    files : tuple of two str, optional
        Names of the model file and of the table.
    """
    model, table = (shlex.quote(name) for name in files or ("model.npz", "rows.csv"))
    commands = [
        ("Find the component of new rows, its probability, and how usual each row is",
         f"biglearn predict {model} new.csv --output labels.csv"),
        ("Fill missing values", f"biglearn impute {model} {table} --output filled.csv"),
        ("Judge the model on rows that it has not seen", f"biglearn score {model} new.csv"),
        ("Draw new rows like these", f"biglearn sample {model} --rows 1000 --output drawn.csv"),
        ("Draw a picture", f"biglearn plot pairs {model} {table} --output pairs.png"),
    ]  # fmt: skip
    lines = "\n".join(f"# {told}\n{command}" for told, command in commands)
    name = files[0] if files else "model.npz"
    code = (
        "from biglearn.io import load_model\n\n"
        f"mixture = load_model({name!r}).mixture\n"
        "labels = mixture.labels(X)                # component of each row\n"
        "shares = mixture.responsibilities(X)      # probability of every component\n"
        "scores = mixture.log_density(X)           # how usual each row is\n"
        "filled = mixture.impute(X)                # missing values filled"
    )
    saved = (
        "" if files else
        "<p>Save the model first: <code>biglearn.io.save_model(\"model.npz\", "
        "model.mixture_)</code>.</p>"
    )  # fmt: skip
    order = (
        "Columns are found by name." if mixture.feature_names else
        "Columns have to come in the order of the table above."
    )  # fmt: skip
    return [
        "<p>The model is one file, which other people can use without the data. "
        f"{order}</p>{saved}",
        f"<h3>In a terminal</h3><pre><code>{html.escape(lines)}</code></pre>",
        f"<h3>In Python</h3><pre><code>{html.escape(code)}</code></pre>",
    ]
