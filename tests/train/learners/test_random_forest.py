from drivetrain.testing.learners import LearnerContract
from drivetrain.train.learners.random_forest import RandomForest


class TestRandomForest(LearnerContract):
    def make(self):
        return RandomForest()
