"""Alarms: as frequent as promised."""

import numpy as np
import pytest

from biglearn import BigLearnAnomalyDetector


def test_alarms_on_new_rows_are_as_frequent_as_promised(rng):
    # 40 parameters per 120 rows: from the fitted rows' own densities they would not be.
    X, new = rng.normal(size=(120, 8)), rng.normal(size=(20_000, 8))
    detector = BigLearnAnomalyDetector(alarm_rate=0.1, random_state=0).fit(X)
    alarms = (detector.predict(new) == -1).mean()
    own = np.quantile(detector.score_samples(X), 0.1)
    naive = (detector.score_samples(new) < own).mean()
    error = np.sqrt(0.1 * 0.9 / 120)  # of a quantile of 120 rows
    assert abs(alarms - 0.1) < 3 * error
    assert naive > alarms + 0.02
    p = detector.p_values(new)
    assert abs((p <= 0.2).mean() - 0.2) < 3 * np.sqrt(0.2 * 0.8 / 120)
    new[0, :4] = np.nan
    assert np.isfinite(detector.decision_function(new[:1])).all()


def test_bad_rates_are_refused(rng):
    with pytest.raises(ValueError, match=r"alarm_rate must be at most 0\.5, got 0\.7"):
        BigLearnAnomalyDetector(alarm_rate=0.7).fit(rng.normal(size=(20, 2)))


def test_fitted_rows_are_judged_without_themselves(rng):
    X = np.vstack([rng.normal(size=(300, 2)), [[9.0, 9.0]]])
    detector = BigLearnAnomalyDetector(2, alarm_rate=0.02, random_state=0)
    scores = detector.fit(X).fitted_scores_
    assert scores.shape == (301,)
    assert scores.argmin() == 300  # though a component of its own may make it the densest
    assert scores[-1] < detector.score_samples(X)[-1] - 1
    assert np.mean(scores < detector.offset_) < 0.06
