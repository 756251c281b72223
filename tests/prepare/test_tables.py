"""Feature tables and their join in time: nothing that was not so, or not known, at the time of the case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.project import FeaturesSpec, FeatureTable
from drivetrain.prepare.session import Session
from drivetrain.prepare.spine import make_spine
from drivetrain.prepare.sql import SqlFile
from drivetrain.prepare.tables import join_table

START = datetime(2024, 1, 1, tzinfo=UTC)
SPINE = SqlFile("spine.sql", b"SELECT id, y, moment FROM cases")
SPEC = FeaturesSpec(spine="spine.sql", entity="id", label="y", time="moment", tables={})
UTC_TIME = pa.timestamp("us", tz="UTC")


def day(number):
    return None if number is None else START + timedelta(days=number)


def join(cases, rows, *, event="event", known="known", select="SELECT id, event, known, v FROM rows"):
    """The value each case gets, by (entity, day)."""
    labels = [bool(n % 2) for n in range(len(cases))]
    case_table = {"id": [c[0] for c in cases], "y": labels, "moment": pa.array([day(c[1]) for c in cases], UTC_TIME)}
    row_table = {
        "id": pa.array([r[0] for r in rows], pa.int64()),
        "event": pa.array([day(r[1]) for r in rows], UTC_TIME),
        "known": pa.array([day(r[2]) for r in rows], UTC_TIME),
        "v": pa.array([r[3] for r in rows], pa.int64()),
    }
    sources = {"cases": ds.dataset(pa.table(case_table)), "rows": ds.dataset(pa.table(row_table))}
    with Session(sources, Path("never-spilled")) as session:
        spine = make_spine(session, SPINE, SPEC)
        table = FeatureTable(sql="t.sql", event_time=event, knowledge_time=known)
        joined = join_table(session, 0, SqlFile("t.sql", select.encode()), table, spine)
        found = session.ask(f"SELECT c.id, c.moment, v FROM _cases c LEFT JOIN {joined.table} j ON j._case = c._case")
        assert session.count(f"SELECT count(*) FROM {joined.table}") == joined.matched
    return {(entity, (at - START).days): value for entity, at, value in found}


def brute_join(cases, rows):
    answer = {}
    for entity, at in cases:
        seen = [r for r in rows if r[0] == entity and r[1] <= at and r[2] is not None and r[2] <= at]
        answer[(entity, at)] = max(seen, key=lambda r: r[1:])[3] if seen else None
    return answer


DAYS = st.integers(0, 8)
CASES = st.lists(st.tuples(st.integers(0, 2), DAYS), min_size=2, max_size=12, unique=True)
ROWS = st.lists(st.tuples(st.integers(0, 2), DAYS, st.one_of(st.none(), DAYS), st.integers(0, 5)), max_size=25)


@settings(max_examples=40, deadline=None)
@given(CASES, ROWS)
def test_the_newest_row_that_was_so_and_known_is_joined(cases, rows):
    expected = brute_join(cases, rows)
    if any(value is not None for value in expected.values()):
        assert join(cases, rows) == expected
    else:
        with pytest.raises(InvalidInput, match="no row of the table belongs to a case"):
            join(cases, rows)


def test_a_late_correction_counts_only_once_it_was_known():
    rows = [(1, 1, 1, 10), (1, 1, 5, 11), (1, 3, 3, 20)]
    cases = [(1, 0), (1, 2), (1, 4), (1, 6)]
    assert join(cases, rows) == {(1, 0): None, (1, 2): 10, (1, 4): 20, (1, 6): 20}


def test_a_row_of_that_very_moment_counts_and_a_later_one_does_not():
    rows = [(1, 3, 3, 7), (1, 4, 4, 8)]
    assert join([(1, 3), (2, 3)], rows) == {(1, 3): 7, (2, 3): None}


@pytest.mark.parametrize(("event", "known"), [("event", None), (None, "event")])
def test_one_time_stands_for_both(event, known):
    rows = [(1, 1, None, 1), (1, 3, None, 3), (2, 5, None, 5)]
    found = join([(1, 2), (1, 4), (2, 4)], rows, event=event, known=known, select="SELECT id, event, v FROM rows")
    assert found == {(1, 2): 1, (1, 4): 3, (2, 4): None}


def test_a_date_is_its_first_moment():
    select = "SELECT id, event::DATE AS event, v FROM rows"
    assert join([(1, 2), (1, 3)], [(1, 2, None, 9), (1, 3, None, 4)], known=None, select=select) == {
        (1, 2): 9,
        (1, 3): 4,
    }


def test_ties_do_not_hang_on_the_order_of_rows():
    rows = [(1, 1, 1, 4), (1, 1, 1, 9), (1, 1, 1, 2)]
    cases = [(1, 2), (2, 2)]
    assert join(cases, rows) == join(cases, rows[::-1]) == {(1, 2): 9, (2, 2): None}


@pytest.fixture
def two(project):
    size = 60
    project.source(
        "rows",
        {
            "id": range(size),
            "y": [n % 3 == 0 for n in range(size)],
            "x": [(n * 37) % 11 for n in range(size)],
            "name": [f"n{n}" for n in range(size)],
            "moment": [START + timedelta(days=n % 9) for n in range(size)],
            "gap": pa.array([None if n == 5 else START for n in range(size)], UTC_TIME),
        },
    )
    return project


@pytest.mark.parametrize(
    ("table", "rest", "code", "said"),
    [
        ("SELECT id AS key, x FROM rows", {}, "column_missing", "no column 'id', which `features.entity` names"),
        ("SELECT name AS id, x FROM rows", {}, "entity_type", "'id' is text here and integer in features/spine.sql"),
        ("SELECT id FROM rows", {}, "table_without_features", "no column but its entity"),
        ("SELECT id, x AS split FROM rows", {}, "column_reserved", "'split'"),
        ("SELECT id, x AS _case FROM rows", {}, "column_reserved", "'_case'"),
        (
            "SELECT id % 20 AS id, x FROM rows",
            {},
            "entity_repeated",
            "0 (3 rows), 1 (3 rows), 2 (3 rows), 3 (3 rows), 4 (3 rows)",
        ),
        ("SELECT id + 1000 AS id, x FROM rows", {}, "nothing_joined", "no row of the table belongs to a case"),
        (
            "SELECT id, x, moment FROM rows",
            {"event_time": "when"},
            "column_missing",
            "no column 'when', which `event_time` names",
        ),
        ("SELECT id, x, name AS moment FROM rows", {"event_time": "moment"}, "column_type", "'moment' is text"),
        (
            "SELECT id, x, gap FROM rows",
            {"event_time": "gap"},
            "event_time_null",
            "'gap' is null in some of the 60 rows (59 have it)",
        ),
    ],
)
def test_mistakes_are_named(two, table, rest, code, said):
    path = two.sql("features/late.sql", table)
    with pytest.raises(InvalidInput) as caught:
        two.prepare("SELECT id, y, moment FROM rows", time="moment", tables={"late": {"sql": path} | rest})
    assert caught.value.code == code
    assert said in caught.value.message
    assert caught.value.where == path
    assert caught.value.hint


def test_times_without_a_time_of_the_case_are_refused(two):
    path = two.sql("features/late.sql", "SELECT id, x, moment FROM rows")
    with pytest.raises(InvalidInput, match="'moment' can be compared with nothing") as caught:
        two.prepare("SELECT id, y FROM rows", tables={"late": {"sql": path, "event_time": "moment"}})
    assert "features.time" in caught.value.hint


def test_the_label_among_the_features_is_refused(two):
    with pytest.raises(Refused, match="'Y' is the label itself"):
        two.prepare("SELECT id, y FROM rows", 'SELECT id, x, y AS "Y" FROM rows')


def test_two_tables_cannot_give_one_name(two):
    with pytest.raises(InvalidInput, match=r"column 'X' is given by features/t0\.sql too") as caught:
        two.prepare("SELECT id, y FROM rows", "SELECT id, x FROM rows", 'SELECT id, x + 1 AS "X" FROM rows')
    assert caught.value.where == "features/t1.sql"


def test_a_case_without_a_row_has_nulls(two):
    features = two.prepare("SELECT id, y FROM rows", "SELECT id, x FROM rows WHERE id % 2 = 0")
    assert features.inputs.column("x").nullable
    assert two.rows(features).column("x").null_count == 30
    assert any("t0: x (50.0% of the cases)" in note for note in two.notes)


@pytest.mark.parametrize("value", ["'inf'::DOUBLE", "'-infinity'::DATE", "'infinity'::TIMESTAMP"])
def test_infinite_values_are_named(two, value):
    with pytest.raises(InvalidInput, match=r"column 'v' is infinite in 1 rows, such as entity 7") as caught:
        two.prepare("SELECT id, y FROM rows", f"SELECT id, CASE WHEN id = 7 THEN {value} END AS v FROM rows")
    assert caught.value.code == "value_infinite"
    assert caught.value.where == "features/t0.sql"
