"""What Python may hold rows in: every form gives the same text and the same types."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import ColumnType
from drivetrain.ingest.python_items import pieces_of

TABLE = pa.table({"id": [1, 2], "word": ["a", None], "price": [1.5, float("nan")], "ok": [True, None]})
VIEW = pa.array(["a"], pa.string_view())
TEXTS = [
    {"id": "1", "word": "a", "price": "1.5", "ok": "true"},
    {"id": "2", "word": None, "price": None, "ok": None},
]
TYPES = {
    "id": ColumnType.INTEGER,
    "word": ColumnType.TEXT,
    "price": ColumnType.NUMBER,
    "ok": ColumnType.BOOLEAN,
}


class Frame:
    """A frame of a library that nobody here knows: it can only hand its rows to Arrow, as Polars can."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def polars_like(word):
    return Frame(TABLE.set_column(1, "word", word))


def taken(found, depth=3):
    pieces = list(pieces_of(found, "x", depth))
    return [row for piece in pieces for row in piece.rows.to_pylist()], pieces


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(TABLE, id="table"),
        pytest.param(TABLE.to_batches(), id="batches"),
        pytest.param(TABLE.to_reader(), id="reader"),
        pytest.param(polars_like(TABLE["word"].cast(pa.string_view())), id="polars"),
        pytest.param(polars_like(pa.DictionaryArray.from_arrays([0, None], VIEW)), id="polars-categorical"),
        pytest.param((part for part in [TABLE.slice(0, 1), TABLE.slice(1)]), id="generator"),
        pytest.param(TABLE.to_pandas(), id="pandas"),
        pytest.param([TABLE.to_pandas().iloc[:1], TABLE.slice(1)], id="mixed"),
    ],
)
def test_tables_and_frames(found):
    texts, pieces = taken(found)
    assert texts == TEXTS
    types = {column.name: column.type for column in pieces[0].declared.columns}
    assert types == TYPES
    assert not pieces[0].optional_fields


@pytest.mark.parametrize("found", [TABLE.to_pylist(), iter(TABLE.to_pylist()), [TABLE.to_pylist()]])
def test_dicts_and_lists_of_dicts(found):
    texts, (piece,) = taken(found)
    assert texts == TEXTS
    types = {column.name: column.type for column in piece.declared.columns}
    assert types == {name: kind for name, kind in TYPES.items() if name != "word"}, "a text may be a date"
    assert piece.optional_fields


def test_one_dict_is_one_row():
    assert taken({"id": 1})[0] == [{"id": "1"}]


def test_tables_and_dicts_keep_their_order():
    assert [row["id"] for row in taken([{"id": 1}, pa.table({"id": [2]}), {"id": 3}])[0]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        (datetime(2026, 1, 1, 10, tzinfo=UTC), "2026-01-01T10:00:00Z", ColumnType.TIMESTAMP),
        (date(2026, 1, 1), "2026-01-01", ColumnType.DATE),
        (Decimal("1.10"), "1.10", ColumnType.NUMBER),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789", ColumnType.TEXT),
        (np.int64(5), "5", ColumnType.INTEGER),
        (np.float32(0.5), "0.5", ColumnType.NUMBER),
        (True, "true", ColumnType.BOOLEAN),
        (b"\x00", "AA==", ColumnType.TEXT),
        ([1, {"a": 2}], '[1,{"a":2}]', ColumnType.TEXT),
    ],
)
def test_values_in_dicts(value, text, kind):
    texts, (piece,) = taken([{"v": value}])
    assert texts == [{"v": text}]
    assert piece.declared.columns[0].type is kind


def test_objects_become_dotted_columns_in_dicts_and_tables():
    nested = [{"id": 1, "a": {"b": {"c": {"d": 1}}}}]
    expected = [{"id": "1", "a.b.c": '{"d":1}'}]
    assert taken(nested)[0] == expected
    assert taken(pa.Table.from_pylist(nested))[0] == expected
    assert taken(nested, depth=1)[0] == taken(pa.Table.from_pylist(nested), depth=1)[0]


def test_an_index_of_numbers_is_no_column_and_one_with_a_name_is():
    frame = pd.DataFrame({"v": [1, 2]}, index=[7, 9])
    assert [list(row) for row in taken(frame)[0]] == [["v"], ["v"]]
    frame.index.name = "id"
    assert sorted(taken(frame)[0][0]) == ["id", "v"]


@pytest.mark.parametrize("found", [5, "text", [b"bytes"], None, [None]])
def test_what_is_no_row(found):
    with pytest.raises(InvalidInput, match="no rows") as caught:
        taken(found)
    assert caught.value.code == "source_item_unknown"


def test_polars(tmp_path):
    polars = pytest.importorskip("polars", reason="polars is not installed: pip install polars")
    assert taken(polars.from_arrow(TABLE))[0] == TEXTS
