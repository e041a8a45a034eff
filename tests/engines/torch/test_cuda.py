"""The torch engine on a CUDA GPU: skipped where there is none."""

import numpy as np
import pytest

from biglearn import GaussianMixture
from biglearn.engines import MemoryEngine
from biglearn.engines.rows.units import Units
from biglearn.model.views import View
from helpers import assert_same_moments, blobs, random_mixture

torch = pytest.importorskip("torch", reason="needs torch: pip install 'biglearn-em[torch]'")
if not torch.cuda.is_available():
    pytest.skip("needs a CUDA GPU", allow_module_level=True)

from biglearn.engines.torch.engine import TorchEngine  # noqa: E402


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-10), (np.float32, 1e-4)])
@pytest.mark.parametrize(("n_components", "n_features"), [(3, 2), (64, 32), (10, 100)])
@pytest.mark.parametrize("limit", [None, 1 << 20])
def test_moments_are_those_in_memory(rng, dtype, rtol, n_components, n_features, limit):
    mixture = random_mixture(rng, n_components, n_features)
    X = mixture.sample(50_000, rng)[0].astype(dtype)
    weights = rng.integers(0, 4, size=len(X)).astype(float)
    units = Units.of(X)
    inside = units.inward(mixture)
    engine = TorchEngine(X, weights=weights, units=units, memory_limit=limit)
    theirs = MemoryEngine(X, weights=weights, units=units)
    assert engine.device.type == "cuda"
    assert engine.is_streamed == (limit is not None)
    assert_same_moments(engine.expect(inside), theirs.expect(inside), rtol)
    view = View.transformed(range(n_features // 2), n_features, rng)
    seen = inside.project(view)
    assert_same_moments(engine.project(view).expect(seen), theirs.project(view).expect(seen), rtol)
    diagonals = inside.in_blocks(1)
    assert_same_moments(engine.expect(diagonals), theirs.expect(diagonals), rtol)


def test_a_pass_gives_the_same_bits_again(rng):
    mixture = random_mixture(rng, 8, 16)
    X = mixture.sample(100_000, rng)[0]
    one, other = (TorchEngine(X).expect(mixture) for _ in range(2))
    np.testing.assert_array_equal(one.second, other.second)
    assert one.log_likelihood == other.log_likelihood


def test_tf32_is_close(rng):
    mixture = random_mixture(rng, 4, 64, spread=1.0)
    X = mixture.sample(20_000, rng)[0].astype(np.float32)
    ours, theirs = TorchEngine(X, tf32=True).expect(mixture), MemoryEngine(X).expect(mixture)
    # 11 bits for each of 64 features, of which half cancel at random
    assert ours.mean_log_likelihood == pytest.approx(theirs.mean_log_likelihood, abs=0.05)
    np.testing.assert_allclose(ours.means, theirs.means, atol=0.01)


def test_real_lack_of_memory_is_survived(rng, monkeypatch):
    mixture = random_mixture(rng, 16, 32)
    X = mixture.sample(200_000, rng)[0]
    expected = MemoryEngine(X).expect(mixture)
    engine = TorchEngine(X)
    _, total = torch.cuda.mem_get_info()
    allowed = torch.cuda.memory_allocated() + (96 << 20)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(allowed / total)
    try:
        with pytest.warns(RuntimeWarning, match="ran out of memory"):
            moments = engine.expect(mixture)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert engine.n_shrunk >= 1
    assert_same_moments(moments, expected, 1e-10)


@pytest.mark.parametrize("method", ["em", "search"])
def test_a_fit_is_that_in_memory(rng, method):
    X = blobs(rng, 3000, 4)
    fits = [
        GaussianMixture(3, method=method, engine=engine, random_state=0).fit(X)
        for engine in ("torch", "memory")
    ]
    assert fits[0].lower_bound_ == pytest.approx(fits[1].lower_bound_, abs=1e-4)


def test_tensors_stay_on_their_device(rng):
    X = torch.from_numpy(blobs(rng, 1000, 3)).cuda()
    weights = torch.rand(1000, device="cuda")
    model = GaussianMixture(3, random_state=0).fit(X, sample_weight=weights)
    for name in ("predict", "predict_proba", "score_samples"):
        answer = getattr(model, name)(X)
        assert answer.device == X.device
        np.testing.assert_array_equal(answer.cpu().numpy(), getattr(model, name)(X.cpu().numpy()))
