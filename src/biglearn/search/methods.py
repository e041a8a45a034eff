"""Methods: rules that name the next move, by name.

Plain EM, the published algorithm and our own search are three such rules over
the same moves.
"""

from __future__ import annotations

from biglearn.search.em import EM
from biglearn.search.paper import Paper
from biglearn.search.run import Method
from biglearn.search.search import Search

__all__ = ["EM", "METHODS", "Paper", "Search", "method_of"]

#: The methods by name.
METHODS: dict[str, type[EM] | type[Paper] | type[Search]] = {
    "em": EM,
    "paper": Paper,
    "search": Search,
}


def method_of(method: str | Method) -> Method:
    """Return the method of a name, or the method itself.

    Parameters
    ----------
    method : {"em", "paper", "search"} or a method
        Anything with `keeps_best` and `schedule` is a method.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> from biglearn.search.methods import method_of
    >>> method_of("em")
    EM()
    """
    if isinstance(method, str) and method in METHODS:
        return METHODS[method]()
    # A class, such as Paper in place of Paper(), has the attributes too.
    if isinstance(method, str | type) or not (
        hasattr(method, "keeps_best") and callable(getattr(method, "schedule", None))
    ):
        raise ValueError(
            f"method must be one of {list(METHODS)} or a method object such as "
            f"biglearn.Paper(), got {method!r}"
        )
    return method
