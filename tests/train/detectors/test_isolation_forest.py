from drivetrain.testing.detectors import DetectorContract
from drivetrain.train.detectors.isolation_forest import IsolationForest


class TestIsolationForest(DetectorContract):
    def make(self):
        return IsolationForest()
