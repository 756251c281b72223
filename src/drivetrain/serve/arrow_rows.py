"""Record batches as rows of a model, predictions as record batches: the one file of the server that needs Arrow."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.types as kinds
from numpy.typing import NDArray

import drivetrain.store.arrow_alone  # noqa: F401 - before all that makes arrays
from drivetrain.core.errors import DrivetrainError, InvalidInput
from drivetrain.core.model import InputField, OutputField
from drivetrain.core.schema import ColumnType
from drivetrain.ops.packing import pack
from drivetrain.serve.answers import told
from drivetrain.serve.arrow_messages import BATCH, DICTIONARY, SCHEMA, Message, invalid
from drivetrain.serve.complaints import unknown_field
from drivetrain.serve.rows import RowForm, Rows, entity_bytes
from drivetrain.serve.wording import Scored, Wording

TOGETHER = 8192
"""Rows that are packed in one go."""
END = b"\xff\xff\xff\xff\0\0\0\0"

Is = Callable[[pa.DataType], bool]
Numbers = NDArray[np.generic]
_ANSWER = (("id", pa.string()), ("score", pa.float64()), ("decision", pa.bool_()))
_TEXT: tuple[Is, ...] = (kinds.is_string, kinds.is_large_string, kinds.is_string_view)
_NUMBER: tuple[Is, ...] = (kinds.is_floating, kinds.is_integer)
_TAKEN: Mapping[ColumnType, tuple[pa.DataType, tuple[Is, ...]]] = {
    ColumnType.INTEGER: (pa.float64(), _NUMBER),
    ColumnType.NUMBER: (pa.float64(), (*_NUMBER, kinds.is_decimal)),
    ColumnType.BOOLEAN: (pa.bool_(), (kinds.is_boolean,)),
    ColumnType.TEXT: (pa.string(), _TEXT),
    ColumnType.DATE: (pa.date32(), (kinds.is_date,)),
    ColumnType.TIMESTAMP: (pa.timestamp("us"), (kinds.is_timestamp,)),
}
"""As which type a column is packed, and of which it may come."""


class Decoder:
    """Record batches from the messages of one stream, whose dictionaries may take ``most`` bytes together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._schema = b""
        self._dictionaries: list[bytes] = []

    def batches(self, message: Message) -> Iterator[RowBatch]:
        """The rows in a message, some thousands at a time. Raises InvalidInput for what Arrow cannot read."""
        if (message.kind == SCHEMA) == bool(self._schema):
            raise invalid("a stream begins with its schema, and has one")
        if message.kind == SCHEMA:
            self._schema = _checked(message.content)
        elif message.kind == DICTIONARY:
            self._dictionaries.append(message.content)
            if sum(map(len, self._dictionaries)) > self._most:
                raise InvalidInput(
                    "body_too_large",
                    f"the dictionaries have more than {self._most} bytes",
                    where="body",
                    hint="send texts as strings",
                )
        elif message.kind == BATCH:
            batch = self._decoded(message.content)
            for start in range(0, batch.num_rows, TOGETHER):
                yield RowBatch(batch.slice(start, TOGETHER))
        else:
            raise invalid("only schemas, dictionaries and record batches are taken")

    def _decoded(self, content: bytes) -> pa.RecordBatch:
        """A batch, read as a stream of its own: so that Arrow keeps no state, and checks everything each time."""
        options = pa.ipc.IpcReadOptions(use_threads=False)
        whole = pa.py_buffer(b"".join([self._schema, *self._dictionaries, content]))
        try:
            batch = pa.ipc.open_stream(whole, options=options).read_next_batch()
            batch.validate(full=True)
        except (pa.ArrowException, OSError, EOFError, StopIteration) as error:
            raise invalid(str(error)[:200]) from None
        return batch


class RowBatch(NamedTuple):
    """Some neighbouring rows of a record batch."""

    batch: pa.RecordBatch

    def read(self, form: RowForm) -> Rows:
        """The rows as one release wants them; raises InvalidInput that names the column, and the row if it is one."""
        form.check_columns()
        given = self._given(form)
        columns = [_column(field, given.get(field.name), self.batch.num_rows) for field in form.asked]
        packed = pack(form.signature, pa.RecordBatch.from_arrays(columns, names=form.names), form.encoders)
        if wrong := form.possible.first_wrong(packed):
            raise _impossible(form.signature.inputs[wrong[1]], wrong[0], packed[wrong])
        entities = given.get(form.entity) if form.entity else None
        return Rows(packed.tobytes(), _entities(entities, form.entity or "", self.batch.num_rows), False)

    def cut(self, start: int, end: int) -> RowBatch:
        """Some of them."""
        return RowBatch(self.batch.slice(start, end - start))

    def _given(self, form: RowForm) -> Mapping[str, pa.Array]:
        given: dict[str, pa.Array] = {}
        for name, column in zip(self.batch.schema.names, self.batch.columns, strict=True):
            if name in given:
                raise InvalidInput("column_twice", f"{name[:80]} comes twice", where="schema", hint="send it once")
            if name not in form.columns:
                raise unknown_field(name, "schema", form.columns)
            given[name] = column
        return given


