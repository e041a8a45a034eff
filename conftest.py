"""Doctests of modules whose optional package is missing are not collected."""

import importlib.util

collect_ignore_glob = [
    f"src/biglearn/engines/{package}/*.py"
    for package in ("torch", "dask")
    if importlib.util.find_spec(package) is None
]
