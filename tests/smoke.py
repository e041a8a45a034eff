"""What an installed biglearn must do without a clone and without extras: `make package` runs it."""

import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

import biglearn


def main() -> None:
    """Fit from Python and from the command line."""
    home = Path(biglearn.__file__).parent
    assert Path(sys.prefix) in home.parents, f"biglearn is not the installed one but {home}"
    assert (home / "py.typed").exists()
    assert version("biglearn-em") == biglearn.__version__
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) + rng.choice([0.0, 9.0], size=(200, 1))
    model = biglearn.GaussianMixture(2, random_state=0).fit(X)
    assert sorted(np.bincount(model.predict(X)) > 50) == [True, True]
    from biglearn import kernels

    assert (kernels.climbs() is not None) == kernels.WANTED, "no compiled loops"
    with tempfile.TemporaryDirectory() as folder:
        table, kept, labels = (Path(folder) / name for name in ("x.csv", "m.npz", "labels.csv"))
        np.savetxt(table, X, delimiter=",", header="a,b", comments="")
        for words in (
            ["fit", table, "--components", "2", "--output", kept],
            ["predict", kept, table, "--output", labels],
        ):
            command = [sys.executable, "-m", "biglearn", *map(str, words)]
            subprocess.run(command, check=True, capture_output=True)
        assert len(labels.read_text().split()) == 201
    print(f"biglearn {biglearn.__version__} works from {home}")


if __name__ == "__main__":
    main()
