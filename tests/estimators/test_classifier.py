"""Classification by a mixture per class."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import parametrize_with_checks

from biglearn import BigLearnClassifier, GaussianMixture
from biglearn.estimators.by_class import STRENGTHS
from helpers import with_gaps


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks warn on their own account
@parametrize_with_checks([BigLearnClassifier(method="em")])
def test_scikit_learns_contract(estimator, check):
    check(estimator)


@pytest.fixture
def labelled(rng):
    """Return rows of three classes, one of them in two clusters, and their classes."""
    centres = np.array([[-4.0, 0.0], [4.0, 0.0], [0.0, 0.0], [0.0, 4.0]])
    X = np.repeat(centres, 60, axis=0) + rng.normal(size=(240, 2)) * [1.0, 0.7]
    return X, np.repeat(["sides", "sides", "middle", "top"], 60)


def gaussian_posteriors(X, y, new):
    """Return the posteriors of quadratic discriminant analysis with likeliest covariances."""
    joint = []
    for label in np.unique(y):
        own = X[y == label]
        density = multivariate_normal(own.mean(axis=0), np.cov(own.T, bias=True))
        joint.append(len(own) / len(y) * density.pdf(new))
    return np.transpose(joint) / np.sum(joint, axis=0)[..., None]


LIKELIEST = {"prior": None, "mixture_params": {"resolution": None}}


def test_without_a_prior_one_component_is_quadratic_discriminant_analysis(labelled):
    X, y = labelled
    model = BigLearnClassifier(random_state=0, **LIKELIEST).fit(X, y)
    expected = gaussian_posteriors(X, y, X)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-8)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(expected), rtol=1e-6, atol=1e-8)
    assert np.isnan(model.prior_rows_)
    np.testing.assert_array_equal(model.predict(X), model.classes_[expected.argmax(axis=1)])


def test_the_leave_one_out_loss_is_that_of_refits(labelled):
    X, y = labelled[0][::6], labelled[1][::6]
    losses = []
    for n in range(len(X)):
        rest = np.arange(len(X)) != n
        densities = []
        for label in np.unique(y):  # priors are those of all rows
            own = X[rest & (y == label)]
            density = multivariate_normal(own.mean(axis=0), np.cov(own.T, bias=True))
            densities.append((y == label).mean() * density.pdf(X[n]))
        losses.append(-np.log(densities[np.unique(y).tolist().index(y[n])] / np.sum(densities)))
    model = BigLearnClassifier(random_state=0, **LIKELIEST).fit(X, y)
    assert model.loo_log_loss_ == pytest.approx(np.mean(losses), rel=1e-4)


def test_pseudo_rows_are_rows_of_the_pooled_covariance(labelled):
    X, y = labelled
    model = BigLearnClassifier(random_state=0, mixture_params={"resolution": None}).fit(X, y)
    groups = [X[y == label] for label in model.classes_]
    within = [np.cov(own.T, bias=True) for own in groups]
    pooled = np.average(within, axis=0, weights=[len(own) for own in groups])
    c = model.prior_rows_
    assert c / 3 in STRENGTHS
    for own, sample, mixture in zip(groups, within, model.mixtures_, strict=True):
        expected = (len(own) * sample + c * pooled) / (len(own) + c)
        np.testing.assert_allclose(mixture.covariances_[0], expected, rtol=1e-6, atol=1e-9)


def test_few_rows_of_classes_alike_share_their_covariance(rng):
    X = rng.normal(size=(60, 6)) + np.repeat(np.eye(3, 6), 20, axis=0)
    y, new = np.repeat([0, 1, 2], 20), rng.normal(size=(600, 6)) + np.repeat(np.eye(3, 6), 200, 0)
    true = np.repeat([0, 1, 2], 200)
    ours = BigLearnClassifier(random_state=0).fit(X, y).predict_proba(new)
    plain = gaussian_posteriors(X, y, new)
    lda = LinearDiscriminantAnalysis().fit(X, y).predict_proba(new)
    assert log_loss(true, ours) < log_loss(true, plain) - 0.3
    assert log_loss(true, ours) < log_loss(true, lda) + 0.05


def test_the_number_of_components_is_chosen_by_class(labelled, rng):
    X, y = labelled
    model = BigLearnClassifier("auto", random_state=0).fit(X, y)
    sizes = dict(
        zip(model.classes_, [m.mixture_.n_components for m in model.mixtures_], strict=True)
    )
    assert sizes == {"middle": 1, "sides": 2, "top": 1}
    assert model.loo_log_loss_ < BigLearnClassifier(random_state=0).fit(X, y).loo_log_loss_
    by_class = {"middle": 1, "sides": 3, "top": 1}
    model = BigLearnClassifier(by_class, covariance_type=dict.fromkeys(by_class, "diag"))
    model.fit(X, y)
    assert model.mixtures_[1].covariances_.shape == (3, 2)


def test_a_weight_is_a_number_of_copies(labelled, rng):
    X, y = labelled
    copies = rng.integers(0, 3, size=len(X))
    weighted = BigLearnClassifier(random_state=0).fit(X, y, sample_weight=copies)
    repeated = BigLearnClassifier(random_state=0).fit(
        np.repeat(X, copies, axis=0), np.repeat(y, copies)
    )
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-6)
    assert weighted.loo_log_loss_ == pytest.approx(repeated.loo_log_loss_)


def test_rows_with_gaps_are_judged_by_what_they_show(labelled, rng):
    X, y = labelled
    model = BigLearnClassifier({"sides": 2, "middle": 1, "top": 1}, random_state=0)
    model.fit(with_gaps(rng, X), y)
    assert model.score(X, y) > 0.85
    blind = model.predict_proba([[np.nan, np.nan]])
    np.testing.assert_allclose(blind[0], model.priors_)
    half = model.predict_proba([[np.nan, 4.0]])
    joint = [
        prior * np.exp(one.mixture_.marginal([1]).log_density([[4.0]])[0])
        for prior, one in zip(model.priors_, model.mixtures_, strict=True)
    ]
    np.testing.assert_allclose(half[0], joint / np.sum(joint))


def test_rows_without_a_class_help(rng):
    y = np.repeat([0, 1], 300)
    X = rng.normal(size=(600, 4)) * [3.0, 1.0, 1.0, 1.0] + 3.0 * y[:, None] * [0, 1, 0, 1]
    given = np.full(600, -1)
    few = np.r_[rng.choice(300, 4, replace=False), 300 + rng.choice(300, 4, replace=False)]
    given[few] = y[few]
    alone = BigLearnClassifier(random_state=0).fit(X[few], y[few])
    model = BigLearnClassifier(unlabelled=-1, random_state=0).fit(X, given)
    assert model.classes_.tolist() == [0, 1]
    losses = [log_loss(y, one.predict_proba(X)) for one in (alone, model)]
    assert losses[1] < losses[0]
    assert model.score_samples(X).mean() > alone.score_samples(X).mean()
    np.testing.assert_allclose(model.priors_, 0.5, atol=0.03)
    kept = BigLearnClassifier(unlabelled=-1, priors=[0.3, 0.7], random_state=0).fit(X, given)
    np.testing.assert_allclose(kept.priors_, [0.3, 0.7])


def test_it_ends_where_em_of_labelled_rows_ends(rng):
    """With one component per class it is a mixture of which some rows have labels."""
    y = np.repeat([0, 1], 150)
    X = rng.normal(size=(300, 2)) + 3.0 * y[:, None]
    given = np.where(rng.random(300) < 0.3, y, -1)
    model = BigLearnClassifier(unlabelled=-1, random_state=0, **LIKELIEST).fit(X, given)
    whole = GaussianMixture(2, method="em", prior=None, resolution=None, random_state=0)
    whole.fit(X, labels=given)
    np.testing.assert_allclose(model.priors_, whole.weights_, atol=5e-3)
    means = np.concatenate([one.means_ for one in model.mixtures_])
    np.testing.assert_allclose(means, whole.means_, atol=2e-2)


def test_rows_in_doubt_or_far_away_are_rejected(labelled):
    X, y = labelled
    model = BigLearnClassifier({"sides": 2, "middle": 1, "top": 1}, random_state=0)
    model.set_params(reject=0.9, reject_density=0.02).fit(X, y)
    posteriors, densities = model.predict_proba(X), model.score_samples(X)
    found = model.predict(X)
    doubtful = posteriors.max(axis=1) < 0.9
    far = densities < model.density_threshold_
    np.testing.assert_array_equal(found == "rejected", doubtful | far)
    assert 0 < far.mean() < 0.04
    assert model.predict([[0.0, -40.0]]).tolist() == ["rejected"]
    assert model.set_params(reject_label="?").predict([[0.0, -40.0]]).tolist() == ["?"]
    numbers = BigLearnClassifier(reject=0.9, random_state=0).fit(X, (y == "top").astype(int))
    assert set(numbers.predict(X)) == {-1, 0, 1}


def test_what_two_classes_decide_by_is_the_log_odds(labelled):
    X, y = labelled
    model = BigLearnClassifier(random_state=0).fit(X, y == "top")
    odds = np.diff(model.predict_log_proba(X), axis=1).ravel()
    np.testing.assert_allclose(model.decision_function(X), odds, rtol=1e-6)


def test_what_is_wrong_is_said(labelled):
    X, y = labelled
    with pytest.raises(ValueError, match=r"n_components has no entry for class 'top'"):
        BigLearnClassifier({"sides": 2, "middle": 1}).fit(X, y)
    with pytest.raises(ValueError, match=r"priors must be 3 probabilities.*\[0.5, 0.5\]"):
        BigLearnClassifier(priors=[0.5, 0.5]).fit(X, y)
    with pytest.raises(ValueError, match=r"class 'middle': .*100"):
        BigLearnClassifier({"sides": 2, "middle": 100, "top": 1}).fit(X, y)
    with pytest.raises(ValueError, match=r"all rows are 'top'"):
        BigLearnClassifier(unlabelled="top").fit(X[-9:], y[-9:])
    with pytest.raises(ValueError, match=r"reject_density must be below 1, got 1.5"):
        BigLearnClassifier(reject_density=1.5).fit(X, y)
    model = BigLearnClassifier(reject=0.9, reject_label="top", random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"reject_label 'top' is one of the classes"):
        model.predict(X)


def test_text_and_a_number_for_rows_without_a_class(labelled):
    X, y = labelled
    given = y.astype(object)
    given[::5] = -1
    model = BigLearnClassifier(unlabelled=-1, random_state=0).fit(X, given)
    assert model.classes_.tolist() == ["middle", "sides", "top"]
    assert BigLearnClassifier(unlabelled=-1).fit(X, y).classes_.tolist() == model.classes_.tolist()
