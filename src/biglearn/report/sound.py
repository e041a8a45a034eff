"""What a model file says of its fit, as far as it can be what it should be.

Anybody may have written a file: what is of another kind than expected is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from biglearn.search.path import CRITERIA, Candidate

_CURVE = ("seconds", "passes", "best")


def sound(info: Mapping[str, Any], n_components: int) -> dict[str, Any]:
    """Return `info` without entries that a summary or report could not show.

    Parameters
    ----------
    info : mapping of str to object
        Of a model file.
    n_components : int
        K, the length of lists that have an entry for every component.

    Examples
    --------
    >>> from biglearn.report.sound import sound
    >>> sound({"rows": [2.0, 3.0], "gaps": [1.0], "doubts": 7, "seed": 0}, 2)
    {'rows': [2.0, 3.0], 'seed': 0}
    """
    each = (n_components, n_components)
    fits: dict[str, Callable[[Any], bool]] = {
        "rows": lambda found: _are(found, _is_number, each),
        "gaps": lambda found: _are(found, _is_number, each),
        "alarms": lambda found: _are(found, lambda one: _are(one, _is_text), each),
        "doubts": lambda found: _are(found, _is_text),
        "history": lambda found: _are(found, _is_mapping),
        "legs": lambda found: _are(found, _is_mapping),
        "curve": _is_curve,
        "candidates": lambda found: _are(found, _is_candidate),
        "criterion": lambda found: found in CRITERIA,
        "log_likelihood": _is_number,
        "loo": _is_number,
    }
    return {name: value for name, value in info.items() if name not in fits or fits[name](value)}


def _are(
    found: Any, fits: Callable[[Any], bool], length: tuple[int, float] = (0, math.inf)
) -> bool:
    """Whether it is a list, of a length between two, of what fits."""
    known = isinstance(found, list) and length[0] <= len(found) <= length[1]
    return known and all(map(fits, found))


def _is_number(found: Any) -> bool:
    known = isinstance(found, int | float) and not isinstance(found, bool)
    return known and math.isfinite(found)


def _is_text(found: Any) -> bool:
    return isinstance(found, str)


def _is_mapping(found: Any) -> bool:
    return isinstance(found, Mapping)


def _is_curve(found: Any) -> bool:
    if not isinstance(found, Mapping) or set(found) != {*_CURVE, "move"}:
        return False
    moves = found["move"]
    if not _are(moves, _is_text):
        return False
    n = len(moves)
    return all(_are(found[name], _is_number, (n, n)) for name in _CURVE)


def _is_candidate(found: Any) -> bool:
    """Whether it has the numbers of a `Candidate`, null where there is none."""
    if not isinstance(found, Mapping):
        return False
    names = {one.name for one in fields(Candidate)} - {"covariance_type"}
    numbers = [found.get(name, "") for name in names]
    known = isinstance(found.get("covariance_type"), str) and _is_number(found.get("n_components"))
    return known and all(one is None or isinstance(one, int | float) for one in numbers)
