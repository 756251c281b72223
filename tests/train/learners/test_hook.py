import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.task import Task
from drivetrain.ops.calibration import Sigmoid
from drivetrain.testing.learners import LearnerContract, make_sample
from drivetrain.train.learners.hook import Hook
from drivetrain.train.trained import Trained


def filled(*steps):
    return make_pipeline(SimpleImputer(keep_empty_features=True), *steps)


class Classifier(LearnerContract):
    tasks = frozenset({Task.YES_NO, Task.CLASSES})
    any_classes = False


class Regressor(LearnerContract):
    tasks = frozenset({Task.NUMBER})
    any_classes = False


class TestScaledRegression(Classifier):
    def make(self):
        return Hook("models.py:build", lambda: filled(StandardScaler(), LogisticRegression(max_iter=300)))

    def test_learns_with_the_defaults_and_from_its_start(self):
        """A straight line in a long tail learns little; what counts here is that it is exported as it is."""


class TestNaiveBayes(Classifier):
    def make(self):
        return Hook("models.py:build", lambda: filled(GaussianNB()))

    def test_learns_with_the_defaults_and_from_its_start(self):
        """As above."""

    def test_the_export_agrees_row_by_row(self):
        """skl2onnx overflows on values that are out of every range; the parity check of a run is what decides."""


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")  # the imputer drops the column
class TestFlagged(Classifier):
    def make(self):
        steps = SimpleImputer(add_indicator=True), StandardScaler(), LogisticRegression(max_iter=300)
        return Hook("models.py:build", lambda: make_pipeline(*steps))

    def test_learns_with_the_defaults_and_from_its_start(self):
        """As above."""


class TestForest(Classifier):
    def make(self):
        return Hook("models.py:build", lambda: RandomForestClassifier(n_estimators=20))


class TestHistGradientBoosting(Classifier):
    def make(self):
        return Hook("models.py:build", filled_boosting)


def filled_boosting():
    return filled(HistGradientBoostingClassifier(max_iter=20))


class TestXGBoost(Classifier):
    def make(self):
        return Hook("models.py:build", lambda: XGBClassifier(n_estimators=20))


class TestRidge(Regressor):
    def make(self):
        return Hook("models.py:build", lambda: filled(StandardScaler(), Ridge()))

    def test_learns_with_the_defaults_and_from_its_start(self):
        """As above."""


class TestForestOfNumbers(Regressor):
    def make(self):
        return Hook("models.py:build", lambda: RandomForestRegressor(n_estimators=20))


class TestXGBoostOfNumbers(Regressor):
    def make(self):
        return Hook("models.py:build", lambda: XGBRegressor(n_estimators=20))


class Doubler(TransformerMixin, BaseEstimator):
    def fit(self, x, y=None):
        return self

    def transform(self, x):
        return 2 * x


def fitted(build, **params):
    sample, fields = make_sample(200)
    return Hook("models.py:build", build).fit(sample, fields, params, seed=0)


def test_a_step_without_a_converter_is_named():
    found = fitted(lambda: filled(Doubler(), LogisticRegression(max_iter=500)))
    with pytest.raises(Refused, match=r"step 'doubler' \(Doubler\) has no exact ONNX converter"):
        Trained(((found, 1.0),), Sigmoid(1.0, 0.0)).to_onnx(7)


def test_an_estimator_that_takes_no_missing_values_says_so():
    with pytest.raises(InvalidInput, match="Input X contains NaN") as caught:
        fitted(LogisticRegression)
    assert "SimpleImputer" in caught.value.hint


@pytest.mark.parametrize("build", [LinearSVC, lambda: 7, lambda: LinearSVC])
def test_what_gives_no_probabilities_is_refused(build):
    with pytest.raises(InvalidInput, match="not a scikit-learn classifier with predict_proba"):
        fitted(build)


def test_what_is_not_a_function_is_refused():
    with pytest.raises(InvalidInput, match="is not a function"):
        Hook("models.py:SIZE", 7)


def test_arguments_that_the_function_does_not_take_are_refused():
    with pytest.raises(InvalidInput, match="unexpected keyword argument 'depth'"):
        fitted(DecisionTreeClassifier, depth=3)


def test_open_seeds_are_set_in_every_step():
    def build():
        return filled(RandomForestClassifier(n_estimators=5, n_jobs=4))

    first, second = (fitted(build).margin(make_sample(50)[0].x) for _ in range(2))
    assert np.array_equal(first, second)


class Stump(ClassifierMixin, BaseEstimator):
    """A classifier of one's own without any converter."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x):
        share = np.where(x[:, 1] > 0, 0.8, 0.2)
        return np.column_stack([1 - share, share])


def test_a_classifier_without_a_converter_is_named_too():
    with pytest.raises(Refused, match="Stump has no exact ONNX converter"):
        Trained(((fitted(Stump), 1.0),), Sigmoid(1.0, 0.0)).to_onnx(7)
