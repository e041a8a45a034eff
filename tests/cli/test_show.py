"""What is said of a model, for people and for programs."""

import json

import numpy as np

from biglearn.cli.show import as_json, json_text
from biglearn.io import Model, read_table, save_model
from biglearn.model.mixture import Mixture
from commands import FIT


def test_info_for_people_and_programs(folder, run, mixture):
    assert run(*FIT, "-q")[0] == 0
    code, out, err = run("info", "fit.npz")
    assert (code, err) == (0, "")
    for part in ("data.csv", "search", "BIC", "Means ± standard deviations", "Steps of the fit"):
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


def test_json_has_null_where_there_is_no_number(folder, run, mixture):
    info = {"seconds": float("nan"), "history": [{"gain": float("inf")}]}
    model = Model(mixture, info)

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    answer = json.loads(json_text(as_json(model)), parse_constant=refuse)
    assert answer["info"] == {"seconds": None, "history": [{"gain": None}]}
    table = read_table("data.csv", exclude=["kind"]).values
    np.save("far.npy", np.full_like(table[:2], 1e200))
    out = run("score", "model.npz", "far.npy", "--json")[1]
    assert json.loads(out, parse_constant=refuse) == {"log_likelihood": None, "n_rows": 2}
