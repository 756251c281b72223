from drivetrain.testing.learners import LearnerContract
from drivetrain.train.learners.linear import Linear


class TestLinear(LearnerContract):
    def make(self):
        return Linear()
