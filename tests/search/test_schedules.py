"""Values that change with the step."""

import pytest

from biglearn.search.schedules import constant, decay, pseudo_count


def test_a_constant_stays():
    assert [constant(0.3)(step) for step in (0, 5, 10**6)] == [0.3] * 3


def test_a_decay_is_linear_and_ends_at_zero():
    rule = decay(1.0, steps=4)
    assert [rule(step) for step in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    with pytest.raises(ValueError, match="steps >= 1, got 0"):
        decay(1.0, steps=0)


@pytest.mark.parametrize(
    ("rule", "value"),
    [("1/sqrt(K)", 0.5), ("1/K", 0.25), (0.1, 0.1), (0, 0.0), (lambda step: 2.0 * step, 6.0)],
)
def test_pseudo_counts_by_name_number_and_function(rule, value):
    assert pseudo_count(rule, 4)(3) == value


@pytest.mark.parametrize("rule", [-0.1, float("nan"), "1/k"])
def test_other_pseudo_counts_are_refused(rule):
    with pytest.raises(ValueError, match=f"got {rule!r}"):
        pseudo_count(rule, 4)
