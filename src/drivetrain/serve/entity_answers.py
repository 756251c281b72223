"""The answers about entities, read from the lake; the reasons of the newest prediction are found anew."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

import drivetrain.store.arrow_alone  # noqa: F401 - before all that makes arrays
from drivetrain.core.entity_view import EntityView
from drivetrain.core.model import Signature
from drivetrain.core.task import Task
from drivetrain.ops.packing import pack
from drivetrain.serve.contender import Contender
from drivetrain.serve.entity_lake import EntityHistory, EntityLake
from drivetrain.serve.entity_messages import (
    Alarm,
    AlarmChange,
    Entity,
    EntityAnswer,
    EntityList,
    Line,
    Recorded,
    Sensed,
)
from drivetrain.serve.predict import explained
from drivetrain.serve.questions import Question
from drivetrain.serve.service import Service
from drivetrain.serve.wording import Reason
from drivetrain.store.files.spreadsheet import to_csv


def answer(service: Service, view: EntityView, question: Question, *, wants_csv: bool) -> bytes:
    """Of all entities or of one: JSON, or its rows as CSV. Raises NotFound; Transient while nothing serves."""
    lake = EntityLake(service.catalog, service.name, view)
    if question.what == "entities":
        return _listed(lake, question, wants_csv=wants_csv)
    return _told(lake, service.standing().champion.contender, question, wants_csv=wants_csv)


def _listed(lake: EntityLake, question: Question, *, wants_csv: bool) -> bytes:
    found = lake.all(question.texts["contains"])
    some = found.slice(question.numbers["offset"], question.numbers["limit"])
    if wants_csv:
        return to_csv(some.set_column(some.column_names.index("alarms"), "alarms", pc.binary_join(some["alarms"], " ")))
    return msgspec.json.encode(EntityList(found.num_rows, [msgspec.convert(row, Entity) for row in some.to_pylist()]))


def _told(lake: EntityLake, champion: Contender, question: Question, *, wants_csv: bool) -> bytes:
    found = lake.one(question.name, max(1, question.numbers["limit"]))
    if wants_csv:
        return to_csv(found.rows)
    release, rule = champion.release, champion.release.saying.rule
    silent = _silent(release.signature)
    inputs = found.inputs.drop_columns([name for name in found.inputs.column_names if name in silent])
    return msgspec.json.encode(
        EntityAnswer(
            found.name,
            found.total,
            str(found.rows["release"][-1].as_py()),
            release.signature.target,
            None if rule.kind == "none" else Line(rule.threshold, rule.below),
            [_alarm(one.outlet, one.raised, one.changes) for one in found.alarms],
            {name: _plain(column[-1].as_py()) for name, column in _columns(inputs)},
            _reasons(champion, found),
            [msgspec.convert(row, Recorded) for row in found.rows.to_pylist()],
            {name: _numbers(column) for name, column in _columns(inputs) if _is_number(column.type)},
        )
    )


def _silent(signature: Signature) -> set[str]:
    """Inputs that are no reading: what stands for a text, and the moment of an event."""
    margins = {field.name for field in signature.inputs if field.of}
    return margins | ({signature.windows.time} if signature.windows else set())


def _reasons(champion: Contender, found: EntityHistory) -> list[Reason]:
    """Why the newest prediction is as it is, where the champion gave it; of inputs that may be seen."""
    signature, said = champion.release.signature, found.rows.slice(found.rows.num_rows - 1)
    if said["release"][0].as_py() != champion.name:
        return []
    (row,) = pack(signature, found.newest)
    code = signature.classes.index(said["class"][0].as_py()) if signature.task is Task.CLASSES else None
    return [reason for reason in explained(champion, row, code) if reason.field in found.inputs.column_names]


def _alarm(outlet: str, raised: bool, changes: pa.Table) -> Alarm:
    return Alarm(outlet, raised, [msgspec.convert(change, AlarmChange) for change in changes.to_pylist()])


def _columns(rows: pa.Table) -> Iterable[tuple[str, pa.ChunkedArray]]:
    return zip(rows.column_names, rows.columns, strict=True)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _plain(value: object) -> Sensed:
    """A value as JSON has it."""
    return value.isoformat() if isinstance(value, date) else msgspec.convert(value, Sensed)


def _numbers(column: pa.ChunkedArray) -> list[float | None]:
    numbers: list[float | None] = column.cast(pa.float64()).to_pylist()
    return numbers
