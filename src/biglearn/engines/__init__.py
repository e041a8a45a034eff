"""Engines: one pass over the rows, view and parameters in, moments out."""

from biglearn.engines.base import (
    Engine,
    EngineBase,
    Header,
    RowOptions,
    SampleEngine,
    Source,
    SourceBase,
)
from biglearn.engines.choose import open_source
from biglearn.engines.chunked.engine import Chunked
from biglearn.engines.memory.choose import engine_over
from biglearn.engines.memory.engine import MemoryEngine
from biglearn.engines.memory.source import ArraySource

__all__ = [
    "ArraySource",
    "Chunked",
    "Engine",
    "EngineBase",
    "Header",
    "MemoryEngine",
    "RowOptions",
    "SampleEngine",
    "Source",
    "SourceBase",
    "engine_over",
    "open_source",
]
