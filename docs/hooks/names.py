"""Lead from every public name in a text to the reference, and refuse a name that it lacks."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from mkdocs.plugins import event_priority

from interface import homes

log = logging.getLogger("mkdocs.hooks.names")

_homes: dict[str, list[str]] = {}

# Links, headings and whole blocks of code stay as they are.
_CODE = re.compile(
    r"<(a|h\d|pre|autoref)\b.*?</\1>|(?<!scikit-learn's )<code>([\w.]+)(?:\(\))?</code>",
    flags=re.DOTALL,
)


def on_config(config: Any) -> Any:
    """Look up the public names."""
    _homes.update(homes())
    return config


def on_page_content(html: str, **_: Any) -> str:
    """Mark the public names in the text of a page as references."""

    def marked(match: re.Match[str]) -> str:
        place = place_of(match[2] or "", _homes)
        return f'<autoref optional identifier="{place}">{match[0]}</autoref>' if place else match[0]

    return _CODE.sub(marked, html).replace("array - like", "array-like")  # no difference


def place_of(name: str, known: Mapping[str, list[str]]) -> str | None:
    """Return the full name of a public name, or of a member of a public class.

    A lower-case word alone, such as "decay", may be anything.
    """
    words = name.split(".")
    if words[-1] in known and (len(words) > 1 or re.search("[A-Z_]", name)):
        return known[words[-1]][0]
    if len(words) > 1 and words[-2] in known:
        return f"{known[words[-2]][0]}.{words[-1]}"
    return None


@event_priority(-50)
def on_env(env: Any, config: Any, **_: Any) -> Any:
    """Warn of public names that no page explains: a strict build fails."""
    autorefs = config.plugins["autorefs"]
    for name, places in _homes.items():
        if not any(_stands(autorefs, place) for place in places):
            log.warning("the reference lacks %s; put ::: %s into a page", name, places[0])
    return env


def _stands(autorefs: Any, place: str) -> bool:
    try:
        autorefs.get_item_url(place)
    except KeyError:
        return False
    return True
