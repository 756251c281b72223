"""What can be packed is possible, and what cannot is found, wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.serve.possible import Possible
from drivetrain.testing.graphs import SIGNATURE, draw

AGE, INCOME, MEMBER, CITY, BORN, SEEN = range(6)
ROWS = draw(200)


def test_what_callers_send_is_possible() -> None:
    assert Possible(SIGNATURE).first_wrong(ROWS) is None
    assert Possible(SIGNATURE).first_wrong(ROWS[:0]) is None
    assert Possible(SIGNATURE).first_wrong(np.asfortranarray(ROWS)) is None


WRONG = [
    (AGE, np.nan), (AGE, 25.5), (AGE, 2.0**53 + 2), (AGE, -np.inf), (INCOME, np.inf), (INCOME, -np.inf),
    (MEMBER, 0.5), (MEMBER, 2.0), (MEMBER, -1.0), (CITY, 3.0), (CITY, -2.0), (CITY, 0.5), (BORN, np.inf),
    (SEEN, 1e12), (SEEN, -1e12),
]  # fmt: skip
RIGHT = [(AGE, 2.0**53), (INCOME, -1e308), (MEMBER, np.nan), (CITY, -1.0), (CITY, 2.0), (SEEN, 0.5), (BORN, -6e10)]


@pytest.mark.parametrize(("at", "value"), WRONG)
def test_what_stands_for_nothing_is_found(at: int, value: float) -> None:
    rows = ROWS.copy()
    rows[17, at] = value
    assert Possible(SIGNATURE).first_wrong(rows) == (17, at)


@pytest.mark.parametrize(("at", "value"), RIGHT)
def test_the_ends_of_what_is_possible_are_part_of_it(at: int, value: float) -> None:
    rows = ROWS.copy()
    rows[17, at] = value
    assert Possible(SIGNATURE).first_wrong(rows) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(WRONG)), min_size=1, max_size=5))
def test_it_is_the_first_row_that_is_told(wrong: list[tuple[int, tuple[int, float]]]) -> None:
    rows = ROWS[:10].copy()
    for row, (at, value) in wrong:
        rows[row, at] = value
    found = Possible(SIGNATURE).first_wrong(rows)
    assert found is not None
    assert found[0] == min(row for row, _ in wrong)


def test_a_model_of_numbers_alone() -> None:
    numbers = Signature(tuple(InputField(f"n{at}", ColumnType.NUMBER, at > 0) for at in range(3)), "id", "y")
    assert Possible(numbers).first_wrong(np.array([[0.5, np.nan, 1e300]])) is None
    assert Possible(numbers).first_wrong(np.array([[0.5, 1, 1], [np.nan, 1, np.inf]])) == (1, 0)
