"""The quick way into a type gives what the slow way gives, and takes nothing that it refuses."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivetrain.core.schema import ColumnType
from drivetrain.ingest.values import cast_values
from drivetrain.store.casting import typed
from drivetrain.store.tables import arrow_type

SQL = duckdb.connect(config={"threads": 1})
SQL.execute("SET TimeZone = 'UTC'")
WRITTEN = st.one_of(
    st.none(),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.datetimes().map(str),
    st.from_regex(r"[+-]?(0x)?[0-9]{1,4}(\.[0-9]*)?(e[0-9])?", fullmatch=True),
    st.from_regex(
        r"20\d\d-[01]\d-[0-3]\d([ T][0-2]\d(:[0-5]\d(:[0-5]\d(\.\d{1,7})?)?)?(Z|[+-]0\d(:?00)?)?)?", fullmatch=True
    ),
    st.sampled_from(
        ["true", "TRUE", "yes", "n", "1", "0", "t", " 1", "inf", "-nan", "", "1_000", "１", "1e400", "24:00"]
    ),
)


@pytest.mark.parametrize("kind", list(ColumnType))
@given(st.lists(WRITTEN, min_size=1, max_size=3))
@example(["2020-01-01 10"])
@example(["0x1F"])
@example(["2020-01-01 10:00", "2020-01-01"])
@example(["2020-01-01 10:00:00Z", "2020-01-01 10:00:00+02:00"])
@settings(max_examples=60, deadline=None)
def test_values_are_those_of_our_sql(kind, texts):
    column = pa.array(texts, pa.string())
    SQL.register("written", pa.table({"value": column}))
    wanted = SQL.sql(f"SELECT {typed('value', kind)} AS value FROM written").to_arrow_table().column(0).combine_chunks()
    found = cast_values(column, kind, SQL)
    assert found.values.equals(wanted.cast(arrow_type(kind)))
    bad = [text is not None and value is None for text, value in zip(texts, wanted.to_pylist(), strict=True)]
    assert (found.bad.tolist() if found.bad is not None else [False] * len(texts)) == bad


@pytest.mark.parametrize(
    ("column", "kind", "wanted", "bad"),
    [
        (pa.array([1, None], pa.int16()), ColumnType.INTEGER, [1, None], None),
        (pa.array([1, 2**63], pa.uint64()), ColumnType.INTEGER, [1, None], [False, True]),
        (pa.array([0.1, float("nan")], pa.float32()), ColumnType.NUMBER, [0.10000000149011612, None], None),
        (pa.array([1.0, float("inf")]), ColumnType.NUMBER, [1.0, None], [False, True]),
        (pa.array([1.0, 1.5]), ColumnType.INTEGER, [1, None], [False, True]),
        (pa.array([True, False]), ColumnType.TEXT, ["true", "false"], None),
        (pa.array(["x", "x"]).dictionary_encode(), ColumnType.TEXT, ["x", "x"], None),
        (pa.array([{"a": 1}]), ColumnType.TEXT, ['{"a":1}'], None),
    ],
)
def test_typed_columns_keep_what_they_say(column, kind, wanted, bad):
    found = cast_values(column, kind, SQL)
    assert found.values.to_pylist() == wanted
    assert (found.bad.tolist() if found.bad is not None else None) == bad
