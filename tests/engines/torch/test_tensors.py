"""Arithmetic of a block of tensors."""

import numpy as np
import pytest

from biglearn.engines.memory.engine import MemoryEngine
from biglearn.model.densities import WhitenedDensity
from helpers import random_mixture

torch = pytest.importorskip("torch", reason="needs torch: pip install 'biglearn-em[torch]'")

from biglearn.engines.torch import tensors  # noqa: E402


@pytest.mark.parametrize("length", [2, 3, 9, 10, 34])
def test_panels_are_all_products_of_pairs(rng, length):
    panels, rows = tensors.Panels(length), torch.from_numpy(rng.normal(size=(length, 7)))
    features = panels.fill(rows, torch.empty(panels.n_products, 7, dtype=torch.float64))
    rows[0] = 1.0
    panels.fill(rows, features)
    mixture, X = random_mixture(rng, 3, length - 1), rows[1:].numpy().T
    wanted = mixture.log_joint(X).T
    np.testing.assert_allclose(panels.pack(mixture) @ features.numpy(), wanted, atol=1e-9)
    shares = torch.from_numpy(rng.random((3, 7)))
    moments = MemoryEngine(X).moments_of(shares.numpy().T)
    for sums in (shares @ features.T, panels.weighted_sums(shares, rows)):
        parts = panels.unpack(sums.numpy())
        for ours, theirs in zip(
            parts, (moments.counts, moments.first, moments.second), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("n_features", [1, 2, 7, 20])
def test_both_forms_are_the_densities(rng, n_features):
    mixture = random_mixture(rng, 4, n_features)
    X = mixture.sample(50, rng)[0]
    rows = torch.from_numpy(np.vstack([np.ones(50), X.T]))
    expected = WhitenedDensity(mixture, np.dtype(np.float64)).log_joint(X.T)
    panels = tensors.Panels(n_features + 1)
    features = panels.fill(rows, torch.empty(panels.n_products, 50, dtype=torch.float64))
    quadratic = tensors.QuadraticForm(mixture, panels, rows).log_joint(rows, features)
    np.testing.assert_allclose(quadratic, expected, rtol=1e-10)
    whitened = tensors.WhitenedForm(mixture, rows).log_joint(rows, None)
    np.testing.assert_allclose(whitened, expected, rtol=1e-12)


def test_a_row_that_no_component_reaches_is_shared_by_all():
    log_joint = torch.tensor([[-1.0, -np.inf], [-3.0, -np.inf]], dtype=torch.float64)
    shares, log_density = tensors.normalise(log_joint)
    np.testing.assert_allclose(shares[:, 1], 0.5)
    np.testing.assert_allclose(shares[:, 0], [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))])
    assert log_density[1] == -np.inf
    assert float(log_density[0]) == pytest.approx(np.log(np.exp(-1) + np.exp(-3)))


def test_float32_sums_of_many_rows_lose_no_digits():
    # 2²⁴ + 1 is no float32, so that a float32 sum would stay there
    ones = torch.ones(1, 1 << 25)
    assert float(tensors.summed_product(ones, ones)) == 1 << 25
