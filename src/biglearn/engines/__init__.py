"""Engines: one pass over the rows, view and parameters in, moments out."""

from biglearn.engines.base import Engine, Header, Source, Wishes
from biglearn.engines.choose import open_source
from biglearn.engines.chunked.engine import Chunked
from biglearn.engines.memory.engine import MemoryEngine
from biglearn.engines.memory.over import Sample, over
from biglearn.engines.memory.source import ArraySource

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
