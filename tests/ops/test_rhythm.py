"""What loads let expect of the next one, and how often that is wrong."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.rhythm import ENOUGH, Moment, band, due, expected_rows

MONDAY = datetime(2026, 1, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)
positive = st.floats(1e-3, 1e9)


def daily(rows, start=MONDAY, step=DAY):
    return [Moment(start + number * step, count) for number, count in enumerate(rows)]


@given(st.lists(positive, min_size=ENOUGH, max_size=64), st.floats(1.1, 4))
def test_the_band_holds_the_middle_and_is_as_wide_as_the_slack_at_least(values, slack):
    found = band(values, (), slack)
    assert found.low <= found.high
    middle = math.sqrt(sorted(values)[(len(values) - 1) // 2] * sorted(values)[len(values) // 2])
    assert found.low <= middle * 1.000001
    assert found.high / found.low >= slack**2 * 0.999999


@given(st.lists(positive, min_size=ENOUGH, max_size=64), st.floats(1e-3, 1e3))
def test_other_units_give_the_same_band_in_them(values, factor):
    one, other = (
        band(values, values[:2], 2.0),
        band([v * factor for v in values], [v * factor for v in values[:2]], 2.0),
    )
    assert (other.low, other.high) == pytest.approx((one.low * factor, one.high * factor))


@given(st.lists(st.floats(90, 110), min_size=ENOUGH, max_size=40), st.floats(1e3, 1e9), st.integers(0, 5))
def test_one_odd_value_moves_nothing_far(values, odd, place):
    spoiled = [*values[:place], odd, *values[place:]]
    found = band(spoiled, (), 2.0)
    assert not found.holds(1e3)
    assert all(found.holds(value) for value in values)


@given(st.lists(positive, max_size=ENOUGH - 1))
def test_too_few_say_nothing(values):
    assert band(values, values, 2.0) is None


@given(st.lists(positive, min_size=ENOUGH, max_size=40), st.data())
def test_fewer_of_the_same_circumstances_widen_more_of_them_decide(values, data):
    few = data.draw(st.lists(st.sampled_from(values), max_size=3))
    found, plain = band(values, few, 2.0), band(values, (), 2.0)
    assert all(found.holds(value) for value in few)
    assert found.low <= plain.low
    assert found.high >= plain.high
    alone = band([*values, 5.0, 1e6, 1e-3], [100.0] * 6, 2.0)
    assert (alone.low, alone.high) == pytest.approx((50, 200))


def test_a_new_level_is_usual_after_three_loads():
    rows = [1000, 1010, 990, 1005] * 4
    for more in (0, 1, 2):
        assert not expected_rows(daily([*rows, *[5000] * more]), MONDAY).holds(5000)
    assert expected_rows(daily([*rows, 5000, 5100, 4900]), MONDAY).holds(5000)


def test_weekends_are_expected_to_be_small_once_one_was_seen():
    weeks = [1000, 1010, 990, 1005, 1000, 100, 90] * 3
    loads = daily(weeks)
    saturday, monday = MONDAY + 26 * DAY, MONDAY + 21 * DAY
    assert expected_rows(loads[:13], MONDAY + 12 * DAY).holds(100)
    assert expected_rows(daily(weeks * 2), saturday + 21 * DAY).holds(100)
    assert not expected_rows(daily(weeks * 2), monday + 21 * DAY).holds(100)


def test_weekdays_do_not_matter_to_what_comes_every_hour():
    loads = daily([1000] * 40, step=timedelta(hours=1))
    assert not expected_rows(loads, MONDAY + timedelta(days=5)).holds(100)


def test_the_next_load_of_working_days_is_due_after_the_weekend():
    days = [number for number in range(21) if number % 7 < 5]
    loads = [Moment(MONDAY + number * DAY, 10) for number in days]
    assert due(loads[:-1]) == pytest.approx(loads[-2].at + 1.5 * DAY, abs=timedelta(minutes=1))
    assert due(loads) > MONDAY + 21 * DAY
    assert due(loads) < MONDAY + 23 * DAY


def test_a_stream_may_pause_for_a_quarter_of_an_hour():
    loads = daily([10] * 20, step=timedelta(seconds=5))
    assert due(loads) == loads[-1].at + timedelta(minutes=15)
    assert due(loads[:3]) is None
    assert due([]) is None


@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0])
def test_loads_that_go_on_as_before_are_rarely_alarms(spread):
    chance, wrong = random.Random(1), 0
    for _ in range(2000):
        loads = daily([max(1, round(chance.lognormvariate(8, spread))) for _ in range(chance.randint(ENOUGH, 40))])
        next_rows = max(1, round(chance.lognormvariate(8, spread)))
        wrong += not expected_rows(loads, loads[-1].at + DAY).holds(next_rows)
    assert wrong / 2000 < 0.005
