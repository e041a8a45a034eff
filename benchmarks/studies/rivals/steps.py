"""EM steps of every program from the same start, for `stepper`.

Each function takes rows (N, D), starting means (K, D), a floor and a number of threads, and returns
a function that makes so many steps from weights 1/K, those means and covariances I, and returns
how many it has made (some stop where nothing moves any more), weights, means and covariances. The
packages it needs are imported inside, for each lives in an environment of its own; nothing here
imports `benchmarks.studies`.
"""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Steps = Callable[[int], tuple[int, Any, Any, Any]]
Array = NDArray[Any]

#: Programs whose first call of each length is not timed.
COMPILES = {"gmmx"}

#: The authors' arrays of outer products are blocked where they would be larger than this.
OUTER_BYTES = 2**31


def _settings(means: Array, steps: int, floor: float) -> dict[str, Any]:
    K, D = means.shape
    return {
        "n_components": K,
        "weights_init": np.full(K, 1 / K),
        "means_init": means,
        "precisions_init": np.tile(np.eye(D), (K, 1, 1)),
        "tol": 0.0,
        "max_iter": steps,
        "reg_covar": floor,
        "random_state": 0,
    }


#: Maximum likelihood, as all others do it.
LIKELIEST: dict[str, Any] = {"prior": None, "resolution": None}


def biglearn(X: Array, means: Array, floor: float, threads: int) -> Steps:
    """Our own engine in memory."""
    package: Any = importlib.import_module("biglearn")

    def run(steps: int) -> tuple[int, Any, Any, Any]:
        settings = _settings(means, steps, floor)
        model = package.BigLearnGaussianMixture(
            method="em", scaling="none", n_threads=threads, **LIKELIEST, **settings
        )
        mixture = model.fit(X).mixture_
        made = sum(record.move == "em" for record in model.history_) - 1
        return made, mixture.weights, mixture.means, mixture.covariances

    return run


def sklearn(X: Array, means: Array, floor: float, threads: int) -> Steps:
    """scikit-learn's mixture; without a cheap start of its own it would run k-means first."""
    mixture: Any = importlib.import_module("sklearn.mixture")

    def run(steps: int) -> tuple[int, Any, Any, Any]:
        model = mixture.GaussianMixture(
            init_params="random_from_data", **_settings(means, steps, floor)
        ).fit(X)
        return model.n_iter_, model.weights_, model.means_, model.covariances_

    return run


def authors(X: Array, means: Array, floor: float, threads: int) -> Steps:
    """Follow the authors' formulation, plainly: arrays of N×K×D×D outer products in PyTorch."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    rows = torch.as_tensor(X)
    (N, D), K = X.shape, len(means)
    size = max(1, min(N, OUTER_BYTES // (K * D * D * X.itemsize)))

    def moments(part: Any, weights: Any, centres: Any, covariances: Any) -> tuple[Any, Any, Any]:
        gaps = part[:, None] - centres
        outer = gaps[..., :, None] * gaps[..., None, :]
        distances = (outer * torch.linalg.inv(covariances)).sum((2, 3))
        scale = torch.log(weights) - 0.5 * torch.logdet(covariances)
        shares = torch.softmax(scale - 0.5 * distances, dim=1)
        first = (shares[..., None] * part[:, None]).sum(0)
        return shares.sum(0), first, (shares[..., None, None] * outer).sum(0)

    def run(steps: int) -> tuple[int, Any, Any, Any]:
        weights = torch.full((K,), 1 / K, dtype=rows.dtype)
        centres = torch.as_tensor(means, dtype=rows.dtype)
        covariances = torch.eye(D, dtype=rows.dtype).repeat(K, 1, 1)
        for _ in range(steps):
            sums: Any = None
            for start in range(0, N, size):
                found = moments(rows[start : start + size], weights, centres, covariances)
                sums = found if sums is None else [a + b for a, b in zip(sums, found, strict=True)]
            counts, first, second = sums
            moved = first / counts[:, None]
            shift = moved - centres
            covariances = second / counts[:, None, None] - shift[:, :, None] * shift[:, None, :]
            values, vectors = torch.linalg.eigh(covariances)
            covariances = (vectors * values.clamp(min=floor)[:, None, :]) @ vectors.mT
            weights, centres = counts / N, moved
        return steps, weights.numpy(), centres.numpy(), covariances.numpy()

    return run


def pomegranate(X: Array, means: Array, floor: float, threads: int) -> Steps:
    """Pomegranate's general mixture of normal distributions."""
    torch: Any = importlib.import_module("torch")
    gmm: Any = importlib.import_module("pomegranate.gmm")
    distributions: Any = importlib.import_module("pomegranate.distributions")
    torch.set_num_threads(threads)
    rows = torch.as_tensor(X)
    # its buffers have the type that is the default when they are made
    torch.set_default_dtype(rows.dtype)
    K, D = means.shape

    def run(steps: int) -> tuple[int, Any, Any, Any]:
        parts = [
            distributions.Normal(torch.as_tensor(m, dtype=rows.dtype), torch.eye(D)) for m in means
        ]
        model = gmm.GeneralMixtureModel(
            parts, priors=torch.full((K,), 1 / K), max_iter=steps, tol=-math.inf
        ).fit(rows)
        found = model.distributions
        return (
            steps,
            model.priors.detach().numpy(),
            np.stack([part.means.detach().numpy() for part in found]),
            np.stack([part.covs.detach().numpy() for part in found]),
        )

    return run


