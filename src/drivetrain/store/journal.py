"""From a service's journal to the lake: every whole record moves into the Delta tables exactly once.

The names of the segments that exist and how far each was read are the cursor of the Delta commit that adds the rows.
A kill before the commit changes nothing, a kill after it is seen by the next roll: it goes on behind the cursor and
deletes what is closed and done. One roll runs at a time; who comes second waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_bytes, digest_of
from drivetrain.core.errors import Tampered
from drivetrain.core.model import InputField, OutputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.store.catalog import Catalog
from drivetrain.store.locks import alone
from drivetrain.store.segments import (
    ENTITY_BYTES,
    KINDS,
    Kind,
    Label,
    LabelRecord,
    Segment,
    SegmentHeader,
    mark_rolled,
    read_header,
    read_labels,
    read_predictions,
    segments,
)
from drivetrain.store.tables import Commit, Table, arrow_type

UNKNOWN_TEXT = "(unknown)"
"""Stands in the lake for a text that the model does not know; the model saw only that it is unknown."""

NUMBER = "number"
_INPUTS = "inputs"
_ROLLING = "roll.lock"
_LABEL = "label"
_TIME = pa.timestamp("us", tz="UTC")
_OWN = (NUMBER, "prediction_id", "at", "release", "caller", "entity", "event", "score", "decision", _INPUTS)


def roll(catalog: Catalog, service: str) -> int:
    """Move what a service journalled into its tables ``predictions``, ``labels`` and ``pairs``; gives the rows moved.

    Raises Tampered, after all others have moved, when a segment is not one.
    """
    return Roller(catalog, service).roll()


class Roller:
    """The same again and again: the logs of the tables, which grow with every roll, are read once."""

    def __init__(self, catalog: Catalog, service: str) -> None:
        self.tables = {kind: Table(catalog.table_path(kind, service)) for kind in KINDS}
        self._folder = catalog.journal_path(service)

    def roll(self) -> int:
        """Move what is there now; gives the rows moved. Raises Tampered, see ``roll``."""
        if not self._folder.is_dir():
            return 0
        damaged: list[Tampered] = []
        with alone(self._folder / _ROLLING):
            moved = sum(_roll(self._folder, kind, table, damaged) for kind, table in self.tables.items())
        if damaged:
            raise damaged[0]
        return moved


def detach(catalog: Catalog, service: str, names: Sequence[str]) -> int:
    """Take the names of entities off the predictions of a service; gives of how many. Raises Tampered as ``roll``."""
    roll(catalog, service)
    table, folder = Table(catalog.table_path("predictions", service)), catalog.journal_path(service)
    if not names or not table.exists():
        return 0
    with alone(folder / _ROLLING):
        return table.blank("entity", names)


@dataclass(frozen=True)
class _Stretch:
    """Whole records of one segment as rows of the lake, and the offset behind the last one."""

    rows: pa.Table
    end: int


def _roll(folder: Path, kind: Kind, table: Table, damaged: list[Tampered]) -> int:
    moved = 0
    waiting = segments(folder, kind)
    state = table.state() if waiting else None
    commit = state.commit if state else Commit("{}", "", 0)
    done = read_json(commit.cursor, dict[str, int])
    cursor = {segment.path.name: done[segment.path.name] for segment in waiting if segment.path.name in done}
    for segment in waiting:
        try:
            stretch = _read(segment, kind, cursor.get(segment.path.name, 0))
        except Tampered as error:
            damaged.append(error)
            continue
        if stretch is not None and len(stretch.rows):
            cursor[segment.path.name] = stretch.end
            before, commit = commit, _next(commit, cursor, len(stretch.rows))
            rows = _numbered(stretch.rows, before.rows) if kind == "predictions" else stretch.rows
            _append(table, rows, before, commit)
            moved += len(stretch.rows)
        if segment.closed:
            segment.path.unlink()
    if moved:
        mark_rolled(folder, kind, cursor)
    return moved


def _next(commit: Commit, cursor: dict[str, int], rows: int) -> Commit:
    text = msgspec.json.encode(cursor, order="deterministic").decode()
    return Commit(text, digest_of(commit.digest, digest_bytes(text.encode())), commit.rows + rows)


def _numbered(rows: pa.Table, before: int) -> pa.Table:
    """With a column that counts all rows of the table from 1, in the order in which they came into the lake.

    Whoever goes through the table keeps the last number as a cursor; merged files hold the rows in another order.
    """
    numbers = pa.array(np.arange(before + 1, before + 1 + len(rows)))
    return rows.add_column(0, NUMBER, numbers)


def _read(segment: Segment, kind: Kind, offset: int) -> _Stretch | None:
    found = read_header(segment.path)
    if found is None:
        return None
    header, start = found
    offset = max(offset, start)
    if kind == "labels":
        labels, size = read_labels(segment.path, offset)
        return _Stretch(_label_rows(labels), offset + size)
    records = read_predictions(segment.path, header, offset)
    rows = _pair_rows(header, records) if kind == "pairs" else _prediction_rows(header, records)
    return _Stretch(rows, offset + records.nbytes)


def output_columns(schema: pa.Schema) -> list[str]:
    """The columns of a table of predictions that are outputs of some release; null in the rows of others."""
    return [name for name in schema.names if name not in _OWN]


def _label_rows(labels: tuple[LabelRecord, ...]) -> pa.Table:
    return pa.table(
        {
            "prediction_id": pa.array([label.prediction_id for label in labels], pa.string()),
            _LABEL: _label_values([label.label for label in labels]),
            "at": pa.array([label.at for label in labels], _TIME),
            "caller": pa.array([label.caller for label in labels], pa.string()),
        }
    )


def _label_values(labels: list[Label]) -> pa.Array:
    """In their own type; as text where the task changed between two of them."""
    kinds = {type(label) for label in labels}
    if len(kinds) > 1:
        return pa.array([pa.scalar(label).cast(pa.string()).as_py() for label in labels], pa.string())
    return pa.array(labels)


def _prediction_rows(header: SegmentHeader, records: NDArray[np.void]) -> pa.Table:
    signature = header.signature or Signature((), "", "")
    entity, events = _parted(signature, records["entity"])
    return pa.table(
        {
            "prediction_id": _text(records["id"]),
            "at": pa.array(records["at"]).cast(_TIME),
            "release": pa.repeat(pa.scalar(header.release), len(records)),
            "caller": pa.array(header.callers, pa.string()).take(pa.array(records["caller"].astype(np.int32))),
            "entity": pc.if_else(pa.array(entity == b""), pa.scalar(None, pa.string()), _text(entity)),
            **events,
            "score": pa.array(records["score"]),
            "decision": pa.array(records["decision"]),
            **_outputs(signature, records),
            _INPUTS: unpack(signature, records["row"]),
        }
    )


def _outputs(signature: Signature, records: NDArray[np.void]) -> dict[str, pa.Array]:
    return {field.name: output_column(field, records["outputs"][:, at]) for at, field in enumerate(signature.outputs)}


def output_column(field: OutputField, values: NDArray[np.float64]) -> pa.Array:
    """An output [n] as texts or numbers."""
    return _unpack_column(InputField(field.name, field.type, False, field.categories), values)


def _pair_rows(header: SegmentHeader, records: NDArray[np.void]) -> pa.Table:
    return pa.table(
        {
            "prediction_id": _text(records["id"]),
            "at": pa.array(records["at"]).cast(_TIME),
            "release": pa.repeat(pa.scalar(header.release), len(records)),
            "score": pa.array(records["score"]),
            "decision": pa.array(records["decision"]),
            "champion": pa.repeat(pa.scalar(header.champion), len(records)),
            "champion_score": pa.array(records["champion_score"]),
            "champion_decision": pa.array(records["champion_decision"]),
        }
    )


def _parted(signature: Signature, entity: NDArray[np.bytes_]) -> tuple[NDArray[np.bytes_], dict[str, pa.Array]]:
    """The entities; where the model has windows also the column ``event``, JSON, which stands behind them."""
    if signature.windows is None:
        return entity, {}
    parts = [both.partition(b"\n") for both in entity.tolist()]
    names = np.array([name for name, _, _ in parts], dtype=f"S{ENTITY_BYTES}")
    return names, {"event": pa.array([event for _, _, event in parts], pa.binary()).cast(pa.string())}


def _text(values: NDArray[np.bytes_]) -> pa.Array:
    return pa.array(values.tolist(), pa.binary()).cast(pa.string())


def unpack(signature: Signature, rows: NDArray[np.float64]) -> pa.StructArray:
    """Packed rows [n, F] as typed inputs: the reverse of ``ops.packing.pack``, but that unknown text stays unknown."""
    arrays = [_unpack_column(field, rows[:, position]) for position, field in enumerate(signature.inputs)]
    return pa.StructArray.from_arrays(arrays, names=list(signature.names))


def _unpack_column(field: InputField, values: NDArray[np.float64]) -> pa.Array:
    missing = np.isnan(values)
    given = np.where(missing, 0.0, values)
    kind = arrow_type(field.type)
    if field.type is ColumnType.TEXT:
        texts = pa.array([*field.categories, UNKNOWN_TEXT], pa.string())
        codes = np.where(given < 0, len(field.categories), given).astype(np.int64)
        return texts.take(pa.array(codes, mask=missing))
    if field.type is ColumnType.BOOLEAN:
        return pa.array(given != 0, mask=missing)
    if field.type is ColumnType.INTEGER:
        return pa.array(given.astype(np.int64), mask=missing)
    if field.type is ColumnType.DATE:
        return pa.array((given // 86400).astype(np.int32), mask=missing).cast(kind)
    if field.type is ColumnType.TIMESTAMP:
        return pa.array(np.rint(given * 1e6).astype(np.int64), mask=missing).cast(kind)
    return pa.array(values, mask=missing)


def _append(table: Table, rows: pa.Table, before: Commit, commit: Commit) -> None:
    """Add rows; where a release changed the type of an input or the label, the column is widened to hold both."""
    if table.exists():
        stored = table.schema()
        types = _widened(_types(stored), _types(rows.schema))
        if any(types[name] != kind for name, kind in _types(stored).items()):
            table.overwrite(_retyped(table.read(), types), before)
        rows = _retyped(rows, types)
    table.extend(rows, commit)


def _types(schema: pa.Schema) -> dict[str, pa.DataType]:
    """The types that releases decide: those of the inputs, or that of the label."""
    if _INPUTS in schema.names:
        return {field.name: field.type for field in schema.field(_INPUTS).type}
    return {_LABEL: schema.field(_LABEL).type} if _LABEL in schema.names else {}


def _widened(stored: dict[str, pa.DataType], new: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    types = dict(stored)
    for name, kind in new.items():
        before = types.get(name, kind)
        if before == kind:
            types[name] = before
        elif {before, kind} == {pa.int64(), pa.float64()}:
            types[name] = pa.float64()
        else:
            types[name] = pa.string()
    return types


def _retyped(rows: pa.Table, types: dict[str, pa.DataType]) -> pa.Table:
    if _INPUTS not in rows.column_names:
        position = rows.column_names.index(_LABEL) if _LABEL in types else -1
        return rows if position < 0 else rows.set_column(position, _LABEL, rows.column(_LABEL).cast(types[_LABEL]))
    inputs = rows.column(_INPUTS).combine_chunks()
    names = [field.name for field in inputs.type]
    arrays = [pc.struct_field(inputs, name).cast(types[name]) for name in names]
    position = rows.column_names.index(_INPUTS)
    return rows.set_column(position, _INPUTS, pa.StructArray.from_arrays(arrays, names=names))
