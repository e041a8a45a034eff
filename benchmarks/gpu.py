"""Time an EM step on a GPU: ours in three precisions, plain rivals in torch, and our own CPU.

    python -m benchmarks.gpu --output gpu.json            # both problems, on CUDA
    python -m benchmarks.gpu --device cpu --scale 0.001   # a try without a GPU

Needs numpy, torch, scikit-learn and threadpoolctl beside the package (``PYTHONPATH=src`` does).
Everybody makes the same EM steps from the same start on the same rows, so that the
log-likelihoods after each step, which the result file holds, tell whether they did the same.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import biglearn
from biglearn.engines import Engine, MemoryEngine
from biglearn.engines.torch.engine import TorchEngine
from biglearn.model.components import Components
from biglearn.model.constraints import Constraints
from biglearn.model.m_step import m_step
from biglearn.model.mixture import Mixture

Array = NDArray[Any]
Tensor = Any
Steps = Iterator[tuple[float, float]]

#: Dense peak rates in TFLOP/s by device and precision; float64 on the tensor cores.
PEAKS = {
    "H100": {"float64": 67.0, "float32": 67.0, "tf32": 495.0},
    "H200": {"float64": 67.0, "float32": 67.0, "tf32": 495.0},
}

#: Eigenvalue floor in standardised units.
FLOOR = 1e-3

#: Memory that a rival's largest array may take, by device.
BLOCK_BYTES = {"cuda": 4 << 30, "cpu": 1 << 25}


def overlapping(n_rows: int, n_features: int, n_components: int, rng: np.random.Generator) -> Array:
    """Draw rows of overlapping Gaussians and standardise them."""
    factors = rng.normal(size=(n_components, n_features, n_features)) / np.sqrt(n_features)
    means = 1.5 * rng.normal(size=(n_components, n_features))
    labels = rng.integers(n_components, size=n_rows)
    X = rng.normal(size=(n_rows, n_features))
    for k in range(n_components):
        X[labels == k] = X[labels == k] @ (factors[k] + 0.5 * np.eye(n_features)) + means[k]
    standardised: Array = (X - X.mean(axis=0)) / X.std(axis=0)
    return standardised


def fashion(n_rows: int, folder: str | None, rng: np.random.Generator) -> tuple[Array, str]:
    """Read the images, or draw rows of the same shape where they are not there."""
    path = Path(folder) / "fashion_mnist.npz" if folder else None
    if path is None or not path.exists():
        return overlapping(n_rows, 784, 10, rng), "drawn rows of its shape"
    with np.load(path) as file:
        name = next(key for key in file.files if file[key].ndim >= 2 and len(file[key]) == 60000)
        X = file[name].reshape(60000, -1)[:n_rows].astype(np.float64)
    spread = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0), "pixels, standardised"


def first_mixture(X: Array, n_components: int, rng: np.random.Generator) -> Mixture:
    """Start everybody alike: rows as means, the covariance of all rows."""
    centres = X[rng.choice(len(X), n_components, replace=False)]
    sample = X[rng.choice(len(X), min(len(X), 20_000), replace=False)]
    covariance = np.cov(sample, rowvar=False) + FLOOR * np.eye(X.shape[1])
    weights = np.full(n_components, 1 / n_components)
    return Mixture(weights, centres, np.tile(covariance, (n_components, 1, 1)))


# Contenders: each takes rows and a first mixture and yields the log-likelihood per row before
# every step, with the seconds of the pass over the rows where it can be told apart.


def ours(engine: Engine, mixture: Mixture) -> Steps:
    """Step with an engine of ours."""
    components: Components = mixture
    constraints = Constraints(floor=FLOOR)
    with engine.running():
        while True:
            began = time.perf_counter()
            moments = engine.expect(components)
            passed = time.perf_counter() - began
            components, _ = m_step(constraints, components, moments)
            yield moments.mean_log_likelihood, passed


def authors(X: Tensor, mixture: Mixture) -> Steps:
    """Step as published: arrays of N × K × D × D, in blocks that fit."""
    weights, means, covariances = on_device(X, mixture)
    n_components, size = means.shape
    rows = max(1, BLOCK_BYTES[X.device.type] // (n_components * size * size * X.element_size()))
    while True:
        factors = torch.linalg.cholesky(covariances)
        inverses = torch.cholesky_inverse(factors)
        log_det = 2 * factors.diagonal(dim1=1, dim2=2).log().sum(1)
        total: Any = 0.0
        counts: Any = 0.0
        first: Any = 0.0
        second: Any = 0.0
        for x in X.split(rows):
            gaps = x[:, None] - means
            outer = gaps[..., :, None] * gaps[..., None, :]
            distances = (outer * inverses).sum(dim=(2, 3))
            log_joint = log_parts(weights, log_det, size) - 0.5 * distances
            log_density = torch.logsumexp(log_joint, 1, keepdim=True)
            shares = (log_joint - log_density).exp()
            counts = counts + shares.sum(0)
            first = first + shares.T @ x
            second = second + (shares[:, :, None, None] * outer).sum(0)
            total = total + log_density.double().sum()
        yield float(total) / len(X), float("nan")
        new = first / counts[:, None]
        shift = new - means
        covariances = second / counts[:, None, None] - shift[:, :, None] * shift[:, None]
        weights, means, covariances = counts / len(X), new, floored(covariances)


def whitening(X: Tensor, mixture: Mixture) -> Steps:
    """Step as torch mixtures commonly do: a Cholesky whitening for one component at a time."""
    weights, means, covariances = on_device(X, mixture)
    n_components, size = means.shape
    identity = torch.eye(size, dtype=X.dtype, device=X.device)
    while True:
        factors = torch.linalg.cholesky(covariances)
        log_det = 2 * factors.diagonal(dim1=1, dim2=2).log().sum(1)
        whiten = torch.linalg.solve_triangular(factors, identity.expand_as(factors), upper=False)
        distances = [
            ((X @ whiten[k].T - means[k] @ whiten[k].T) ** 2).sum(1) for k in range(n_components)
        ]
        log_joint = log_parts(weights, log_det, size) - 0.5 * torch.stack(distances, 1)
        log_density = torch.logsumexp(log_joint, 1, keepdim=True)
        shares = (log_joint - log_density).exp()
        yield float(log_density.double().mean()), float("nan")
        counts = shares.sum(0)
        means = shares.T @ X / counts[:, None]
        products = []
        for k in range(n_components):
            gaps = X - means[k]
            products.append((shares[:, k, None] * gaps).T @ gaps / counts[k])
        weights, covariances = counts / len(X), floored(torch.stack(products))


def on_device(X: Tensor, mixture: Mixture) -> list[Tensor]:
    """Copy weights, means and covariances to where the rows are."""
    parameters = (mixture.weights, mixture.means, mixture.covariances)
    return [torch.tensor(values, dtype=X.dtype, device=X.device) for values in parameters]


def log_parts(weights: Tensor, log_det: Tensor, size: int) -> Tensor:
    """Return what the log-densities hold beside the distances, with the log-weights."""
    return weights.log() - 0.5 * (log_det + size * np.log(2 * np.pi))


def floored(covariances: Tensor) -> Tensor:
    """Raise the eigenvalues to the floor."""
    values, vectors = torch.linalg.eigh(covariances)
    return (vectors * values.clamp(min=FLOOR)[:, None]) @ vectors.mT


def contenders(
    X: Array, mixture: Mixture, options: argparse.Namespace
) -> Iterator[tuple[str, str, Callable[[], Steps]]]:
    """Yield (name, precision, make) of all that are to be run."""
    device, threads = options.device, options.threads
    dtypes = {"float64": torch.float64, "float32": torch.float32}

    def on_torch(**choices: Any) -> Steps:
        return ours(TorchEngine(X, device=device, n_threads=threads, **choices), mixture)

    def in_memory(dtype: str) -> Steps:
        return ours(MemoryEngine(X.astype(dtype), n_threads=threads), mixture)

    def on_rows(rival: Callable[[Tensor, Mixture], Steps], dtype: Any) -> Steps:
        return rival(torch.from_numpy(X).to(device, dtype), mixture)

    for precision, dtype, tf32 in [
        ("float64", torch.float64, False),
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
    ]:
        yield "biglearn torch", precision, partial(on_torch, dtype=dtype, tf32=tf32)
    streamed = partial(on_torch, memory_limit=X.nbytes // 3)
    yield "biglearn torch, streamed", "float64", streamed
    for name, rival in [("authors' formulation", authors), ("whitening by component", whitening)]:
        for precision, dtype in dtypes.items():
            yield name, precision, partial(on_rows, rival, dtype)
    if not options.no_cpu:
        for precision in dtypes:
            yield "biglearn memory (CPU)", precision, partial(in_memory, precision)


def measure(
    make: Callable[[], Steps], options: argparse.Namespace
) -> tuple[list[float], list[float], list[float]]:
    """Run steps until enough are timed; the first warms up and is not counted."""
    steps = make()
    trace: list[float] = []
    seconds: list[float] = []
    passes: list[float] = []
    began = time.perf_counter()
    while True:
        before = time.perf_counter()
        value, passed = next(steps)
        if options.device.startswith("cuda"):
            torch.cuda.synchronize()
        took = time.perf_counter() - before
        trace.append(value)
        if len(trace) > 1:  # from one log-likelihood to the next is one M-step and one E-step
            seconds.append(took)
            passes.append(passed)
        enough = len(seconds) >= options.steps
        if enough or (seconds and time.perf_counter() - began > options.patience):
            return trace, seconds, passes


def run(
    name: str,
    X: Array,
    n_components: int,
    options: argparse.Namespace,
    rng: np.random.Generator,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Measure everybody on one problem."""
    n_rows, size = X.shape
    mixture = first_mixture(X, n_components, rng)
    # both products need half of the square, as it is symmetric: 2 · d(d + 1)/2 each
    flops = 2.0 * n_rows * n_components * size * (size + 1)
    results = []
    for contender, precision, make in contenders(X, mixture, options):
        result: dict[str, Any] = {"problem": name, "contender": contender, "precision": precision}
        if options.device.startswith("cuda"):
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            trace, seconds, passes = measure(make, options)
        except (RuntimeError, MemoryError, np.linalg.LinAlgError) as error:
            result["error"] = str(error).splitlines()[0]
            print(f"{name:18} {contender:26} {precision:8} failed: {result['error']}", flush=True)
            results.append(result)
            continue
        step, one_pass = statistics.median(seconds), statistics.median(passes)
        rate = flops / (step if np.isnan(one_pass) else one_pass) / 1e12
        peak = peak_of(options.device, precision) if "CPU" not in contender else None
        result |= {
            "step_seconds": step,
            "pass_seconds": None if np.isnan(one_pass) else one_pass,
            "all_step_seconds": seconds,
            "tflops_of_pass": rate,
            "share_of_peak": None if peak is None else rate / peak,
            "log_likelihoods": trace,
        }
        if options.device.startswith("cuda"):
            result["peak_bytes"] = torch.cuda.max_memory_allocated()
        share = "" if peak is None else f"  {100 * rate / peak:5.1f} % of peak"
        print(
            f"{name:18} {contender:26} {precision:8} step {1e3 * step:10.2f} ms  pass "
            f"{1e3 * one_pass:10.2f} ms  {rate:7.2f} TFLOP/s{share}  after {len(trace) - 1} steps "
            f"{trace[-1]:.6f}",
            flush=True,
        )
        results.append(result)
    return {"n_rows": n_rows, "n_features": size, "n_components": n_components}, results


