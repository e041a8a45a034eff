"""The choices of the command line are those of the library."""

import inspect
import re
from typing import Literal, get_args, get_origin

import pytest

from biglearn import GaussianMixture, Paper
from biglearn.cli import options
from biglearn.cli.seeing import KINDS
from biglearn.estimators.fitting import SCALINGS
from biglearn.model.families import FAMILIES
from biglearn.model.lifts import LIFTS
from biglearn.model.structures import COVARIANCE_TYPES
from biglearn.search.methods import METHODS
from biglearn.search.path import CRITERIA
from biglearn.search.starts.names import STARTS

REGISTRIES = {
    "Method": METHODS,
    "CovarianceType": COVARIANCE_TYPES,
    "Family": FAMILIES,
    "Init": STARTS,
    "Lift": LIFTS,
    "Criterion": CRITERIA,
    "Scaling": SCALINGS,
    "Kind": KINDS,
}


def choices(option):
    """Return the values of the Literal in an option's annotation."""
    kind = get_args(option)[0]
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [value for part in get_args(kind) for value in get_args(part)]


@pytest.mark.parametrize("name", REGISTRIES)
def test_an_option_offers_what_its_registry_holds(name):
    assert sorted(choices(getattr(options, name))) == sorted(REGISTRIES[name])


def test_every_option_with_choices_is_compared_or_has_a_reason_not_to_be():
    others = {"Engine", "How", "Resolution"}  # engines may need objects; the rest have no registry
    named = {
        name
        for name, value in vars(options).items()
        if get_args(value) and "Literal" in str(get_args(value)[0])
    }
    assert named == {*REGISTRIES, *others}


def test_the_help_names_the_defaults_of_the_library():
    paper = inspect.signature(Paper).parameters
    for name, parameter in [("Steps", "steps"), ("Lift", "lift"), ("PseudoCount", "pseudo_count")]:
        text = get_args(getattr(options, name))[1].help
        assert re.search(r"\(default (.*)\)", text)[1] == str(paper[parameter].default)
    kind = inspect.signature(GaussianMixture).parameters["covariance_type"].default
    assert f"(default {kind})" in get_args(options.Structures)[1].help
