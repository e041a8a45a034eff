"""What is said of a model, for people and for programs."""

import json

import numpy as np

from biglearn.io import save_model
from biglearn.model.mixture import Mixture
from commands import FIT


def test_info_for_people_and_programs(folder, run, mixture):
    assert run(*FIT, "-q")[0] == 0
    code, out, err = run("info", "fit.npz")
    assert (code, err) == (0, "")
    for part in ("data.csv", "search", "mean a", "Steps of the fit"):
        assert part in out
    answer = json.loads(run("info", "model.npz", "--json")[1])
    np.testing.assert_allclose(answer["covariances"], mixture.covariances)
    assert answer["feature_names"] == ["a", "b", "c"]


def test_text_from_a_model_cannot_steer_the_terminal(folder, run, mixture):
    hostile = Mixture(mixture.weights, mixture.means, mixture.covariances, feature_names=[
        "\x1b[31mred", "[bold]b[/bold]", "line\nbreak",
    ])  # fmt: skip
    save_model("hostile.npz", hostile, info={"data": "\x1b]0;title\x07", "history": [1, {}]})
    code, out, _ = run("info", "hostile.npz")
    assert code == 0
    assert "\x1b" not in out
    assert "[bold]b[/bold]" in out
