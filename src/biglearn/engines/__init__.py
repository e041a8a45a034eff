"""Engines: one pass over the rows, view and parameters in, moments out."""

from biglearn.engines.arrays import ArraySource
from biglearn.engines.base import Engine, Header, Source, Wishes
from biglearn.engines.choose import open_source
from biglearn.engines.chunked import Chunked
from biglearn.engines.memory import MemoryEngine
from biglearn.engines.over import Sample, over

__all__ = [
    "ArraySource",
    "Chunked",
    "Engine",
    "Header",
    "MemoryEngine",
    "Sample",
    "Source",
    "Wishes",
    "open_source",
    "over",
]
