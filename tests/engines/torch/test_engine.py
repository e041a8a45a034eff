"""The torch engine on the CPU: its arithmetic, its memory, tensors in and out."""

import warnings

import numpy as np
import pytest

from biglearn import GaussianMixture
from biglearn.engines import MemoryEngine
from biglearn.engines.rows.units import Units
from biglearn.model.mixture import Mixture
from biglearn.model.views import View
from helpers import assert_same_moments, blobs, random_mixture

torch = pytest.importorskip("torch", reason="needs torch: pip install 'biglearn-em[torch]'")

from biglearn.engines.torch import device_rows, tensors  # noqa: E402
from biglearn.engines.torch.engine import Torch, TorchEngine, choose_device  # noqa: E402

#: float64 sums in another order; float32 products of 2048 rows at a time.
RTOL = {np.float64: 1e-11, np.float32: 1e-5}


def fails_above(monkeypatch, n_rows):
    """Let the device run out of memory wherever a block has more rows."""
    normalise, seen = tensors.normalise, []

    def fail(log_joint):
        seen.append(log_joint.shape[1])
        if log_joint.shape[1] > n_rows:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (injected)")
        return normalise(log_joint)

    monkeypatch.setattr(tensors, "normalise", fail)
    return seen


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n_components", "n_features"), [(3, 1), (20, 8), (2, 45)])
@pytest.mark.parametrize("limit", [None, 1000])
def test_moments_are_those_in_memory(rng, dtype, n_components, n_features, limit):
    mixture = random_mixture(rng, n_components, n_features)
    X = mixture.sample(5000, rng)[0].astype(dtype)
    weights = rng.integers(0, 4, size=len(X)).astype(float)
    units = Units.of(X)
    engine = TorchEngine(X, weights=weights, units=units, memory_limit=limit)
    assert engine.is_streamed == (limit is not None)
    theirs = MemoryEngine(X, weights=weights, units=units)
    inside = units.inward(mixture)
    rtol = RTOL[dtype]
    assert_same_moments(engine.expect(inside), theirs.expect(inside), rtol)
    diagonals = inside.in_blocks(1)
    assert_same_moments(engine.expect(diagonals), theirs.expect(diagonals), rtol)
    view = View.transformed(range(-(-n_features // 2)), n_features, rng)
    nested = View.marginal([0], view.size)
    ours, theirs = engine.project(view).project(nested), theirs.project(view).project(nested)
    seen = inside.project(view).project(nested)
    assert_same_moments(ours.expect(seen), theirs.expect(seen), rtol)


def test_projections_leave_the_engine_as_it_was(rng):
    mixture = random_mixture(rng, 2, 3)
    engine = TorchEngine(mixture.sample(100, rng)[0])
    before = engine.expect(mixture)
    engine.project(View.marginal([1], 3))
    assert engine.n_features == 3
    assert_same_moments(engine.expect(mixture), before, 1e-15)
    given = TorchEngine(engine._X, view=View.marginal([1], 3))
    seen = mixture.project(View.marginal([1], 3))
    assert_same_moments(given.expect(seen), engine.project(View.marginal([1], 3)).expect(seen))


def test_a_sharp_component_far_out_is_as_exact_as_any(rng):
    X = np.vstack([rng.normal(size=(200, 2)), 1e-4 * rng.normal(size=(200, 2)) + 100])
    mixture = Mixture([0.5, 0.5], [[0, 0], [100, 100]], [np.eye(2), 1e-8 * np.eye(2)])
    assert_same_moments(TorchEngine(X).expect(mixture), MemoryEngine(X).expect(mixture), 1e-7)


def test_samples_are_those_in_memory(rng):
    X, weights = rng.normal(size=(100, 2)), rng.random(100)
    view, units = View.marginal([1], 2), Units.of(X)
    for limit in (30, 200):
        ours, theirs = (
            kind(X, weights=weights, units=units, view=view).subsample(
                limit, np.random.default_rng(1)
            )
            for kind in (TorchEngine, MemoryEngine)
        )
        np.testing.assert_allclose(ours.rows(), theirs.rows(), atol=1e-14)
        np.testing.assert_array_equal(ours.weights, theirs.weights)


def test_the_users_precision_and_threads_are_back_after_a_pass(rng):
    before = torch.get_num_threads()
    torch.set_float32_matmul_precision("medium")
    try:
        engine = TorchEngine(rng.normal(size=(20, 2)).astype(np.float32), n_threads=1)
        with engine.running():
            assert torch.get_num_threads() == 1
            engine.expect(random_mixture(rng, 2, 2))
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.get_num_threads() == before
    finally:
        torch.set_float32_matmul_precision("highest")


def test_tf32_is_asked_for_where_it_is_safe_and_never_else(rng, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", asked.append)
    X = rng.normal(size=(50, 20)).astype(np.float32)
    mixture = random_mixture(rng, 1, 20, spread=0.1)
    TorchEngine(X).expect(mixture)
    assert set(asked) == {"highest"}
    asked.clear()
    TorchEngine(X, tf32=True).expect(mixture)  # one component is cheaper whitened
    assert asked.count("high") == 2
    sharp = Mixture([1.0], mixture.means, 1e-6 * mixture.covariances)
    asked.clear()
    TorchEngine(X, tf32=True).expect(sharp)
    assert asked.count("high") == 1  # the sums alone


def test_a_device_that_runs_out_gets_smaller_blocks_and_says_so(rng, monkeypatch):
    mixture = random_mixture(rng, 4, 6)
    X = mixture.sample(40_000, rng)[0]
    engine = TorchEngine(X)
    seen = fails_above(monkeypatch, 3000)
    with pytest.warns(RuntimeWarning, match=r"cpu ran out of memory; going on with blocks of at"):
        moments = engine.expect(mixture)
    assert_same_moments(moments, MemoryEngine(X).expect(mixture))
    assert engine.n_shrunk >= 1
    assert seen[0] > 3000 >= seen[-1]
    with warnings.catch_warnings():  # it has learnt: so have its views
        warnings.simplefilter("error")
        engine.expect(mixture)
        view = View.marginal([0, 1], 6)
        engine.project(view).expect(mixture.project(view))


def test_a_device_without_any_memory_is_an_error(rng, monkeypatch):
    fails_above(monkeypatch, 0)
    engine = TorchEngine(rng.normal(size=(300, 2)))
    with (
        pytest.warns(RuntimeWarning, match="ran out of memory"),
        pytest.raises(MemoryError, match=r"cpu has too little free memory .*engine='memory'"),
    ):
        engine.expect(random_mixture(rng, 2, 2))


def test_rows_that_seemed_to_fit_are_streamed(rng, monkeypatch):
    mixture = random_mixture(rng, 3, 2)
    X = mixture.sample(3000, rng)[0]

    def fail(*args, **options):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory (injected)")

    monkeypatch.setattr(device_rows.torch, "empty", fail)
    with pytest.warns(RuntimeWarning, match="block by block in every pass"):
        engine = TorchEngine(X)
    monkeypatch.undo()
    assert engine.is_streamed
    assert engine.n_shrunk == 1
    assert_same_moments(engine.expect(mixture), MemoryEngine(X).expect(mixture))


def test_other_devices_are_refused():
    with pytest.raises(ValueError, match=r"cpu and cuda have, got mps.*move X"):
        choose_device(None, "mps")
    assert choose_device(torch.zeros(1)).type == "cpu"


@pytest.mark.parametrize("method", ["em", "search"])
def test_a_fit_is_that_in_memory(rng, method):
    X = blobs(rng, 400, 3)
    parameters = {"method": method, "random_state": 0, "covariance_type": "full"}
    ours = GaussianMixture(3, engine="torch", **parameters).fit(X)
    theirs = GaussianMixture(3, engine="memory", **parameters).fit(X)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=1e-10)
    one, other = np.argsort(ours.means_[:, 0]), np.argsort(theirs.means_[:, 0])
    np.testing.assert_allclose(ours.means_[one], theirs.means_[other], rtol=1e-5)
    assert isinstance(ours.predict(X), np.ndarray)


def test_tensors_in_bring_tensors_out(rng, capsys):
    X = blobs(rng, 200, 2).astype(np.float32)
    weights = rng.integers(0, 3, size=200).astype(float)
    tensor = torch.from_numpy(X).requires_grad_()
    model = GaussianMixture(2, method="em", random_state=0, verbose=1)
    model.fit(tensor, sample_weight=torch.from_numpy(weights))
    assert "engine: torch (cpu)" in capsys.readouterr().out
    other = GaussianMixture(2, method="em", random_state=0)
    other.fit(X, sample_weight=weights)
    np.testing.assert_allclose(model.means_, other.means_, rtol=1e-3)
    assert model.means_.dtype == np.float32
    for name in ("predict", "predict_proba", "score_samples"):
        answer, expected = getattr(model, name)(tensor), getattr(model, name)(X)
        assert isinstance(answer, torch.Tensor)
        assert not isinstance(expected, torch.Tensor)
        np.testing.assert_array_equal(answer.numpy(), expected)
    assert model.score(tensor) == model.score(X)


def test_half_precision_and_bad_values_of_tensors(rng):
    X = blobs(rng, 60, 2)
    model = GaussianMixture(2, random_state=0).fit(torch.from_numpy(X).bfloat16())
    assert model.means_.dtype == np.float32
    X[7, 1] = np.inf
    with pytest.raises(ValueError, match="inf in column 1, row 7"):
        model.fit(torch.from_numpy(X))
    with pytest.raises(ValueError, match="2D array"):
        model.fit(torch.zeros(5))


def test_choices_of_the_engine(rng):
    X = blobs(rng, 100, 2).astype(np.float32)
    fits = [
        GaussianMixture(2, engine=engine, random_state=0).fit(X).lower_bound_
        for engine in ("torch", Torch(dtype=torch.float64, memory_limit=1000, device="cpu"))
    ]
    assert fits[0] == pytest.approx(fits[1], rel=1e-4)
