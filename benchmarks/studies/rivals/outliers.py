"""Detectors of pyod in an environment of their own: ``outliers.py FOLDER``.

The folder holds ``rows.npy`` and ``detector``, a key of `SCORES`; the answer is ``scores.npy``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

#: Classes of pyod with their defaults, by name.
SCORES = {
    "gmm": ("gmm", "GMM"),
    "knn": ("knn", "KNN"),
    "iforest": ("iforest", "IForest"),
    "ecod": ("ecod", "ECOD"),
}


def main(folder: Path) -> None:
    """Fit one detector to the rows of a folder, and leave its scores there."""
    from importlib import import_module

    module, name = SCORES[(folder / "detector").read_text()]
    kind = getattr(import_module(f"pyod.models.{module}"), name)
    rows = np.load(folder / "rows.npy")
    spread = np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1.0)
    settings = {"random_state": 0} if name in ("GMM", "IForest") else {}
    model = kind(**settings).fit((rows - rows.mean(axis=0)) / spread)
    np.save(folder / "scores.npy", model.decision_scores_)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
