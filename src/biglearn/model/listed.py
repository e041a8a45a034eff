"""Components as tables, for people to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from biglearn.display import Grid, figures
from biglearn.model.components import Components
from biglearn.model.profiles import conditioning, deviations, telling


def component_table(
    mixture: Components,
    *,
    rows: Sequence[float | None] | None = None,
    extra: Mapping[str, Sequence[Any]] | None = None,
) -> Grid:
    """Return weight, rows, conditioning and shapes of every component, the heaviest first.

    Parameters
    ----------
    mixture : Components
    rows : sequence of K numbers, optional
        Rows that each holds.
    extra : mapping of str to K cells, optional
        Further columns.
    """
    order = mixture.weights.argsort(kind="stable")[::-1]
    columns: dict[str, Sequence[Any]] = {
        "k": list(range(mixture.n_components)),
        "weight": [round(float(weight), 4) for weight in mixture.weights],
        **({} if rows is None else {"rows": rows}),
        "conditioning": [float(f"{value:.3g}") for value in conditioning(mixture)],
        **{name: [float(f"{v:.4g}") for v in c] for name, c in mixture.named_shapes.items()},
        **(extra or {}),
    }
    listed = {head: [cells[k] for k in order] for head, cells in columns.items()}
    return Grid(listed, "Components, heaviest first")


def mean_table(mixture: Components, names: Sequence[str] | None, most: int) -> Grid:
    """Return mean ± standard deviation of every component in its most telling features.

    Parameters
    ----------
    mixture : Components
    names : sequence of D str, optional
        Of the features, which are x0, x1, ... without.
    most : int
        Features to show: those whose means differ most between components.
    """
    order, chosen = mixture.weights.argsort(kind="stable")[::-1], telling(mixture, most)
    spread = deviations(mixture)
    columns: dict[str, Sequence[Any]] = {"k": order.tolist()}
    for j in chosen:
        head = f"x{j}" if names is None else names[j]
        cells = [f"{figures(mixture.means[k, j], 4)} ± {figures(spread[k, j], 2)}" for k in order]
        columns[head] = cells
    left = mixture.n_features - len(chosen)
    note = f"and {left} more feature{'s' * (left > 1)}, of less difference" if left else ""
    return Grid(columns, "Means ± standard deviations", note, right=columns)
