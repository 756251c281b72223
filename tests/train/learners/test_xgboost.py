from drivetrain.testing.learners import LearnerContract
from drivetrain.train.learners.xgboost import XGBoost


class TestXGBoost(LearnerContract):
    def make(self):
        return XGBoost()
