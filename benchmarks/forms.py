"""The rate of a pass in each form of its arithmetic, by width, components and precision.

    python -m benchmarks.forms --output benchmarks/results/forms.json

One thread; the best of seven passes over rows that are kept.  `pairs` and `components` are the two
orders in which the compiled loops can sum, which need Numba; `NumPy` is what the same pass takes
without it.  Beside them stands the rate of a matrix product of 1024.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from biglearn import Mixture

SIZES = (2, 8, 16, 32, 64, 128, 256, 784)
COMPONENTS = (2, 5, 20, 60)
TYPES = ("float64", "float32")

#: Forms by name: whether loops are compiled, and whether they sum one component at a time.
FORMS = {"pairs": (True, False), "components": (True, True), "NumPy": (False, False)}

#: Operations of a pass that is long enough to be timed.
OPERATIONS = 4e9


def rate_of(mixture: Mixture, X: NDArray[Any], operations: float) -> tuple[float, float]:
    """Return operations per second of a pass, and the log-likelihood that it finds."""
    from biglearn.engines import MemoryEngine

    engine, best = MemoryEngine(X), np.inf
    with engine.running():
        for _ in range(7):
            began = time.perf_counter()
            moments = engine.expect(mixture)
            best = min(best, time.perf_counter() - began)
    return operations / best, moments.mean_log_likelihood


def product_rate(dtype: str) -> float:
    """Return operations per second of a matrix product in one thread."""
    from threadpoolctl import threadpool_limits

    a, best = np.random.default_rng(0).normal(size=(1024, 1024)).astype(dtype), np.inf
    with threadpool_limits(1):
        for _ in range(10):
            began = time.perf_counter()
            a @ a
            best = min(best, time.perf_counter() - began)
    return 2 * 1024**3 / best


def measure(D: int, K: int, dtype: str) -> dict[str, object]:
    """Measure all forms of one size."""
    from biglearn import Mixture, kernels
    from biglearn.engines.memory import forms
    from biglearn.kernels import layouts

    rng = np.random.default_rng(0)
    factors = rng.normal(size=(K, D, D)) / np.sqrt(D)
    covariances = factors @ np.swapaxes(factors, 1, 2) + np.eye(D)
    mixture = Mixture(np.full(K, 1 / K), rng.normal(size=(K, D)), covariances)
    per_row = 4 * K * (D + 1) * (D + 2) / 2
    N = int(np.clip(OPERATIONS / per_row, 1000, 200_000))
    X = mixture.sample(N, rng)[0].astype(dtype)
    result: dict[str, object] = {"N": N, "D": D, "K": K, "dtype": dtype}
    result["product"] = product_rate(dtype)
    result["chosen"] = "components" if layouts.one_by_one(D, K) else "pairs"
    if kernels.passes(np.dtype(dtype)) is None:
        raise SystemExit("Numba is missing: pip install numba")
    for name, (compiled, by_component) in FORMS.items():
        with (
            patch.object(kernels, "WANTED", compiled),
            patch.object(forms, "one_by_one", return_value=by_component),
        ):
            result[name], result[f"{name}_log_likelihood"] = rate_of(mixture, X, N * per_row)
    return result


def table(path: Path) -> str:
    """Return a result file as Markdown."""
    found = json.loads(path.read_text())
    lines = [f"| d | K | type | {' | '.join(FORMS)} | matrix product | log-likelihoods apart |"]
    lines.append("| --- " * (5 + len(FORMS)) + "|")
    for r in found["results"]:
        apart = np.ptp([r[f"{name}_log_likelihood"] for name in FORMS])
        rates = {name: f"{r[name] / 1e9:.1f}" for name in [*FORMS, "product"]}
        rates[r["chosen"]] = f"**{rates[r['chosen']]}**"
        cells = [str(r["D"]), str(r["K"]), r["dtype"], *rates.values(), f"{apart:.0e}"]
        lines.append(f"| {' | '.join(cells)} |")
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    note = (
        f"10⁹ operations per second in one thread; what is chosen is bold. {versions}; load "
        f"{found['load']:.1f} at the end."
    )
    return "\n".join([*lines, "", note, ""])


def main() -> None:
    """Run from the command line."""
    import biglearn

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    results = [measure(D, K, dtype) for dtype in TYPES for D in SIZES for K in COMPONENTS]
    import numba

    versions = {
        "biglearn": biglearn.__version__,
        "numpy": np.__version__,
        "numba": numba.__version__,
        "python": platform.python_version(),
    }
    found = {"versions": versions, "load": os.getloadavg()[0], "seed": 0, "threads": 1}
    options.output.write_text(json.dumps(found | {"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
