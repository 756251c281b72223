"""A row that a caller sends is packed as the same row of a table is."""

import json
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.packing import pack
from drivetrain.serve.rows import RowForm
from drivetrain.store.tables import arrow_type
from drivetrain.testing.graphs import ROW, SIGNATURE

FORM = RowForm(SIGNATURE)
SCHEMA = pa.schema([(field.name, arrow_type(field.type)) for field in SIGNATURE.inputs])
optional = st.none()
moments = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
rows = st.fixed_dictionaries(
    {"age": st.integers(-(2**53), 2**53)},
    optional={
        "income-per-month": optional | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
        "member": optional | st.booleans(),
        "city": optional | st.sampled_from(["Aarau", "Chur", "elsewhere", ""]),
        "born": optional | st.dates(date(1700, 1, 1), date(2200, 1, 1)),
        "seen": optional
        | st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(lambda t: t.replace(tzinfo=UTC)),
    },
)


def packed(body: bytes, form: RowForm = FORM) -> np.ndarray:
    return np.frombuffer(form.read(body).packed).reshape(-1, len(form.signature.inputs))


def body(*given: dict[str, object], **more: object) -> bytes:
    return json.dumps({"rows": given, **more}, default=lambda value: value.isoformat()).encode()


def refusal(content: bytes) -> tuple[str, str, str]:
    with pytest.raises(InvalidInput) as caught:
        FORM.read(content)
    return caught.value.code, caught.value.where, caught.value.message


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=4))
def test_the_row_path_is_the_table_path(given_rows: list[dict[str, object]]) -> None:
    table = pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in given_rows], SCHEMA)
    np.testing.assert_array_equal(packed(body(*given_rows)), pack(SIGNATURE, table))


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=4))
def test_the_columns_of_tensors_are_packed_as_rows_are(given_rows: list[dict[str, object]]) -> None:
    plain = json.loads(body(*given_rows))["rows"]
    matrix = [FORM.column(at, [row.get(name) for row in plain], "x") for at, name in enumerate(SIGNATURE.names)]
    np.testing.assert_array_equal(np.array(matrix).T, packed(body(*given_rows)))


@settings(deadline=None)
@given(rows)
def test_what_is_packed_already_is_taken_as_it_is(row: dict[str, object]) -> None:
    before = packed(body(row))
    values = [None if np.isnan(value) else value for value in before[0].tolist()]
    np.testing.assert_array_equal(FORM.matrix(values, "x"), before)


def test_an_integer_may_be_written_with_a_point() -> None:
    assert packed(body({**ROW, "age": 25.0})).tolist() == packed(body(ROW)).tolist()
    assert refusal(body(ROW, {**ROW, "age": 25.5})) == ("field_type", "rows[1].age", "expected an integer, got 25.5")


def test_the_entity_comes_along_under_its_own_name() -> None:
    assert FORM.read(body({"age": 1, "case": "a-7"}, {"age": 1, "case": 7}, {"age": 1})).entities == [b"a-7", b"7", b""]
    assert FORM.read(body({"age": 1}, explain=True)).explain


def test_an_input_named_as_the_entity_is_an_input() -> None:
    form = RowForm(Signature((InputField("case", ColumnType.NUMBER, True),), "case", "y"))
    assert form.entity is None
    assert packed(body({"case": 2.5}), form).tolist() == [[2.5]]


def test_column_names_need_not_be_python_names() -> None:
    odd = ["class", "a b", "30-59", "self", "Σ", "f1", "entity", "rows", "`x` - at `$.y`"]
    form = RowForm(Signature(tuple(InputField(name, ColumnType.NUMBER, True) for name in odd), "id", "y"))
    values = [float(number) for number in range(len(odd))]
    assert packed(body(dict(zip(odd, values, strict=True))), form).tolist() == [values]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ("json_invalid", "body", "the body is not JSON: Input data was truncated")),
        (b'{"rows": [{"age": NaN}]}', ("json_invalid", "body", "the body is not JSON: invalid character (byte 18)")),
        (b"[" * 100_000, ("field_type", "body", "expected an object, got a list")),
        (b"[]", ("field_type", "body", "expected an object, got a list")),
        (b"{}", ("field_missing", "rows", "rows is missing")),
        (b'{"rows": {}}', ("field_type", "rows", "expected a list, got an object")),
        (b'{"rows": []}', ("rows_missing", "rows", "there is no row to predict")),
        (b'{"rows": [7]}', ("field_type", "rows[0]", "expected an object, got an integer")),
        (b'{"rows": [{"age": 1}, {}]}', ("field_missing", "rows[1].age", "age is missing")),
        (b'{"rows": [{"age": null}]}', ("field_type", "rows[0].age", "expected an integer, got null")),
        (b'{"rows": [{"age": "1"}]}', ("field_type", "rows[0].age", "expected an integer, got text")),
        (b'{"rows": [{"age": true}]}', ("field_type", "rows[0].age", "expected an integer, got true or false")),
        (b'{"rows": [{"age": 1, "aeg": 2}]}', ("field_unknown", "rows[0].aeg", "there is no field aeg")),
        (b'{"rows": [{"age": 1, "city": 2}]}', ("field_type", "rows[0].city", "expected text or null, got an integer")),
        (b'{"rows": [{"age": 1, "member": 1}]}',
         ("field_type", "rows[0].member", "expected true or false or null, got an integer")),
        (b'{"rows": [{"age": 1, "income-per-month": 1e999}]}',
         ("field_invalid", "rows[0].income-per-month", "Number out of range")),
        (b'{"rows": [{"age": 9007199254740993}]}',
         ("field_range", "rows[0].age", "expected a value <= 9007199254740992")),
        (b'{"rows": [{"age": 1, "born": "31.12.1999"}]}',
         ("field_invalid", "rows[0].born", "Invalid RFC3339 encoded date")),
        (b'{"rows": [{"age": 1, "case": ""}]}',
         ("entity_invalid", "rows[0].case", "an entity is text of 1 to 64 bytes or an integer")),
        (b'{"rows": [{"age": 1, "case": "%s"}]}' % (b"x" * 65),
         ("entity_invalid", "rows[0].case", "an entity is text of 1 to 64 bytes or an integer")),
        (b'{"rows": [{"age": 1, "city": "\xff"}]}',
         ("json_invalid", "body",
          "the body is not JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte")),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(content: bytes, told: tuple[str, str, str]) -> None:
    assert refusal(content) == told


def test_a_misspelt_field_is_guessed() -> None:
    with pytest.raises(InvalidInput) as caught:
        FORM.read(b'{"rows": [{"age": 1, "income_per_month": 2}]}')
    assert caught.value.hint == "did you mean income-per-month?"


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, 1.5), (0, None), (0, 2.0**54), (2, 0.5), (3, 3.0), (3, -2.0), (3, 0.5), (4, 1e15), (5, -1e15)],
)
def test_packed_values_that_stand_for_nothing_are_refused(at: int, value: float | None) -> None:
    row: list[float | None] = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    FORM.matrix(row, "x")
    row[at] = value
    with pytest.raises(InvalidInput) as caught:
        FORM.matrix([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, *row], "x")
    assert caught.value.where == f"x[{6 + at}]"
