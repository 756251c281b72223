from drivetrain.testing.learners import LearnerContract
from drivetrain.train.learners.logistic import Logistic


class TestLogistic(LearnerContract):
    def make(self):
        return Logistic()
