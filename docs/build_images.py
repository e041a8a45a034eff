"""Draw docs/images.

    python docs/build_images.py [NAME ...]

Pictures are committed, so that pages show them on a code host.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

from biglearn import GaussianMixture, Mixture
from biglearn.cli.demo import grid25
from biglearn.model.views import View
from biglearn.plots import (
    HistoryDisplay,
    PairsDisplay,
    ProfilesDisplay,
    UncertaintyDisplay,
    ellipses,
)

FOLDER = Path(__file__).parent / "images"


def first_mixture() -> Figure:
    """Draw the wines of the tutorial."""
    from sklearn.datasets import load_wine

    wine = load_wine(as_frame=True)
    X = wine.data[["alcohol", "flavanoids", "color_intensity", "proline"]]
    model = GaussianMixture(3, reg_covar=1e-2, random_state=0).fit(X)
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    ellipses(model.mixture_, X, axes, features=("flavanoids", "color_intensity"))
    return figure


#: Pictures of optima and of their likelihood are of likelihood alone.
LIKELIEST: dict[str, Any] = {"prior": None, "resolution": None}


def of_tutorial(name: str) -> Callable[[], Figure]:
    """Return how to draw the `figure` of a tutorial: by running its examples."""

    def draw() -> Figure:
        text = (FOLDER.parent / "tutorials" / f"{name}.md").read_text(encoding="utf-8")
        names: dict[str, object] = {}
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
                exec(code, names)
        assert isinstance(names["figure"], Figure)
        return names["figure"]

    return draw


def views() -> Figure:
    """Draw a bad optimum of 25 Gaussians, and the marginals that give it away."""
    X = grid25(np.random.default_rng(0)).train
    model = GaussianMixture(
        25, method="em", init_params="normal", scaling="none", reg_covar=1e-5, random_state=3,
        max_time=20, **LIKELIEST,
    ).fit(X)  # fmt: skip
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    whole, *shadows = figure.subplots(1, 3, width_ratios=[1, 1, 1])
    ellipses(model.mixture_, X, whole)
    whole.set_title("joint: an optimum of EM")
    turn = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
    named = {
        "marginal: the second feature": np.eye(2)[1:],
        "transformed: one turned axis": turn[:1],
    }
    for axes, (title, basis) in zip(shadows, named.items(), strict=True):
        view = View(basis)
        seen = (X @ basis.T).ravel()
        shadow = Mixture(model.weights_, model.means_, model.covariances_).project(view)
        line = np.linspace(seen.min() - 0.5, seen.max() + 0.5, 500)
        axes.hist(seen, bins=80, density=True, color="0.8", label="rows")
        density = np.exp(shadow.log_density(line[:, None]))
        axes.plot(line, density, color="tab:red", label="mixture")
        axes.set(title=title, yticks=[])
    shadows[0].legend()
    return figure


def history() -> Figure:
    """Draw what each move of a search added."""
    rng = np.random.default_rng(5)
    centres = rng.uniform(-4, 4, size=(30, 4))
    X = np.concatenate([rng.normal(c, 0.6, size=(60, 4)) for c in centres])
    model = GaussianMixture(30, init_params="k-means++", random_state=1, tol=1e-6, **LIKELIEST).fit(
        X
    )
    display = HistoryDisplay.from_estimator(model, ax=Figure())
    display.figure_.set_size_inches(7, 3.8)
    return display.figure_


def _guide() -> tuple[GaussianMixture, Any]:
    """Return the model and the rows of the guide to seeing a model."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0, 5], [6, 1, 0, 0], [0, 6, 1, 0]])
    X = np.concatenate([rng.normal(c, 1.0, size=(150, 4)) for c in centres])
    return GaussianMixture(3, random_state=0).fit(X), X


def pairs() -> Figure:
    """Draw the pairs of the guide."""
    model, X = _guide()
    return PairsDisplay.from_estimator(model, X, figure=Figure()).figure_


def profiles() -> Figure:
    """Draw the profiles of the guide, and the doubt between its components."""
    model, X = _guide()
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    ProfilesDisplay.from_estimator(model, ax=left)
    UncertaintyDisplay.from_estimator(model, X, ax=right)
    return figure


def report() -> Figure:
    """Photograph the first screen of the guide's report; needs chromium."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("the picture of the report needs a browser: apt-get install chromium")
    model, X = _guide()
    with tempfile.TemporaryDirectory() as folder:
        page, photo = Path(folder) / "report.html", Path(folder) / "report.png"
        model.report(X, title="Three heaps").save(page)
        subprocess.run(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--window-size=900,860", f"--screenshot={photo}", page.as_uri()],
            check=True, capture_output=True, timeout=180,
        )  # fmt: skip
        pixels = imread(photo)
    height, width = pixels.shape[:2]
    figure = Figure(figsize=(width / 100, height / 100))
    figure.figimage(pixels)
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "first-mixture": first_mixture,
    "imputation": of_tutorial("imputation"),
    "anomalies": of_tutorial("anomalies"),
    "regression": of_tutorial("regression"),
    "choosing-k": of_tutorial("choosing-k"),
    "views": views,
    "history": history,
    "pairs": pairs,
    "profiles": profiles,
    "report": report,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        path = FOLDER / f"{name}.png"
        PICTURES[name]().savefig(path, dpi=100)
        print(f"wrote {path}")