def peak_of(device: str, precision: str) -> float | None:
    """Return the peak rate of a device in TFLOP/s, None where it is not known."""
    if not device.startswith("cuda"):
        return None
    name = torch.cuda.get_device_name(device)
    return next((peaks[precision] for key, peaks in PEAKS.items() if key in name), None)


def profile(
    X: Array, n_components: int, options: argparse.Namespace, rng: np.random.Generator
) -> None:
    """Show which kernels a pass of each precision spends its time in."""
    mixture = first_mixture(X, n_components, rng)
    activities = list(torch.profiler.supported_activities())
    key = "self_cuda_time_total" if options.device.startswith("cuda") else "self_cpu_time_total"
    for dtype in (torch.float64, torch.float32):
        engine = TorchEngine(X, device=options.device, dtype=dtype)
        engine.expect(mixture)
        with torch.profiler.profile(activities=activities) as seen:
            engine.expect(mixture)
        table = seen.key_averages().table(sort_by=key, row_limit=12, max_name_column_width=60)
        print(f"{X.shape}, K={n_components}, {dtype}\n{table}", flush=True)


def environment(options: argparse.Namespace) -> dict[str, Any]:
    """Say on what and with what it was measured."""
    gpu = options.device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name(options.device) if gpu else platform.processor(),
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "biglearn": biglearn.__version__,
        "numpy": np.__version__,
        "torch": torch.__version__,
        "cpus": os.cpu_count(),
        "threads": options.threads,
        "load": list(os.getloadavg()),
        "arguments": sys.argv[1:],
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--steps", type=int, default=10, help="EM steps to time")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds for a contender")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows")
    parser.add_argument("--data", default=os.environ.get("BIGLEARN_DATA"), help="data folder")
    parser.add_argument("--problem", choices=["synthetic", "fashion"], action="append")
    parser.add_argument("--no-cpu", action="store_true", help="leave our CPU engine out")
    parser.add_argument("--profile", action="store_true", help="only show where a pass goes")
    parser.add_argument("--output", help="JSON file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    chosen = options.problem or ["synthetic", "fashion"]
    report: dict[str, Any] = {"environment": environment(options), "problems": {}, "results": []}
    for name in chosen:
        rng = np.random.default_rng(0)
        source, n_components = "drawn rows", 64
        if name == "synthetic":
            X = overlapping(int(1e6 * options.scale), 32, n_components, rng)
        else:
            n_components = 10
            X, source = fashion(int(60_000 * options.scale), options.data, rng)
        if options.profile:
            profile(X, n_components, options, rng)
            continue
        shape, results = run(name, X, n_components, options, rng)
        report["problems"][name] = shape | {"source": source}
        report["results"] += results
        if options.output:  # after each problem: a run that is cut off keeps what it has
            Path(options.output).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
