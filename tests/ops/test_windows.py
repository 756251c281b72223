"""Windows kept event by event say what DuckDB says of all events at once."""

from dataclasses import replace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import Column, ColumnType
from drivetrain.core.windows import Event, OnlineFeature, Step, Window, WindowPlan
from drivetrain.ops.windows import WindowState

MINUTE = 60_000_000
COLUMNS = (Column("card", ColumnType.TEXT), Column("amount", ColumnType.NUMBER), Column("bad", ColumnType.BOOLEAN))
SQL = {
    Window("count", ("card",), "", "", 10 * MINUTE, True): "count(*)",
    Window("count", ("card",), "amount", "bad", 10 * MINUTE, False): "count(amount) FILTER (WHERE bad)",
    Window("sum", ("card",), "amount", "", 5 * MINUTE, True): "sum(amount)",
    Window("avg", ("card",), "amount", "", 10 * MINUTE, False): "avg(amount)",
    Window("min", ("card",), "amount", "", 10 * MINUTE, True): "min(amount)",
    Window("max", ("card",), "amount", "", 3 * MINUTE, False): "max(amount)",
    Window("stddev", ("card",), "amount", "", 10 * MINUTE, True): "stddev(amount)",
    Window("distinct", ("bad",), "card", "", 10 * MINUTE, False): "count(DISTINCT card)",
    Window("distinct", ("card", "bad"), "amount", "", 10 * MINUTE, True): "count(DISTINCT amount)",
    Window("max", ("card",), "moment", "", 10 * MINUTE, False): "epoch(max(moment))",
}
PLAN = WindowPlan(
    "payments", "id", "moment", COLUMNS, tuple(SQL),
    tuple(
        OnlineFeature(f"f{at}", (Step("window", number=float(at)),), window.aggregate in ("sum", "avg", "stddev"))
        for at, window in enumerate(SQL)
    ),
    30 * MINUTE,
)  # fmt: skip

amounts = (
    st.none() | st.sampled_from([0.0, 0.1, 0.2, 0.3, 1e6]) | st.integers(-5000, 5000).map(lambda cents: cents / 100)
)
rows = st.lists(
    st.tuples(
        st.integers(0, 30).map(lambda halves: halves * MINUTE // 2),
        st.tuples(st.sampled_from(["a", "b", None]), amounts, st.none() | st.sampled_from([0.0, 1.0])),
    ),
    max_size=25,
)


def events(drawn):
    return [Event(f"e{number}", at, values) for number, (at, values) in enumerate(drawn)]


def offline(found):
    """What DuckDB says of each event."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE payments (id VARCHAR, moment TIMESTAMPTZ, card VARCHAR, amount DOUBLE, bad BOOLEAN)"
        )
        for event in found:
            card, amount, bad = event.values
            row = [event.name, event.at, card, amount, None if bad is None else bool(bad)]
            connection.execute("INSERT INTO payments VALUES (?, make_timestamptz(?), ?, ?, ?)", row)
        columns = []
        for window, call in SQL.items():
            frame = (
                f"(PARTITION BY {', '.join(window.key)} ORDER BY moment RANGE BETWEEN "
                f"INTERVAL {window.micros // MINUTE} MINUTES PRECEDING AND CURRENT ROW "
                f"EXCLUDE {'TIES' if window.itself else 'GROUP'})"
            )
            inner, outer = (call[6:-1], "epoch({})") if call.startswith("epoch") else (call, "{}")
            said = outer.format(f"{inner} OVER {frame}")
            columns.append(f"CAST(round({said}, 6) AS FLOAT)" if window.aggregate in ("sum", "avg", "stddev") else said)
        found = connection.execute(f"SELECT id, {', '.join(columns)} FROM payments").fetchall()
    return {name: list(values) for name, *values in found}


@settings(max_examples=60, deadline=None)
@given(rows)
def test_in_the_order_of_time_each_event_gets_what_duckdb_says(drawn):
    found = sorted(events(drawn), key=lambda event: event.at)
    said, state = offline(found), WindowState(PLAN)
    for event in found:
        assert state.add(event)
        assert state.features(event) == said[event.name]


@settings(max_examples=60, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_in_whatever_order_events_come_once_they_are_there_the_windows_are_the_same(drawn, random):
    found = events(drawn)
    said, state = offline(found), WindowState(PLAN)
    random.shuffle(found)
    for event in found:
        assert state.add(event)
    assert [state.features(event) for event in found] == [said[event.name] for event in found]


@settings(max_examples=30, deadline=None)
@given(rows)
def test_an_event_that_comes_again_counts_once(drawn):
    found, state = events(drawn), WindowState(PLAN)
    assert [state.add(event) for event in (*found, *found)] == [True] * len(found) + [False] * len(found)
    assert len(state) == len(found)


def test_what_no_window_reaches_is_forgotten():
    state = WindowState(PLAN)
    for number in range(50_000):
        state.add(Event(str(number), number * MINUTE, (f"c{number % 7}", 1.0, 0.0)))
    assert len(state) < 4 * 40  # 10 minutes and 30 of patience, twice that until they are let go of
    for number in range(20_000):
        state.add(Event(f"new{number}", (50_000 + number) * MINUTE, (f"once{number}", 1.0, 0.0)))
    assert len(state) < 12_000  # keys that nobody uses any more go too, now and then


def test_who_comes_too_late_is_told():
    state = WindowState(PLAN)
    state.add(Event("now", 100 * MINUTE, ("a", 1.0, 0.0)))
    state.check(Event("late", 70 * MINUTE, ("a", 1.0, 0.0)), "rows[0].moment")
    with pytest.raises(InvalidInput) as caught:
        state.check(Event("too late", 69 * MINUTE, ("a", 1.0, 0.0)), "rows[0].moment")
    assert (caught.value.code, caught.value.where) == ("event_late", "rows[0].moment")
    assert not state.add(Event("ancient", 59 * MINUTE, ("a", 1.0, 0.0)))


def test_texts_of_a_value_column_are_counted():
    plan = replace(PLAN, windows=(Window("count", ("bad",), "card", "", MINUTE, True),), features=PLAN.features[:1])
    state = WindowState(plan)
    one, two = Event("1", 0, (None, 1.0, 1.0)), Event("2", 1, ("x", 1.0, 1.0))
    assert state.add(one)
    assert state.add(two)
    assert [state.features(event) for event in (one, two)] == [[0.0], [1.0]]
