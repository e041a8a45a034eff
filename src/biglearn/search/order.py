"""Orders of fitted components."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from biglearn._types import Array
from biglearn.model.components import Components

#: The orders by name, as keys for `np.lexsort`, the last one first.
_KEYS: dict[str, Callable[[Components], Array]] = {
    "weights": lambda found: -found.weights[None],
    "means": lambda found: found.means.T[::-1],
}

ORDERS = tuple(_KEYS)


def ordered(
    components: Components, order: str | None, n_free: int, chosen: Sequence[int] = ()
) -> tuple[Components, tuple[int, ...]]:
    """Return components in an order, and where some of them are now.

    Parameters
    ----------
    components : Components
    order : {"weights", "means"} or None
        None leaves them as they are.
    n_free : int
        Components before the noise, which stays the last.
    chosen : sequence of int

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.model.components import Components
    >>> from biglearn.search.order import ordered
    >>> three = Components(np.array([0.2, 0.5, 0.3]), np.zeros((3, 1)), np.ones((3, 1, 1)))
    >>> found, places = ordered(three, "weights", 2, chosen=[0])
    >>> found.weights.tolist(), places
    ([0.5, 0.2, 0.3], (1,))
    """
    if order is None:
        return components, tuple(chosen)
    places = np.lexsort(_KEYS[order](components.part(slice(n_free))))
    places = np.append(places, np.arange(n_free, components.n_components))
    return components.part(places), tuple(np.argsort(places)[list(chosen)].tolist())
