"""Methods by name and by object."""

import pytest

from biglearn import GaussianMixture
from biglearn.search.methods import EM, METHODS, Paper, method_of


def test_a_method_comes_by_name_or_is_one_already():
    assert {name: type(method_of(name)) for name in METHODS} == METHODS
    method = Paper(steps=3)
    assert method_of(method) is method


@pytest.mark.parametrize("wrong", ["EM", None, 3, object(), Paper, EM().schedule])
def test_anything_else_is_refused_with_the_choices(wrong):
    message = r"method must be one of \['em', 'paper', 'search'\] or a method object .*got "
    with pytest.raises(ValueError, match=message):
        method_of(wrong)
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2, method=wrong).fit([[0.0], [1.0], [2.0]])
