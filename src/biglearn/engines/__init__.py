"""Engines: one pass over the rows, view and parameters in, moments out."""

from biglearn.engines.base import Engine
from biglearn.engines.memory import MemoryEngine

__all__ = ["Engine", "MemoryEngine"]
