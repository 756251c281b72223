"""Trying again what may pass."""

import pytest

from drivetrain.connect.retrying import retrying
from drivetrain.core.errors import InvalidInput, Transient


class Flaky:
    """Fails so many times."""

    def __init__(self, times, seconds=0.001):
        self.left, self.asked, self.seconds = times, 0, seconds

    def __call__(self):
        self.asked += 1
        if self.asked <= self.left:
            error = Transient("source_down", "not now")
            error.seconds = self.seconds
            raise error
        return "rows"


def test_what_passes_is_tried_again():
    flaky = Flaky(3)
    assert retrying(flaky) == "rows"
    assert flaky.asked == 4


def test_the_deadline_ends_it_with_the_last_error():
    with pytest.raises(Transient, match="not now"):
        retrying(Flaky(10**9), deadline_seconds=0.05)
    waits_too_long = Flaky(1, seconds=100.0)
    with pytest.raises(Transient):
        retrying(waits_too_long, deadline_seconds=1)
    assert waits_too_long.asked == 1


def test_what_is_final_is_not_tried_again():
    def wrong():
        raise InvalidInput("table_unknown", "no such table")

    with pytest.raises(InvalidInput):
        retrying(wrong)