def opening(scored: Scored) -> bytes:
    """The schema of the answers."""
    return bytes(_schema(scored.wording).with_metadata({"release": scored.release}).serialize())


def answered(scored: Scored) -> bytes:
    """The answers to some rows."""
    count, size = len(scored.ids), len(scored.ids[0])  # ids have all the same length
    buffers: tuple[tuple[bytes | Numbers, ...], ...] = (
        (np.arange(0, (count + 1) * size, size, dtype=np.int32), "".join(scored.ids).encode()),
        (np.array(scored.scores),),
        (np.packbits(scored.decisions, bitorder="little"),),
    )
    columns = [
        pa.Array.from_buffers(kind, count, [None, *map(pa.py_buffer, own)])
        for (_, kind), own in zip(_ANSWER, buffers, strict=True)
    ]
    outputs = [_output(field, scored.outputs[:, at]) for at, field in enumerate(scored.wording.fields)]
    return bytes(pa.RecordBatch.from_arrays([*columns, *outputs], schema=_schema(scored.wording)).serialize())


def failed(error: DrivetrainError, wording: Wording) -> bytes:
    """A batch without rows, whose own metadata hold ``error`` as JSON."""
    sink, answer = pa.BufferOutputStream(), _schema(wording)
    with pa.ipc.new_stream(sink, answer) as stream:
        nothing = pa.RecordBatch.from_arrays([pa.array([], kind) for kind in answer.types], schema=answer)
        stream.write_batch(nothing, custom_metadata={"error": msgspec.json.encode(told(error).error)})
        whole = sink.tell()
    schema = answer.serialize().size
    return bytes(sink.getvalue())[schema:whole]


def _schema(wording: Wording) -> pa.Schema:
    kinds_of = {ColumnType.TEXT: pa.string(), ColumnType.NUMBER: pa.float64()}
    return pa.schema([*_ANSWER, *((field.name, kinds_of[field.type]) for field in wording.fields)])


def _output(field: OutputField, values: NDArray[np.float64]) -> pa.Array:
    if field.type is ColumnType.TEXT:
        return pa.array(field.categories, pa.string()).take(pa.array(values.astype(np.int32)))
    return pa.array(np.ascontiguousarray(values))


def _checked(schema: bytes) -> bytes:
    """A schema that Arrow can read, and whose names are text."""
    try:
        _ = pa.ipc.read_schema(pa.py_buffer(schema)).names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise invalid(str(error)[:200]) from None
    return schema


def _column(field: InputField, column: pa.Array | None, rows: int) -> pa.Array:
    wanted, taken = _TAKEN[field.type]
    if column is None:
        if not field.nullable:
            raise _missing(field.name, f"schema.{field.name}")
        return pa.nulls(rows, wanted)
    if column.type == wanted:
        return column
    kind = column.type.value_type if kinds.is_dictionary(column.type) else column.type
    if not kinds.is_null(kind) and not any(fits(kind) for fits in taken):
        raise InvalidInput(
            "field_type",
            f"{field.name} is {kind}, not {field.type}",
            where=f"schema.{field.name}",
            hint=f"send it as {wanted}",
        )
    return _cast(column, wanted, field.name)


def _entities(column: pa.Array | None, name: str, rows: int) -> list[bytes]:
    if column is None:
        return [b""] * rows
    if not any(fits(column.type) for fits in (*_TEXT, kinds.is_integer, kinds.is_null)):
        raise InvalidInput(
            "field_type", f"{name} is {column.type}", where=f"schema.{name}", hint="an entity is text or an integer"
        )
    return [
        b"" if value is None else entity_bytes(value, f"rows[{at}].{name}")
        for at, value in enumerate(column.to_pylist())
    ]


def _cast(column: pa.Array, wanted: pa.DataType, name: str) -> pa.Array:
    if kinds.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(wanted, safe=False)  # what is below a microsecond is cut off, as in JSON

    def fails(end: int) -> bool:
        try:
            column.slice(0, end + 1).cast(wanted)
        except pa.ArrowInvalid:
            return True
        return False

    try:
        return column.cast(wanted)
    except pa.ArrowInvalid as error:
        row = bisect_left(range(len(column)), True, key=fails)
        raise InvalidInput(
            "field_range", str(error)[:200], where=f"rows[{row}].{name}", hint=f"send what fits into {wanted}"
        ) from None


def _impossible(field: InputField, row: int, value: float) -> InvalidInput:
    where = f"rows[{row}].{field.name}"
    if math.isnan(value):
        return _missing(field.name, where)
    return InvalidInput("field_range", f"{field.name} cannot be {value}", where=where, hint=f"send {field.type}")


def _missing(name: str, where: str) -> InvalidInput:
    return InvalidInput("field_missing", f"{name} is missing", where=where, hint="it may not be null: give a value")
