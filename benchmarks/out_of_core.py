"""Rows that do not fit in memory: time per row and pass, and peak memory, by number of rows.

    python -m benchmarks.out_of_core --rows 1000000 3000000 10000000 --output out-of-core.json

Writes a file for every number of rows, fits it by a few passes of EM with every engine, each
in a process of its own, and records seconds per pass and the highest resident memory.  The file
of 100 million rows x 8 features takes 6.4 GB of disk.  Engines that hold the rows in memory are
left out where a file is larger than --in-memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from biglearn import Mixture

#: Rows that are drawn and written at a time.
BLOCK = 1 << 18

#: Rows of a chunk of dask's, where there are many: 64 MiB at 8 features.
CHUNK = 1 << 20

#: Engines by name: whether they hold all rows in memory, and the package they need.
#: The last two are Dask on one and two worker processes of a thread each, whose memory
#: is not seen here.
ENGINES = {
    "memory": (True, None),
    "chunked": (False, None),
    "torch": (True, "torch"),
    "dask": (False, "dask"),
    "dask-1": (False, "distributed"),
    "dask-2": (False, "distributed"),
}


def truth(n_components: int, n_features: int) -> Mixture:
    """Return the mixture that the rows are drawn from."""
    from biglearn import Mixture

    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(n_components, 10.0))
    means = 3.0 * rng.normal(size=(n_components, n_features))
    factors = rng.normal(size=(n_components, n_features, n_features)) / np.sqrt(n_features)
    covariances = factors @ np.swapaxes(factors, 1, 2) + 0.3 * np.eye(n_features)
    return Mixture(weights, means, covariances)


def write(path: Path, n_rows: int, n_components: int, n_features: int) -> None:
    """Draw rows and write them as npy, block by block."""
    mixture, rng = truth(n_components, n_features), np.random.default_rng(1)
    header = {"descr": "<f8", "fortran_order": False, "shape": (n_rows, n_features)}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, n_rows, BLOCK):
            rows = mixture.sample(min(BLOCK, n_rows - start), rng)[0]
            stream.write(np.ascontiguousarray(rows).data)


def peak_memory() -> int:
    """Return the highest resident memory of this process so far, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("peak memory is read from /proc, which this system has not")


def rows_for(engine: str, path: Path) -> Any:
    """Return what the engine takes of the file."""
    if not engine.startswith("dask"):
        return path
    import dask.array

    shape = np.load(path, mmap_mode="r").shape
    rows = dask.array.zeros(shape, chunks=(min(CHUNK, -(-shape[0] // 8)), -1))
    return rows.map_blocks(_read, path, dtype=np.float64)


def _read(block: NDArray[Any], path: Path, block_info: Any = None) -> NDArray[np.float64]:
    """Return the rows of a block, read where it is computed."""
    start, stop = block_info[0]["array-location"][0]
    return np.array(np.load(path, mmap_mode="r")[start:stop])


def fit(options: argparse.Namespace) -> dict[str, object]:
    """Fit in this process, and say what it took."""
    from biglearn import BigLearnGaussianMixture

    name, _, workers = options.fit.partition("-")
    if workers:
        from distributed import Client, LocalCluster

        cluster = LocalCluster(n_workers=int(workers), threads_per_worker=1, dashboard_address=None)
        Client(cluster)  # the engine finds it
    before = peak_memory()
    model = BigLearnGaussianMixture(
        options.components,
        method="em",
        engine=name,
        prior=None,
        resolution=None,
        tol=0.0,
        max_iter=options.passes,
        n_threads=options.threads,
        random_state=0,
    )
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few passes do not converge
        model.fit(rows_for(options.fit, options.file))
    seconds = time.perf_counter() - began
    steps = [record.seconds for record in model.history_ if record.move == "em"]
    n_rows = model.n_samples_seen_
    per_pass = float(np.median(np.diff(steps)))
    return {
        "engine": options.fit,
        "n_rows": n_rows,
        "seconds": seconds,
        "seconds_per_pass": per_pass,
        "ns_per_row_and_pass": 1e9 * per_pass / n_rows,
        "peak_mib": peak_memory() / 2**20,
        "peak_mib_before": before / 2**20,
        "file_mib": options.file.stat().st_size / 2**20,
        "log_likelihood": model.lower_bound_,
    }


def measured(options: argparse.Namespace, engine: str, path: Path) -> dict[str, object]:
    """Fit in a process of its own."""
    command = [sys.executable, __file__, "--fit", engine, "--file", str(path)]
    for name in ("components", "passes", "threads"):
        command += [f"--{name}", str(getattr(options, name))]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(options.threads))
    done = subprocess.run(
        command, env=os.environ | threads, check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, object] = json.loads(done.stdout)
    return result


def run(options: argparse.Namespace) -> dict[str, object]:
    """Measure every engine at every number of rows."""
    import biglearn

    results = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for n_rows in sorted(options.rows):
            path = Path(folder) / f"{n_rows}.npy"
            write(path, n_rows, options.components, options.features)
            for engine in options.engines:
                holds, package = ENGINES[engine]
                if package and importlib.util.find_spec(package) is None:
                    continue
                if holds and path.stat().st_size > options.in_memory * 2**20:
                    continue
                result = measured(options, engine, path)
                results.append(result)
                print(
                    f"{engine:8} {n_rows:>11} rows: {result['seconds_per_pass']:8.3f} s per pass, "
                    f"{result['ns_per_row_and_pass']:6.1f} ns per row, "
                    f"{result['peak_mib']:7.0f} MiB at most",
                    file=sys.stderr,
                )
            path.unlink()
    return {
        "versions": {
            "biglearn": biglearn.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "threads": options.threads,
        "n_features": options.features,
        "n_components": options.components,
        "results": results,
    }


def table(path: Path) -> str:
    """Return a result file as Markdown."""
    result = json.loads(path.read_text())
    rates = {(r["engine"], r["n_rows"]): r["ns_per_row_and_pass"] for r in result["results"]}
    lines = [
        "| engine | rows | seconds per pass | ns per row | of memory's | peak MiB | file MiB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in result["results"]:
        own = rates.get(("memory", r["n_rows"]))
        ratio = "–" if own is None else f"{r['ns_per_row_and_pass'] / own:.2f}"
        lines.append(
            f"| {r['engine']} | {r['n_rows']} | {r['seconds_per_pass']:.2f} | "
            f"{r['ns_per_row_and_pass']:.0f} | {ratio} | "
            f"{r['peak_mib']:.0f} | {r['file_mib']:.0f} |"
        )
    note = (
        f"EM over float64 rows of {result['n_features']} features with K = "
        f"{result['n_components']}, {result['threads']} threads on {result['machine']['cores']} "
        f"processors; load {result['machine']['load']:.1f} at the end."
    )
    return "\n".join([*lines, "", note, ""])


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--components", type=int, default=20)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES)[:4])
    parser.add_argument("--in-memory", type=int, default=1024, help="MiB of rows in memory")
    parser.add_argument("--folder", type=Path, help="where the files are written")
    parser.add_argument("--output", type=Path, help="JSON file; otherwise on stdout")
    parser.add_argument("--fit", choices=list(ENGINES), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    result = run(options) if options.fit is None else fit(options)
    text = json.dumps(result, indent=2)
    if options.output is None:
        print(text)
    else:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
