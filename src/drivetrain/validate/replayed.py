"""Models with windows on the served path: the events of the source again, in the order of their moments.

The past of the source is taken in as a server takes it in; each test row is sent as the event that it was, as JSON,
and its windows are computed from what was known until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec
import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.core.windows import Event, Value, WindowPlan
from drivetrain.ops.events import EventPacker, asked
from drivetrain.ops.rows import row_type
from drivetrain.ops.windows import WindowState
from drivetrain.store.history import events
from drivetrain.store.tables import Table
from drivetrain.validate.evidence import Evidence

_TOLERANCE = 1e-6
"""Of single precision: two sums that differ in their last bit may be rounded to neighbours."""


def replay(evidence: Evidence, rows: int) -> NDArray[np.float64]:
    """The first ``rows`` test rows as a server packs their events, [rows, F].

    Raises InvalidInput when a test row is no event of the source, or when a server would refuse it.
    """
    path = _EventPath(evidence.content.signature)
    places = {name: row for row, name in enumerate(map(str, evidence.test.entity.slice(0, rows).to_pylist()))}
    packed = np.empty((rows, len(evidence.content.signature.inputs)))
    left = set(places)
    sent = [name for name in asked(evidence.content.signature).names if name in evidence.test.inputs.column_names]
    others = evidence.test.inputs.select(sent).slice(0, rows).to_pylist()
    for event in _past(evidence, path.plan):
        row = places.get(event.name)
        if row is None:
            path.state.add(event)
        else:
            packed[row] = path.pack(event, others[row])
            left.discard(event.name)
    if left:
        raise InvalidInput(
            "event_missing",
            f"{len(left):,} test rows are no events of {path.plan.source!r}, such as {min(left)}",
            where=path.plan.entity,
            hint="the spine and the online table must name the same cases",
        )
    return packed


def differing(signature: Signature, served: NDArray[np.float64], made: NDArray[np.float64]) -> str:
    """The window that the served path computes otherwise than the SQL, in words; empty when there is none."""
    windows = set(signature.windows.names if signature.windows else ())
    for at, name in enumerate(signature.names):
        one, other = served[:, at], made[:, at]
        with np.errstate(invalid="ignore"):
            near = np.abs(one - other) <= _TOLERANCE * np.maximum(1.0, np.abs(other))
        wrong = np.flatnonzero(~(near | (np.isnan(one) & np.isnan(other))))
        if name in windows and len(wrong):
            row = wrong[0]
            return f"{name!r} is computed online as {one[row]:.9g}, by the SQL as {other[row]:.9g}, " + (
                f"in {len(wrong):,} rows of {len(served):,}"
            )
    return ""


class _EventPath:
    """From an event to its packed row, by the code that the server uses."""

    def __init__(self, signature: Signature) -> None:
        assert signature.windows is not None
        self.plan = signature.windows
        self.state = WindowState(self.plan)
        self._asked = asked(signature)
        self._decode = msgspec.json.Decoder(row_type(self._asked, signature.entity)).decode
        self._entity = signature.entity
        self._events = EventPacker(signature)

    def pack(self, event: Event, others: Mapping[str, object]) -> NDArray[np.float64]:
        """The packed row [F] of an event; ``others`` are the inputs that are not part of it."""
        given = dict(zip([column.name for column in self.plan.columns], event.values, strict=True))
        given[self.plan.time] = event.at / 1e6
        row = {field.name: _wire(field, given[field.name]) for field in self._asked.inputs if field.name in given}
        body = msgspec.json.encode({**others, **row, self._entity: event.name})
        try:
            values = astuple(self._decode(body))
        except msgspec.DecodeError as error:
            raise InvalidInput("row_refused", f"a server would refuse a test row: {error}") from error
        told = self._events.event(event.name, values)
        self.state.add(told)
        return np.frombuffer(self._events.pack(values, self.state.features(told)))


def _past(evidence: Evidence, plan: WindowPlan) -> Iterator[Event]:
    """The events of the source as the features were made from it."""
    version = next(int(ref.version) for ref in evidence.features.parents if ref.name == plan.source)
    return events(Table(evidence.catalog.table_path("datasets", plan.source)).dataset(version), plan)


def _wire(field: InputField, value: Value) -> object:
    """A value as a caller writes it."""
    if value is None or isinstance(value, str):
        return value
    if field.type is ColumnType.BOOLEAN:
        return bool(value)
    if field.type is ColumnType.INTEGER:
        return int(value)
    if field.type is ColumnType.TIMESTAMP:
        return datetime.fromtimestamp(value, UTC)
    return datetime.fromtimestamp(value, UTC).date() if field.type is ColumnType.DATE else value
