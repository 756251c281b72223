"""How long a queue is in seconds, learned from turns and calls of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.serve.pace import Pace

TURN, ROW = 2e-4, 1e-5
"""What a turn costs, and a row in it: most models are so."""


def waits(pace: Pace) -> int:
    """How many rows may wait."""
    rows = 0
    while not pace.is_late(rows) and rows < 10**7:
        rows += max(1, rows // 50)
    return rows


@pytest.fixture
def pace() -> Pace:
    return Pace(1.0, 0)


def test_who_knows_nothing_refuses_nobody(pace: Pace) -> None:
    assert not pace.is_late(10**6)


def test_rows_that_come_one_by_one_do_not_make_many_of_them_look_slow(pace: Pace) -> None:
    pace.learn(512, TURN + 512 * ROW)
    for _ in range(1000):
        pace.learn(1, TURN + ROW)
    assert waits(pace) == pytest.approx(1 / ROW, rel=0.1)


@given(st.floats(1e-5, 1e-1), st.lists(st.integers(1, 600), min_size=60, max_size=80))
def test_a_model_whose_rows_cost_the_same_however_many_come_is_known(cost: float, turns: list[int]) -> None:
    pace = Pace(1.0, 0)
    for rows in turns:
        pace.learn(rows, rows * cost)
    assert waits(pace) == pytest.approx(1 / cost, rel=0.4, abs=3)


def test_several_processes_share_the_queue() -> None:
    alone, shared = Pace(1.0, 1), Pace(1.0, 4)
    for pace in (alone, shared):
        for _ in range(20):
            pace.learn_call(64, 0.064, lost=False)
    assert waits(shared) == pytest.approx(4 * waits(alone), rel=0.1)


def test_calls_grow_while_they_are_quick_and_shrink_when_they_are_not() -> None:
    pace, sizes = Pace(1.0, 1), []
    for _ in range(12):
        pace.learn_call(pace.most_rows, 0.01 * pace.most_rows, lost=False)
        sizes.append(pace.most_rows)
    assert sizes[:4] == [4, 8, 16, 32]
    assert max(0.01 * rows for rows in sizes) <= 1.0
    before = pace.most_rows
    pace.learn_call(before, 0.0, lost=True)
    assert pace.most_rows == before // 2
