"""However a source grows, and however its rows are cut into tables: no row is lost and none comes twice."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput
from drivetrain.ingest.moments import time_of
from drivetrain.ingest.seen_rows import MOST_SEEN, Grown, Growth, Newest, Since, Whole

START = datetime(2026, 1, 1, tzinfo=UTC)
LOOK_BACK = 5
steps = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab")), max_size=8)
"""The rows of one load: each so many half seconds before or after the latest, and a word: equal rows are frequent."""


COLUMNS = pa.schema([("at", pa.string()), ("word", pa.string())])


def table(rows):
    return pa.table({"at": [at for at, _ in rows], "word": [word for _, word in rows]}, COLUMNS)


def load(seen, rows, size=3):
    """The rows that ``seen`` takes for new, and the cursor behind them (none: nothing was new)."""
    parts = [seen.fresh(table(rows[start : start + size])) for start in range(0, len(rows), size)]
    position = seen.position()
    found = [(row["at"], row["word"]) for part in parts for row in part.to_pylist()]
    return found, position.cursor if position else None


def grown(loads, *, late):
    """The source at each load; rows appear up to ``late`` half seconds behind the latest."""
    latest, rows, at_loads = START, [], []
    for step in loads:
        for half_seconds, word in step:
            at = max(START, latest + timedelta(seconds=(half_seconds - late) / 2))
            rows.append((at.isoformat(), word))
        latest = max([latest, *(datetime.fromisoformat(at) for at, _ in rows)])
        at_loads.append(list(rows))
    return at_loads


@given(st.lists(steps, max_size=5), st.booleans())
def test_rows_since_a_moment_come_once_each(loads, service_filters):
    cursor, every = "", []
    for rows in grown(loads, late=2 * LOOK_BACK):
        growth = Growth("at", "iso", LOOK_BACK)
        given_rows = [row for row in rows if not cursor or row[0] >= asked(cursor)] if service_filters else rows
        found, after = load(Since(growth, cursor, "x", keyed=False), given_rows)
        every, cursor = every + found, after or cursor
        assert Counter(every) == Counter(rows)
        assert load(Since(growth, cursor, "x", keyed=False), rows) == ([], None)


def asked(cursor):
    return time_of((read_json(cursor, Newest).moment - LOOK_BACK) // 1).isoformat()


@given(st.lists(steps, max_size=5))
def test_rows_at_the_end_come_once_each(loads):
    cursor, every = "", []
    for rows in grown(loads, late=0):
        found, after = load(Grown(cursor, "x"), rows)
        every, cursor = every + found, after or cursor
        assert every == rows
        assert load(Grown(cursor, "x"), rows, size=2) == ([], None)


@given(steps, steps)
def test_a_whole_source_is_new_when_it_is_not_what_it_was(first, second):
    (before,), (now,) = grown([first], late=0), grown([second], late=0)
    _, cursor = load(Whole("", "x"), before)
    if cursor and now:
        found, after = load(Whole(cursor, "x"), now, size=2)
        assert found == now
        assert (after is None) == (now == before)


def test_too_many_rows_at_one_moment_are_an_error_without_a_key():
    rows = [(START.isoformat(), str(number)) for number in range(MOST_SEEN + 1)]
    with pytest.raises(InvalidInput, match="too many to remember") as caught:
        load(Since(Growth("at"), "", "x", keyed=False), rows, size=1000)
    assert caught.value.code == "look_back_too_wide"
    _, cursor = load(Since(Growth("at"), "", "x", keyed=True), rows, size=1000)
    assert len(cursor) < 200
    assert len(load(Since(Growth("at"), cursor, "x", keyed=True), rows)[0]) == len(rows), "they may come again"


def test_a_moment_ahead_of_the_clock_hides_no_later_row():
    first, ahead, later = [(f"{year}-01-01T00:00:00Z", "a") for year in (2026, 2999, 2998)]
    _, cursor = load(Since(Growth("at"), "", "x", keyed=False), [first, ahead])
    assert load(Since(Growth("at"), cursor, "x", keyed=False), [first, ahead, later])[0] == [later]
