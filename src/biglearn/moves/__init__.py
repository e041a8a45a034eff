"""Moves: each changes the run's mixture, behind one signature."""

from biglearn.moves.ascent import Ascent
from biglearn.moves.matching import Matching
from biglearn.moves.restart import Jump, Restart, Tournament
from biglearn.moves.split_merge import SplitMerge
from biglearn.moves.subspace import SubspaceStart

__all__ = ["Ascent", "Jump", "Matching", "Restart", "SplitMerge", "SubspaceStart", "Tournament"]
