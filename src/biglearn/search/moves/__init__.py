"""Moves: each changes the run's components, behind one signature."""

from biglearn.search.climbing.ascent import Ascent
from biglearn.search.moves.matching import Matching
from biglearn.search.moves.restart import Jump, Restart, Tournament
from biglearn.search.moves.split_merge import SplitMerge
from biglearn.search.moves.subspace import SubspaceStart

__all__ = ["Ascent", "Jump", "Matching", "Restart", "SplitMerge", "SubspaceStart", "Tournament"]
