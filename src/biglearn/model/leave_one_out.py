"""Leave-one-out densities in closed form: each row under the fit without it.

Row n is taken out of the sums of an M-step with its responsibilities r, and all other
responsibilities stay.  With n_k the component's rows, Σ_k = A_k / (n_k + c) its covariance
with c pseudo-rows, δ the row's squared distance and d the features that it shows,

    n' = n_k - r,   q = δ / (n_k + c),   b = r n_k / n',
    |A' | = |A_k| (1 - b q),   the new mean is δ-wise n_k / n' times as far away,

so that its density without itself follows from δ and r alone, without a refit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from biglearn._types import Array
from biglearn.model.densities import log_normaliser, normalise
from biglearn.model.mixture import Mixture
from biglearn.model.moments import DEAD_ROWS

#: Keeps quotients finite.
_LEAST = 1e-9


def loo_log_joint(
    log_joint: Array,
    constant: Array,
    counts: Array,
    pseudo_rows: float,
    total: float,
    *,
    seen: Array,
    weights: Array | None = None,
) -> Array:
    """Return the log of weight times density of every component without the row, (n, K).

    Parameters
    ----------
    log_joint : array of shape (n, K)
        log π_k N(x; μ_k, Σ_k) of the observed part of each row under the fit.
    constant : array of shape (n, K) or (K,)
        The same at distance 0.
    counts : array of shape (K,)
        Weight n_k of each component's rows.
    pseudo_rows : float
        c.
    total : float
        Weight of all rows.
    seen : array of shape (n,)
        Number of values that each row shows.
    weights : array of shape (n,), optional
        Of the rows; 1 if left out.
    """
    shares = log_joint.copy()
    normalise(shares.T)
    ours = np.ones(len(shares)) if weights is None else weights
    with np.errstate(invalid="ignore"):
        distances = np.maximum(np.nan_to_num(2 * (constant - log_joint), nan=0.0), 0.0)
    rows = np.maximum(counts, _LEAST)
    taken = np.minimum(shares * ours[:, None], rows * (1 - _LEAST))
    left = rows - taken
    q = distances / (rows + pseudo_rows)
    shrink = np.maximum(1 - taken * rows / left * q, _LEAST)
    spread = (left + pseudo_rows) / (rows + pseudo_rows)
    quadratic = (rows / left) ** 2 * (left + pseudo_rows) * q / shrink
    with np.errstate(divide="ignore"):
        change = np.log(left / np.maximum(total - ours, _LEAST)[:, None])
        change -= np.log(np.maximum(counts, 0.0) / total)
    change += 0.5 * (seen[:, None] * np.log(spread) - np.log(shrink) - quadratic + distances)
    empty = left < DEAD_ROWS  # without the row nothing is known of the component
    return np.asarray(np.where(np.isneginf(log_joint) | empty, -np.inf, log_joint + change))


class LeaveOneOut:
    """The density of each fitted row under the fit without it.

    Parameters
    ----------
    mixture : Mixture
        The fit, whose weights are n_k / N.
    total : float
        Weight of all rows.
    pseudo_rows : float
        Of the prior.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.model.leave_one_out import LeaveOneOut
    >>> X = np.array([[-1.0], [0.0], [1.0]])
    >>> fit = Mixture([1.0], [X.mean(axis=0)], [[[X.var()]]])
    >>> LeaveOneOut(fit, total=3.0).log_density(X).round(3)
    array([-4.726, -0.919, -4.726])
    """

    def __init__(self, mixture: Mixture, *, total: float, pseudo_rows: float = 0.0) -> None:
        self.mixture, self.total, self.pseudo_rows = mixture, total, pseudo_rows

    def log_density(self, X: ArrayLike, weights: Array | None = None) -> Array:
        """Return log p(x_n) without row n, shape (N,), for rows that were fitted."""
        rows = np.asarray(X, dtype=np.float64)
        log_joint = self.mixture.log_joint(rows)
        gaps = np.isnan(rows)
        constant: Array = log_normaliser(self.mixture)
        if gaps.any():  # the peak of the observed part: its density at the mean
            constant = np.empty_like(log_joint)
            for k in range(self.mixture.n_components):
                centre = np.where(gaps, np.nan, self.mixture.means[k])
                constant[:, k] = self.mixture.log_joint(centre)[:, k]
        without = loo_log_joint(
            log_joint,
            constant,
            self.mixture.weights * self.total,
            self.pseudo_rows,
            self.total,
            seen=(~gaps).sum(axis=1).astype(np.float64),
            weights=weights,
        )
        return np.asarray(normalise(without.T))
