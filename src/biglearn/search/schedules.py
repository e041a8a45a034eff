"""Values that change with the step."""

from __future__ import annotations

from collections.abc import Callable

#: A number, or a function of the outer step that gives one.
Scheduled = float | Callable[[int], float]


def constant(value: float) -> Callable[[int], float]:
    """Return the same value at every step.

    Parameters
    ----------
    value : float
        Value to return.

    Returns
    -------
    callable
        From the step to the value.

    Examples
    --------
    >>> from biglearn.search.schedules import constant
    >>> constant(0.2)(10_000)
    0.2
    """
    return lambda step: value


def decay(value: float, steps: int) -> Callable[[int], float]:
    """Fall linearly from `value` to 0 over `steps` steps, and stay there.

    Parameters
    ----------
    value : float
        At step 0.
    steps : int
        At least 1.

    Returns
    -------
    callable
        From the step to the value.

    Raises
    ------
    ValueError
        If `steps` is below 1.

    Examples
    --------
    >>> from biglearn.search.schedules import decay
    >>> alpha = decay(0.2, steps=10)
    >>> alpha(0), alpha(5), alpha(20)
    (0.2, 0.1, 0.0)
    """
    if steps < 1:
        raise ValueError(f"decay needs steps >= 1, got {steps}")
    return lambda step: value * max(0.0, 1.0 - step / steps)


def pseudo_count(rule: str | Scheduled, n_components: int) -> Callable[[int], float]:
    """Turn a pseudo-count α into a function of the step.

    Parameters
    ----------
    rule : {"1/sqrt(K)", "1/K"}, float or callable
        The paper's two rules by name, a number at least 0, or a function.
    n_components : int
        K.

    Returns
    -------
    callable
        From the outer step to α.

    Raises
    ------
    ValueError
        If the name is unknown or the number negative.

    Examples
    --------
    >>> from biglearn.search.schedules import pseudo_count
    >>> pseudo_count("1/sqrt(K)", n_components=25)(0)
    0.2
    """
    named = {"1/sqrt(K)": n_components**-0.5, "1/K": 1.0 / n_components}
    if callable(rule):
        return rule
    if isinstance(rule, str):
        if rule not in named:
            raise ValueError(
                f"pseudo_count must be one of {list(named)}, a number or a function of the "
                f"step, got {rule!r}"
            )
        return constant(named[rule])
    if not rule >= 0:
        raise ValueError(f"pseudo_count must be at least 0, got {rule}")
    return constant(float(rule))
