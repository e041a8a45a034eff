"""Moves: each changes the run's mixture, behind one signature."""

from biglearn.moves.ascent import Ascent
from biglearn.moves.matching import Matching
from biglearn.moves.restart import Jump, Restart

__all__ = ["Ascent", "Jump", "Matching", "Restart"]
