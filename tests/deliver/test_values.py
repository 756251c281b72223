"""Columns of any type become what the model takes, as ingest and the server read them."""

import datetime
from contextlib import closing

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.schema import ColumnType
from drivetrain.deliver.values import Reader
from drivetrain.store.casting import typed

SQL = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
SQL.execute("SET TimeZone = 'UTC'")
UTC = datetime.UTC
TEXTS = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.dates().map(str),
    st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)).map(str),
    st.booleans().map(str),
    st.sampled_from(["0x1F", "1e400", " 7 ", "+3", "45.0", "3.7", "1_000", "yes", "2024-01-31 10", "2024-01-31T10:00Z",
                     "2024-02-30", "nan", "Infinity", "-", "", "TRUE", "007", "٣", "2024-01-31T10:00:00+02:00"]),
    st.text(max_size=6),
)  # fmt: skip


@pytest.fixture(scope="module")
def reader():
    with closing(Reader()) as made:
        yield made


@pytest.mark.parametrize("kind", [kind for kind in ColumnType if kind is not ColumnType.TEXT])
@settings(max_examples=60)
@given(texts=st.lists(TEXTS, max_size=5))
def test_text_is_read_by_the_rules_of_ingest(reader, kind, texts):
    found = reader.read(pa.chunked_array([pa.array(texts, pa.string())]), kind)
    SQL.register("texts", pa.table({"value": pa.array(texts, pa.string())}))
    values = SQL.execute(f"SELECT {typed('value', kind)} AS value FROM texts").to_arrow_table()
    expected = values.column("value").to_pylist()
    assert found.values.to_pylist() == expected
    assert found.bad.tolist() == [
        text is not None and value is None for text, value in zip(texts, expected, strict=True)
    ]


@pytest.mark.parametrize(
    ("given_", "kind", "expected", "bad"),
    [
        (pa.array([1, None], pa.int8()), ColumnType.NUMBER, [1.0, None], []),
        (pa.array([2**60 + 1], pa.int64()), ColumnType.INTEGER, [2**60 + 1], []),
        (pa.array([1.0, 2.5, None, np.nan, np.inf]), ColumnType.INTEGER, [1, None, None, None, None], [1, 4]),
        (pa.array([2**64 - 1, 3], pa.uint64()), ColumnType.INTEGER, [None, 3], [0]),
        (pa.array(["1.50"]).cast(pa.decimal128(9, 2)), ColumnType.NUMBER, [1.5], []),
        (pa.array([1, 0, 2]), ColumnType.BOOLEAN, [True, False, None], [2]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ColumnType.TEXT, ["a", None, "a"], []),
        (pa.array([7, None]), ColumnType.TEXT, ["7", None], []),
        (pa.array([b"x"]), ColumnType.NUMBER, [None], [0]),
        (pa.nulls(2), ColumnType.DATE, [None, None], []),
        (pa.array([datetime.datetime(2024, 1, 2)]), ColumnType.DATE, [datetime.date(2024, 1, 2)], []),
        (pa.array([datetime.datetime(2024, 1, 2, 3)]), ColumnType.DATE, [None], [0]),
        (pa.array([datetime.date(2024, 1, 2)]), ColumnType.TIMESTAMP, [datetime.datetime(2024, 1, 2, tzinfo=UTC)], []),
        (pa.array([1_000_000_001], pa.timestamp("ns")), ColumnType.TIMESTAMP,
         [datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)], []),
        (pa.array(["12"], pa.large_string()), ColumnType.INTEGER, [12], []),
        (pa.array([], pa.float32()), ColumnType.INTEGER, [], []),
    ],
)  # fmt: skip
def test_types_of_tables_are_taken_where_nothing_is_lost(reader, given_, kind, expected, bad):
    found = reader.read(pa.chunked_array([given_]), kind)
    assert found.values.to_pylist() == expected
    assert np.flatnonzero(found.bad).tolist() == bad
