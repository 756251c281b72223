from drivetrain.testing.detectors import DetectorContract
from drivetrain.train.detectors.distance import Distance


class TestDistance(DetectorContract):
    def make(self):
        return Distance()
