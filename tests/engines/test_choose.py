"""Which engine rows get, and what is said where there is none."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from biglearn import GaussianMixture
from biglearn.engines import MemoryEngine, RowOptions, choose, open_source
from biglearn.engines.choose import MODULES
from biglearn.engines.rows.units import Units
from helpers import blobs


def fit(X, **parameters):
    return GaussianMixture(2, method="em", random_state=0, **parameters).fit(X)


def test_the_type_and_size_of_rows_choose(tmp_path, monkeypatch):
    X = np.zeros((4, 2))
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for small in (X, X.tolist(), pd.DataFrame(X), mapped, tmp_path / "rows.npy"):
        assert choose.choose(small) == "memory"
    monkeypatch.setattr(choose, "IN_MEMORY_BYTES", 8)
    for large in (mapped, tmp_path / "rows.npy", str(tmp_path / "rows.npy"), tmp_path):
        assert choose.choose(large) == "chunked"
    assert choose.choose(X) == "memory"  # it is there already
    assert choose.choose(X, "chunked") == "chunked"


@pytest.mark.parametrize(("package", "name"), [("torch", "torch"), ("dask", "dask")])
def test_foreign_collections_name_their_engine(package, name):
    foreign = type("Tensor", (), {"__module__": f"{package}.sub"})()
    assert choose.choose(foreign) == name


def test_an_unknown_engine_is_refused(rng):
    with pytest.raises(ValueError, match=r"engine must be one of \['auto', .*got 'gpu'"):
        fit(rng.normal(size=(9, 2)), engine="gpu")
    with pytest.raises(ValueError, match=r"engine must be .*got 3"):
        fit(rng.normal(size=(9, 2)), engine=3)


def test_a_missing_package_is_named_with_its_extra(rng, monkeypatch):
    def fail(name):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(choose, "import_module", fail)
    with pytest.raises(ImportError, match=r"engine='torch' needs torch: .*biglearn-em\[torch\]"):
        fit(rng.normal(size=(9, 2)), engine="torch")


def test_a_factory_is_an_engine(rng):
    X, asked = blobs(rng, 60), []

    def factory(rows, **options):
        asked.append(sorted(options))
        return MemoryEngine(rows, **options)

    model = fit(X, engine=factory)
    np.testing.assert_array_equal(model.means_, fit(X).means_)
    assert asked == [["n_threads", "units", "weights"]]


def test_verbose_says_which_engine(rng, capsys):
    fit(rng.normal(size=(9, 2)), verbose=1)
    assert capsys.readouterr().out.startswith("engine: memory\n")


def test_a_file_is_rows_with_names(rng, tmp_path):
    frame = pd.DataFrame(blobs(rng, 60), columns=["a", "b"])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    model = fit(tmp_path / "rows.csv")
    np.testing.assert_allclose(model.means_, fit(frame).means_, rtol=1e-9)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    frame.assign(c=1.0)[["c", "b", "a"]].to_csv(tmp_path / "other.csv", index=False)
    np.testing.assert_array_equal(model.predict(tmp_path / "other.csv"), model.predict(frame))


def test_importing_biglearn_loads_no_engine_that_needs_an_extra():
    code = "import sys, biglearn; print([m for m in sys.argv[1:] if m in sys.modules])"
    watched = ["torch", "dask", "matplotlib", "typer", MODULES["torch"], MODULES["dask"]]
    done = subprocess.run(
        [sys.executable, "-c", code, *watched], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


class Thin:
    """An engine from before engines aligned labels."""

    n_rows, n_features = 3, 1
    project = expect = subsample = running = None


def test_an_engine_that_lacks_a_part_is_told_which():
    source = open_source([[0.0], [1.0], [2.0]], RowOptions(engine=lambda rows, **_: Thin()))
    with pytest.raises(TypeError, match=r"has no align; subclass biglearn\.engines\.EngineBase"):
        source.engine(Units.identity(1))
