"""What is learned of a release's speed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivetrain.serve.pace import Pace
from drivetrain.store.code_models import MOST_ROWS

DEADLINE = 1.0


def called(pace: Pace, a_call: float, a_row: float, calls: int) -> list[int]:
    """The rows of so many calls, each as large as the pace allows, of a model that takes so long."""
    sizes = []
    for _ in range(calls):
        sizes.append(pace.most_rows)
        pace.learn_call(pace.most_rows, a_call + a_row * pace.most_rows, lost=False)
    return sizes


def test_a_queue_is_late_when_its_rows_take_longer_than_the_deadline():
    pace = Pace(DEADLINE, 0)
    assert not pace.is_late(10**6), "nothing is known yet"
    for _ in range(200):
        pace.learn(10, 0.1)
    assert not pace.is_late(98)
    assert pace.is_late(100)


def test_behind_nobody_nothing_is_late_so_that_a_turn_that_stood_still_is_forgotten():
    pace = Pace(DEADLINE, 0)
    pace.learn(1, 3600)
    assert pace.is_late(1)
    assert not pace.is_late(0)


def test_processes_share_a_queue():
    alone, four = Pace(DEADLINE, 1), Pace(DEADLINE, 4)
    for pace in (alone, four):
        called(pace, 0.0, 0.01, 20)
    assert alone.is_late(110)
    assert not four.is_late(390)
    assert four.is_late(410)


def test_calls_grow_until_one_takes_half_of_the_deadline():
    sizes = called(Pace(DEADLINE, 1), a_call=0.001, a_row=0.01, calls=30)
    assert sizes[:5] == [2, 4, 8, 16, 32]
    assert all(25 <= size <= 100 for size in sizes[6:])


def test_calls_that_take_long_however_few_their_rows_are_grow_all_the_same():
    assert called(Pace(DEADLINE, 1), a_call=0.8, a_row=0.0001, calls=12)[-1] == MOST_ROWS


def test_rows_that_take_longer_than_the_deadline_go_alone():
    assert set(called(Pace(DEADLINE, 1), a_call=0.0, a_row=3.0, calls=10)[3:]) <= {1, 2}


def test_a_call_that_lost_its_process_is_halved_and_says_nothing_of_the_speed():
    pace = Pace(DEADLINE, 1)
    called(pace, 0.0, 0.0001, 12)
    pace.learn_call(300, 60.0, lost=True)
    assert pace.most_rows == 150
    assert not pace.is_late(1000)


@given(st.lists(st.tuples(st.integers(1, MOST_ROWS), st.floats(1e-6, 100), st.booleans()), max_size=50))
def test_there_is_always_room_for_a_row_in_a_call_and_never_for_too_many(calls):
    pace = Pace(DEADLINE, 2)
    for rows, seconds, lost in calls:
        pace.learn_call(rows, seconds, lost=lost)
        assert 1 <= pace.most_rows <= MOST_ROWS


def test_a_model_that_was_slow_for_a_while_is_asked_for_more_again():
    pace = Pace(DEADLINE, 1)
    called(pace, 0.0, 0.5, 10)
    assert pace.is_late(5)
    called(pace, 0.0, 0.0001, 12)
    assert pace.most_rows == MOST_ROWS
    assert not pace.is_late(100)


def test_rows_that_became_slow_are_noticed_however_few_they_are():
    pace = Pace(DEADLINE, 1)
    called(pace, 0.0, 0.0001, 12)
    for _ in range(5):
        pace.learn_call(3, 0.3, lost=False)
    assert pace.is_late(20)