def tgmm(X: Array, means: Array, floor: float, threads: int) -> Steps:
    """Tgmm's plain EM."""
    torch: Any = importlib.import_module("torch")
    package: Any = importlib.import_module("tgmm")
    torch.set_num_threads(threads)
    rows = torch.as_tensor(X)
    K, D = means.shape

    def run(steps: int) -> tuple[int, Any, Any, Any]:
        model = package.GaussianMixture(
            n_components=K,
            n_features=D,
            init_means=torch.as_tensor(means, dtype=rows.dtype),
            init_weights=torch.full((K,), 1 / K, dtype=rows.dtype),
            init_covariances=torch.eye(D, dtype=rows.dtype).repeat(K, 1, 1),
            reg_covar=floor,
            tol=1e-300,
            max_iter=steps,
            device="cpu",
        ).fit(rows)
        parts = (model.weights_, model.means_, model.covariances_)
        weights, centres, covariances = (part.detach().numpy() for part in parts)
        return int(model.n_iter_), weights, centres, covariances

    return run


def torchgmm(X: Array, means: Array, floor: float, threads: int) -> Steps:
    """Torchgmm's EM, which begins with covariances of its own."""
    torch: Any = importlib.import_module("torch")
    package: Any = importlib.import_module("torchgmm.bayes")
    logging.disable(logging.WARNING)
    torch.set_num_threads(threads)
    rows = torch.as_tensor(X)
    quiet = ("enable_progress_bar", "logger", "enable_checkpointing", "enable_model_summary")
    trainer = dict.fromkeys(quiet, False) | {
        "accelerator": "cpu",
        "precision": "64-true" if X.dtype == np.float64 else 32,
    }

    def run(steps: int) -> tuple[int, Any, Any, Any]:
        estimator = package.GaussianMixture(
            len(means),
            covariance_type="full",
            init_means=torch.as_tensor(means, dtype=rows.dtype),
            convergence_tolerance=-math.inf,
            covariance_regularization=floor,
            trainer_params=trainer | {"max_epochs": steps},
        ).fit(rows)
        model = estimator.model_
        parts = (model.component_probs, model.means, model.covariances)
        weights, centres, covariances = (part.detach().numpy() for part in parts)
        return int(estimator.num_iter_), weights, centres, covariances

    return run


def gmmx(X: Array, means: Array, floor: float, threads: int) -> Steps:
    """Gmmx's EM in JAX."""
    jax: Any = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", X.dtype == np.float64)
    package: Any = importlib.import_module("gmmx")
    rows = jax.numpy.asarray(X)
    K, D = means.shape

    def run(steps: int) -> tuple[int, Any, Any, Any]:
        start = package.GaussianMixtureModelJax.from_squeezed(
            means=means.astype(X.dtype),
            covariances=np.tile(np.eye(D, dtype=X.dtype), (K, 1, 1)),
            weights=np.full(K, 1 / K, dtype=X.dtype),
        )
        fitter = package.EMFitter(max_iter=steps, tol=0.0, reg_covar=floor)
        result = fitter.fit(x=rows, gmm=start)
        model = result.gmm
        return (
            int(result.n_iter),
            np.ravel(model.weights),
            np.asarray(model.means).reshape(K, D),
            np.asarray(model.covariances.values).reshape(K, D, D),
        )

    return run


#: Programs by name.
PROGRAMS: dict[str, Callable[[Array, Array, float, int], Steps]] = {
    "biglearn": biglearn,
    "sklearn": sklearn,
    "authors": authors,
    "pomegranate": pomegranate,
    "tgmm": tgmm,
    "torchgmm": torchgmm,
    "gmmx": gmmx,
}
