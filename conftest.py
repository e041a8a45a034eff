"""Doctests of modules whose optional package is missing are not collected."""

import importlib.util

collect_ignore = [
    f"src/biglearn/engines/{module}.py"
    for package, modules in {"torch": ["torch", "tensors", "device_rows"], "dask": ["dask"]}.items()
    if importlib.util.find_spec(package) is None
    for module in modules
]
