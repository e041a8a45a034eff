"""Summaries: a fitted mixture in one screen of text, or in the tables of a notebook."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from biglearn.display import Grid, notebook, printable, shown
from biglearn.model.listed import component_table, mean_table
from biglearn.model.mixture import Mixture
from biglearn.report.sound import sound
from biglearn.search.records import move_table

#: The alarms of a component, by the attribute of a `Verdict` that raises them.
FLOOR = "on the floor"
ALARMS = {"on_floor": FLOOR, "is_short": "few rows", "follows": "follows single rows"}

#: Parameters of the estimator that a summary tells.
SETTINGS = (
    "covariance_type",
    "n_factors",
    "family",
    "scaling",
    "init_params",
    "n_init",
    "tol",
    "reg_covar",
    "prior",
    "resolution",
    "max_ratio",
    "max_iter",
    "max_time",
)

#: Features in the table of means, in a terminal and in a notebook.
_NARROW, _WIDE = 6, 12

#: What is told first, by its name in `info`.
_FIRST = {
    "n_rows": "rows",
    "log_likelihood": "log-likelihood per row",
    "loo": "leave-one-out per row",
    "objective": "objective of the fit per row",
    "bic": "BIC (low is good)",
    "icl": "ICL (low is good)",
    "aic": "AIC (low is good)",
    "n_parameters": "free parameters",
    "prior_rows": "pseudo-rows of the prior",
    "noise_weight": "weight of the noise",
    "outlook": "search",
    "seconds": "seconds",
    "passes": "passes over the rows",
    "n_iter": "steps of the last climb",
    "n_reseeded": "components re-seeded",
    "n_raised": "eigenvalues raised",
}

#: What is told in tables of its own, or drawn.
_APART = ("rows", "alarms", "gaps", "history", "legs", "doubts", "curve", "candidates")


@dataclass(frozen=True, eq=False)
class Summary:
    """What is known of a fitted mixture: `print` it, or let a notebook show it.

    Parameters
    ----------
    mixture : Mixture
    info : dict
        How it was made, as a model file keeps it.  What is missing there is not told, and what
        is of another kind than it should be is left out.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.report.summary import Summary
    >>> mixture = Mixture([0.3, 0.7], [[0.0], [5.0]], [[[1.0]], [[4.0]]], feature_names=["size"])
    >>> print(Summary(mixture, {"n_rows": 50, "rows": [15.0, 35.0]}))
    Gaussian mixture of 2 components over 1 feature
    rows  50
    <BLANKLINE>
    Components, heaviest first
    k  weight  rows  conditioning
    1     0.7    35             1
    0     0.3    15             1
    <BLANKLINE>
    Means ± standard deviations
    k  size
    1  5 ± 2
    0  0 ± 1
    """

    mixture: Mixture
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "info", sound(self.info, self.mixture.n_components))

    @property
    def title(self) -> str:
        """What it is, in one line."""
        K, D = self.mixture.means.shape
        kind = self.info.get("covariance_type")
        shape = f" {kind}" if isinstance(kind, str) else ""
        family = self.mixture.family.title if self.mixture.family.has_tails else "Gaussian"
        parts = f"{K}{shape} component{'s' * (K != 1)} over {D} feature{'s' * (D != 1)}"
        return f"{family} mixture of {parts}"

    @property
    def facts(self) -> dict[str, Any]:
        """Likelihood, criteria, prior and search, each under a name to read."""
        apart = (*_APART, *SETTINGS)
        known = {name: value for name, value in self.info.items() if name not in apart}
        first = {told: known.pop(name) for name, told in _FIRST.items() if name in known}
        rest = {name.replace("_", " "): v for name, v in known.items() if not isinstance(v, list)}
        return {**first, **rest}

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters that the fit was made with."""
        return {name: self.info[name] for name in SETTINGS if name in self.info}

    @property
    def components(self) -> Grid:
        """Weight, rows, conditioning and alarms of every component, the heaviest first."""
        extra: dict[str, Sequence[Any]] = {}
        rows, alarms = self.info.get("rows"), self.info.get("alarms")
        if rows is not None:
            rows = [round(n, 1) for n in rows]
        if alarms is not None:
            extra["floor"] = ["on it" if FLOOR in words else "–" for words in alarms]
            extra["alarms"] = [[w for w in words if w != FLOOR] or "–" for words in alarms]
        return component_table(self.mixture, rows=rows, extra=extra)

    @property
    def moves(self) -> Grid:
        """What each kind of move did."""
        return move_table(self.info.get("history", []))

    @property
    def legs(self) -> Grid:
        """What each kind of leg of the search brought."""
        rows = self.info.get("legs", [])
        heads = ("leg", "times", "wins", "gain", "passes")
        return Grid({head: [row.get(head) for row in rows] for head in heads}, "Legs of the search")

    @property
    def warnings(self) -> list[str]:
        """What is doubtful in the fit, a sentence each."""
        found = list(self.info.get("doubts", []))
        if self.info.get("converged") is False:
            timed = self.info.get("max_time") is not None
            why = "was ended by max_time" if timed else "did not converge"
            found.append(f"the last climb {why}; give it more time, or raise max_iter")
        if self.info.get("interrupted"):
            found.append("the fit was interrupted; this is the best model that it had found")
        return found

    def means(self, most: int = _WIDE) -> Grid:
        """Return mean ± deviation of every component in its most telling features."""
        return mean_table(self.mixture, self.mixture.feature_names, most)

    @property
    def _settings(self) -> str:
        return shown({name.replace("_", " "): value for name, value in self.settings.items()})

    def _grids(self, most: int) -> list[Grid]:
        facts = {"": list(self.facts), " ": [shown(value) for value in self.facts.values()]}
        listed = Grid(facts, self.title, has_head=False)
        return [listed, self.components, self.means(most), self.moves, self.legs]

    def __str__(self) -> str:
        parts = [grid.text for i, grid in enumerate(self._grids(_NARROW)) if len(grid) or not i]
        if self.settings:
            told = f"Settings: {self._settings}"
            parts.insert(1, textwrap.fill(told, 88, subsequent_indent="  "))
        if self.warnings:
            parts.append("\n".join(["Warnings", *(f"- {printable(w)}" for w in self.warnings)]))
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        facts, *tables = self._grids(_WIDE)
        told = replace(facts, note=f"Settings: {self._settings}" if self.settings else "")
        return notebook([told, *tables], self.warnings)
