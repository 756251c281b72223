"""What can leave through an outlet, numbered in its order: predictions of a service, hand-overs, forecasts, orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import pyarrow as pa
import pyarrow.dataset as ds

from drivetrain.core.outlets.outgoing import What
from drivetrain.store.casting import quoted
from drivetrain.store.catalog import Catalog
from drivetrain.store.conversations import FILE, Conversations, HandedOver
from drivetrain.store.forecasts import Forecasts
from drivetrain.store.journal import NUMBER, output_columns, roll
from drivetrain.store.tables import Table

_OF_PREDICTIONS = {
    NUMBER: NUMBER, "prediction_id": "prediction_id", "predicted_at": '"at" AS predicted_at', "release": "release",
    "caller": "caller", "entity": "entity", "score": "score", "decision": "decision", "inputs": "inputs",
}  # fmt: skip
"""What an expression may name beside the outputs, and what it is in the lake: ``at`` is a word of DuckDB's own."""
_TEXTS = (
    "prediction_id", "session", "queue", "priority", "intent", "message", "slots", "transcript", "language", "caller",
    "release",
)  # fmt: skip
_HAND_OVERS = pa.schema(
    [(NUMBER, pa.int64()), ("handed_over_at", pa.timestamp("us", tz="UTC")), *((name, pa.string()) for name in _TEXTS)]
)


class Departing(Protocol):
    """Rows that may leave; each has a ``number``, and a ``prediction_id`` that is its key."""

    def end(self) -> tuple[int, str]:
        """The newest number, 0 before the first row, and a name that is another one when all was made anew."""
        ...

    def exists(self) -> bool:
        """Whether there was ever a row."""
        ...

    def rows(self) -> ds.Dataset | pa.Table:
        """The rows as they are now."""
        ...

    def view(self, entity: str) -> Mapping[str, str]:
        """What an expression may name, and what that is in ``rows``; ``entity`` is what the project calls theirs."""
        ...

    def as_it_is(self, entity: str) -> Sequence[str]:
        """The columns that leave when nobody names any."""
        ...


class Predictions:
    """The predictions of a service, in the lake."""

    def __init__(self, catalog: Catalog, service: str) -> None:
        self._catalog, self._service = catalog, service
        self._table = Table(catalog.table_path("predictions", service))

    def end(self) -> tuple[int, str]:
        """Of the lake, after what is left in the journal has moved there."""
        roll(self._catalog, self._service)
        state = self._table.state()
        return (state.commit.rows, self._table.identity()) if state else (0, "")

    def exists(self) -> bool:
        """See Departing."""
        return self._table.exists()

    def rows(self) -> ds.Dataset:
        """See Departing."""
        return self._table.dataset()

    def view(self, entity: str) -> Mapping[str, str]:
        """See Departing."""
        schema = self._table.schema()
        said = [*output_columns(schema), *(["event"] if "event" in schema.names else [])]
        names = {**_OF_PREDICTIONS, **{name: quoted(name) for name in said}}
        return names if entity in names else {**names, entity: f"entity AS {quoted(entity)}"}

    def as_it_is(self, entity: str) -> Sequence[str]:
        """See Departing."""
        outputs = output_columns(self._table.schema())
        return ("prediction_id", entity, "score", "decision", *outputs, "release", "predicted_at")


class HandOvers:
    """The hand-overs of a service, from its conversations: what was forgotten does not leave any more.

    ``prediction_id`` is the session: a conversation is handed over once.
    """

    def __init__(self, catalog: Catalog, service: str) -> None:
        self._journal = catalog.journal_path(service)

    def end(self) -> tuple[int, str]:
        """See Departing."""
        found = self._all()
        return (found[-1].number if found else 0), ""

    def exists(self) -> bool:
        """See Departing."""
        return (self._journal / FILE).exists()

    def rows(self) -> pa.Table:
        """See Departing."""
        return pa.Table.from_pylist([_row(one) for one in self._all()], schema=_HAND_OVERS)

    def view(self, entity: str) -> Mapping[str, str]:
        """See Departing."""
        return {name: name for name in _HAND_OVERS.names}

    def as_it_is(self, entity: str) -> Sequence[str]:
        """See Departing."""
        return [name for name in _HAND_OVERS.names if name not in (NUMBER, "prediction_id")]

    def _all(self) -> tuple[HandedOver, ...]:
        if not self.exists():
            return ()
        kept = Conversations(self._journal)
        try:
            return kept.handed_over()
        finally:
            kept.close()


class FromForecasts:
    """Forecasts of a service, or its orders: run by run, in the order in which they were made."""

    def __init__(self, catalog: Catalog, service: str, of: What) -> None:
        self._kept, self._of = Forecasts(catalog, service), of
        self._read: tuple[tuple[str, int], pa.Table] | None = None

    def end(self) -> tuple[int, str]:
        """See Departing."""
        return (self.rows().num_rows, self._kept.state()[0]) if self.exists() else (0, "")

    def exists(self) -> bool:
        """See Departing."""
        return self._kept.exists()

    def rows(self) -> pa.Table:
        """See Departing. Read again when there is another run."""
        state = self._kept.state()
        if self._read is None or self._read[0] != state:
            found = self._kept.made() if self._of == "forecasts" else self._kept.ordered()
            self._read = state, found.add_column(0, NUMBER, pa.array(range(1, found.num_rows + 1), pa.int64()))
        return self._read[1]

    def view(self, entity: str) -> Mapping[str, str]:
        """See Departing."""
        return {name: quoted(name) for name in self.rows().column_names}

    def as_it_is(self, entity: str) -> Sequence[str]:
        """See Departing."""
        return [name for name in self.rows().column_names if name not in (NUMBER, "prediction_id")]


def departing(of: What, catalog: Catalog, service: str) -> Departing:
    """What an outlet is of."""
    if of in ("forecasts", "orders"):
        return FromForecasts(catalog, service, of)
    return HandOvers(catalog, service) if of == "hand_overs" else Predictions(catalog, service)


def _row(one: HandedOver) -> dict[str, object]:
    over = one.hand_over
    return {
        NUMBER: one.number,
        "prediction_id": one.session,
        "session": one.session,
        "handed_over_at": datetime.fromisoformat(one.at),
        "queue": over.queue,
        "priority": over.priority,
        "intent": over.intent,
        "message": over.message,
        "slots": msgspec.json.encode(over.slots).decode(),
        "language": over.language,
        "caller": over.caller,
        "release": over.release,
        "transcript": "\n".join(f"{line.who}: {line.text}" for line in one.transcript),
    }
