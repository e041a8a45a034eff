"""The compiled loops against NumPy's work, at sizes around every strip, register and group."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from biglearn import kernels
from biglearn.engines.memory.forms import form_for
from biglearn.model.blocks import diagonals
from biglearn.model.mixture import Mixture
from helpers import random_mixture, scipy_log_joint

FLOAT64 = np.dtype(np.float64)

#: Relative error of one sum, and of log-densities at their largest.
RTOL = {FLOAT64: 1e-12, np.dtype(np.float32): 2e-5}


def held(form, X):
    block = form.new_block(len(X))
    form.hold(X, block)
    return block


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("n_rows", [1, 15, 16, 33, 130])
@pytest.mark.parametrize(
    ("n_components", "n_features"), [(1, 1), (2, 3), (3, 2), (7, 9), (6, 45), (2, 140)]
)
def test_densities_and_sums_are_the_direct_ones(
    rng, loops, dtype, n_rows, n_components, n_features
):
    mixture = random_mixture(rng, n_components, n_features, spread=1.0)
    X = mixture.sample(n_rows, rng)[0].astype(dtype)
    form = form_for(n_features, dtype)
    block, shares = held(form, X), form.new_shares(n_components, n_rows)
    form.density(mixture)(block, shares)
    wanted = scipy_log_joint(mixture.weights, mixture.means, mixture.covariances, X)
    assert shares.dtype == dtype
    np.testing.assert_allclose(shares.T, wanted, atol=RTOL[dtype] * np.abs(wanted).max())

    joint = shares.T.astype(float)
    log_density = form.normalise(shares, None)
    np.testing.assert_allclose(shares.T, softmax(joint, axis=1), atol=RTOL[dtype])
    # a rounding unit of the largest term is an error of exp(term - largest)
    np.testing.assert_allclose(log_density, logsumexp(joint, axis=1), rtol=RTOL[dtype])

    sums = form.new_sums(n_components)
    for _ in range(2):  # they add to what is there
        form.add_sums(shares, block, sums)
    counts, first, second = form.unpack(sums)
    r, rows = shares.T.astype(float), X.astype(float)
    np.testing.assert_allclose(counts, 2 * r.sum(axis=0), rtol=RTOL[dtype], atol=1e-30)
    np.testing.assert_allclose(first, 2 * r.T @ rows, atol=RTOL[dtype] * n_rows)
    outer = np.einsum("nk,ni,nj->kij", r, rows, rows)
    scale = np.abs(outer).max()
    np.testing.assert_allclose(second, 2 * outer, atol=5 * RTOL[dtype] * scale)


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("n_rows", [1, 480, 992, 1000, 2016])  # some make a power of two of bytes
def test_rows_of_a_block_do_not_compete_for_lines_of_the_cache(dtype, n_rows):
    if kernels.passes(dtype) is None:
        pytest.skip("Numba is missing: pip install numba")
    form = form_for(5, dtype)
    for room in (form.new_block(n_rows), form.new_shares(7, n_rows)):
        assert room.shape[1] == n_rows
        assert room.ctypes.data % 64 == 0
        assert room.strides[0] % 128 == 64


@pytest.mark.parametrize("n_features", [1, 4, 70])
def test_diagonal_structures_need_the_diagonals_alone(rng, loops, n_features):
    mixture = random_mixture(rng, 3, n_features)
    mixture = Mixture(mixture.weights, mixture.means, mixture.covariances * np.eye(n_features))
    X = mixture.sample(50, rng)[0]
    form = form_for(n_features, FLOAT64, diagonal=True)
    block, joint = held(form, X), form.new_shares(3, 50)
    form.density(mixture)(block, joint)
    wanted = scipy_log_joint(mixture.weights, mixture.means, mixture.covariances, X)
    np.testing.assert_allclose(joint.T, wanted, rtol=1e-10)
    sums, shares = form.new_sums(3), np.ascontiguousarray(rng.dirichlet(np.ones(3), size=50).T)
    form.add_sums(shares, block, sums)
    second = form.unpack(sums)[2]
    np.testing.assert_allclose(diagonals(second), shares @ X**2, rtol=1e-12)


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("n_rows", [5, 64, 100])
def test_a_background_takes_its_share_of_every_row(rng, loops, dtype, n_rows):
    values = (30 * rng.normal(size=(3, n_rows))).astype(dtype)
    background = (30 * rng.normal(size=n_rows)).astype(dtype)
    shares = values.copy()
    log_density = form_for(2, dtype).normalise(shares, background)
    everything = np.vstack([values, background]).astype(float)
    atol = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(shares, softmax(everything, axis=0)[:3], atol=atol)
    np.testing.assert_allclose(log_density, logsumexp(everything, axis=0), atol=100 * atol)


def test_rows_are_normalised_at_any_height_and_where_no_component_reaches(loops):
    values = np.array(
        [[-1e300, 1e300, -np.inf, -750.0, -1e300], [-1e300, -1e300, -np.inf, 0.0, -2e300]]
    )
    log_density = form_for(2, FLOAT64).normalise(values, None)
    expected = [[0.5, 1.0, 0.5, 0.0, 1.0], [0.5, 0.0, 0.5, 1.0, 0.0]]
    np.testing.assert_allclose(values, expected, atol=1e-100)
    np.testing.assert_array_equal(log_density, [-1e300, 1e300, -np.inf, 0.0, -1e300])


def test_nan_does_not_vanish(loops):
    values = np.array([[0.0, np.nan], [np.nan, 0.0], [0.0, 0.0]])
    form_for(2, FLOAT64).normalise(values, None)
    assert np.isnan(values).all()


def test_exponentials_are_exact_to_the_rounding_unit(rng, loops):
    differences = np.concatenate([-np.logspace(-18, np.log10(299), 2000), [0.0]])
    values = np.vstack([differences, np.zeros(len(differences))])
    form_for(2, FLOAT64).normalise(values, None)
    ratio = values[0] / values[1]
    np.testing.assert_allclose(ratio, np.exp(differences), rtol=1e-15)


def test_processors_with_fewer_registers_compute_the_same(tmp_path):
    pytest.importorskip("numba", reason="Numba is missing: pip install numba")
    code = (
        "import sys, pytest\n"
        "from llvmlite import binding\n"
        "features = binding.get_host_cpu_features()\n"
        "has = {name: on and 'avx512' not in name for name, on in features.items()}\n"
        "binding.get_host_cpu_features = lambda: type(features)(has)\n"
        f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', {__file__!r}, '-k',\n"
        "    'compiled and (direct_ones or background or diagonal or rounding_unit)']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
