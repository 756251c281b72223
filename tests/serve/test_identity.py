"""Names for predictions."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.serve.identity import PredictionIds
from drivetrain.store.segments import ID_BYTES

MICROS = 1_764_000_000_000_000


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(-5_000, 5_000)), max_size=20))
def test_ids_are_unique_and_sorted_whatever_the_clock_does(takes: list[tuple[int, int]]) -> None:
    ids, made = PredictionIds(), []
    for count, moved in takes:
        made.extend(ids.take(count, MICROS + moved))
    assert all(before < after for before, after in pairwise(made))


def test_ids_of_two_processes_differ_and_fit_into_the_journal() -> None:
    first, second = PredictionIds().take(1, MICROS), PredictionIds().take(1, MICROS)
    assert first != second
    assert len(first[0]) <= ID_BYTES
    assert first[0].isalnum()


def test_ids_of_a_later_process_come_later() -> None:
    assert PredictionIds().take(1, MICROS) < PredictionIds().take(1, MICROS + 1000)
