"""What a report says in words, in sentences that need no statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from biglearn.display import figures, printable
from biglearn.model.mixture import Mixture
from biglearn.model.profiles import deviations, profiles, rest_means
from biglearn.report.seen import SURE, UNUSUAL, Seen

#: A component stands off the rest in a feature from this many deviations on, and far off.
_OFF, _FAR = 0.5, 1.5

#: Features that tell of a component, and of an unusual row.
_MOST, _FEW = 4, 2

#: Log-likelihood per row that a model loses on rows it has not seen: little, and much.
_LITTLE, _MUCH = 0.1, 0.5


def feature_names(mixture: Mixture) -> list[str]:
    """Return the names of the features, x0, x1, ... where they have none."""
    names = mixture.feature_names
    return [f"x{j}" for j in range(mixture.n_features)] if names is None else list(names)


def percent(share: float) -> str:
    """Return a share as people say it.

    Examples
    --------
    >>> from biglearn.report.words import percent
    >>> percent(0.297), percent(0.00012), percent(1.0)
    ('30 %', '0.01 %', '100 %')
    """
    value = 100 * share
    digits = 0 if value >= 10 or value == 0 else 1 if value >= 0.1 else 2
    rounded = f"{value:.{digits}f}"
    return "over 99 %" if share < 1 and rounded == "100" else f"{rounded} %"


def counted(n: int, thing: str) -> str:
    """Return a number of things: "1 row", "2,000 rows"."""
    return f"{n:,} {thing}{'s' * (n != 1)}"


def described(mixture: Mixture, k: int) -> str:
    """Say in which features a component is higher or lower than all others."""
    if mixture.n_components == 1:
        return "All rows: there is nothing to compare it with."
    values, names = profiles(mixture)[k], feature_names(mixture)
    theirs = rest_means(mixture)[k]
    order = np.argsort(-np.abs(values), kind="stable")
    chosen = [j for j in order[:_MOST] if abs(values[j]) >= _OFF]
    if not chosen:
        return (
            "In the middle of all others: it differs in its spread, or in how features go together."
        )
    parts = []
    for j in chosen:
        much = "much " if abs(values[j]) >= _FAR else ""
        way = "higher" if values[j] > 0 else "lower"
        numbers = f"{figures(mixture.means[k, j], 4)}, others {figures(theirs[j], 4)}"
        parts.append(f"{much}{way} {printable(names[j])} ({numbers})")
    text = "; ".join(parts) + "."
    return text[0].upper() + text[1:]


def unusual_because(mixture: Mixture, row: Any, k: int) -> str:
    """Say in which features a row is farthest from the middle of its component."""
    names, spread = feature_names(mixture), deviations(mixture)[k]
    away = (row - mixture.means[k]) / spread
    order = np.argsort(-np.abs(away), kind="stable")[:_FEW]
    parts = [
        f"{printable(names[j])} is {figures(row[j], 4)}, where component {k} has "
        f"{figures(mixture.means[k, j], 4)} ± {figures(spread[j], 2)}"
        for j in order
        if abs(away[j]) >= 2
    ]
    return "; ".join(parts) or "no single feature is far off: the combination is rare"


def shortly(mixture: Mixture, seen: Seen) -> Iterator[str]:
    """Yield the sentences that open a report."""
    K, D = mixture.means.shape
    yield (
        f"The table has {counted(seen.n_rows, 'row')} and {counted(D, 'column')}. The model "
        f"describes it by {counted(K, 'component')}: groups of rows that are alike, each with a "
        "middle, a spread and a share of the rows."
    )
    if K > 1:
        sure = float((seen.certainty >= SURE).mean())
        clear = f"clearly to one component (with at least {percent(SURE)} probability)"
        if sure == 1:
            yield f"Every row belongs {clear}."
        else:
            share = percent(sure).capitalize()
            yield f"{share} of the rows belong {clear}; the others lie between components."
    n, whole = int(seen.is_unusual.sum()), int(seen.is_whole.sum())
    if whole:
        expected = UNUSUAL * whole
        verdict = "as many as the model expects" if n <= 2 * expected + 3 else (
            f"more than the {max(expected, 1):.0f} or so that the model expects: it does not "
            "describe its edges well, or they are no part of what it describes"
        )  # fmt: skip
        yield f"{counted(n, 'row').capitalize()} {'is' if n == 1 else 'are'} unusual, {verdict}."
    gaps = int(seen.missing.sum())
    if gaps:
        yield (
            f"{counted(gaps, 'value').capitalize()} {'is' if gaps == 1 else 'are'} missing, in "
            f"{counted(seen.with_gaps, 'row')}; such rows count by the values that they have."
        )


def trusted(info: Any, heldout: Any = None) -> Iterator[str]:
    """Yield what can be said of how far to trust the model on new rows.

    Parameters
    ----------
    info : mapping
        As a model file keeps it.
    heldout : array of shape (n,), optional
        Log-densities of rows that were not fitted.
    """
    fitted, loo = info.get("log_likelihood"), info.get("loo")
    if fitted is not None and loo is not None:
        yield f"Checked by leaving out each row in turn: {_loss(fitted - loo)}"
    if heldout is not None and len(heldout):
        known = heldout[np.isfinite(heldout)]
        error = float(known.std() / np.sqrt(len(known))) if len(known) else float("nan")
        mean = float(np.mean(heldout))
        told = f"{counted(len(heldout), 'row')} that the model has not seen"
        if fitted is None:
            yield f"On {told} the mean log-likelihood is {mean:.4g} ± {2 * error:.2g}."
        elif fitted - mean <= max(2 * error, 0.0):
            yield (
                f"Checked on {told}: they are described as well as the fitted ones "
                f"({mean:.4g} ± {2 * error:.2g} against {fitted:.4g} per row)."
            )
        else:
            yield f"Checked on {told}: {_loss(fitted - mean)}"
    elif fitted is None or loo is None:
        yield "It is not known how well the model does on rows that it has not seen."


def _loss(gap: float) -> str:
    """Say what a loss of log-likelihood per row means."""
    lost = percent(1 - float(np.exp(-max(gap, 0.0))))
    said = f"a row that the model has not seen has {lost} less density than one that it has"
    if gap <= _LITTLE:
        return f"{said}. That is little: the model can be expected to hold for new rows."
    if gap <= _MUCH:
        return f"{said}. That is some: read small components with care."
    return (
        f"{said}. That is much: the model follows single rows. Take fewer components, a simpler "
        "covariance type, or more rows."
    )
