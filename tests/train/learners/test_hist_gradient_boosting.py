from drivetrain.testing.learners import LearnerContract
from drivetrain.train.learners.hist_gradient_boosting import HistGradientBoosting


class TestHistGradientBoosting(LearnerContract):
    def make(self):
        return HistGradientBoosting()
