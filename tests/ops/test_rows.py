from datetime import UTC

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.ops.packing import pack
from drivetrain.ops.rows import LARGEST_INTEGER, RowPacker, row_type

SIGNATURE = Signature(
    inputs=(
        InputField("number", ColumnType.NUMBER, nullable=True),
        InputField("whole", ColumnType.INTEGER, nullable=True),
        InputField("yes", ColumnType.BOOLEAN, nullable=True),
        InputField("word", ColumnType.TEXT, nullable=True, categories=("a", "ü", "")),
        InputField("day", ColumnType.DATE, nullable=True),
        InputField("moment", ColumnType.TIMESTAMP, nullable=True),
    ),
    entity="id",
    target="label",
)
ARROW = [pa.float64(), pa.int64(), pa.bool_(), pa.string(), pa.date32(), pa.timestamp("us", "UTC")]
VALUES = (
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-LARGEST_INTEGER, LARGEST_INTEGER),
    st.booleans(),
    st.sampled_from(["a", "ü", "", "b"]),
    st.dates(),
    st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC)),
)
ROWS = st.lists(st.tuples(*(st.none() | values for values in VALUES)), min_size=1, max_size=8)


@given(ROWS)
def test_a_row_of_json_is_packed_as_the_same_row_of_a_table(rows):
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), ARROW, strict=True)]
    table = pa.table(dict(zip(SIGNATURE.names, columns, strict=True)))
    decoder = msgspec.json.Decoder(row_type(SIGNATURE))
    sent = [decoder.decode(msgspec.json.encode(row)) for row in table.to_pylist()]
    packed = np.frombuffer(b"".join(RowPacker(SIGNATURE).pack(astuple(row)) for row in sent)).reshape(len(rows), -1)
    assert np.array_equal(packed, pack(SIGNATURE, table), equal_nan=True)


@given(ROWS, st.booleans(), st.integers(1, 3))
def test_many_rows_are_packed_as_each_of_them_is(rows, numbers, times):
    signature = Signature(SIGNATURE.inputs[:3] if numbers else SIGNATURE.inputs, "id", "label")
    rows = [row[: len(signature.inputs)] for row in rows * times]
    packer = RowPacker(signature)
    packed = np.frombuffer(packer.pack_all(rows))
    assert np.array_equal(packed, np.frombuffer(b"".join(map(packer.pack, rows))), equal_nan=True)


@pytest.mark.parametrize(
    "body",
    [b'{"number": "1"}', b'{"whole": 1.5}', b'{"whole": 9007199254740993}', b'{"yes": 1}', b'{"other": 1}', b"[]"],
)
def test_what_is_not_of_its_type_is_refused(body):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=row_type(SIGNATURE))


def test_only_what_may_be_null_may_be_left_out():
    strict = Signature((InputField("x", ColumnType.NUMBER, nullable=False),), "id", "label")
    with pytest.raises(msgspec.ValidationError, match="missing required field `x`"):
        msgspec.json.decode(b"{}", type=row_type(strict))
    assert astuple(msgspec.json.decode(b"{}", type=row_type(SIGNATURE))) == (None,) * 6


def test_a_lenient_row_takes_an_integer_as_pandas_writes_it():
    row = msgspec.json.decode(b'{"whole": 45.0}', type=row_type(SIGNATURE, lenient=True))
    assert np.frombuffer(RowPacker(SIGNATURE).pack(astuple(row)))[1] == 45
