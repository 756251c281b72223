"""Models with online windows: a caller sends an event, and the row that is scored is made of it and of the past.

All workers of a service append the events they get to one log, and follow it: before a worker computes the windows of
an event it has taken in every event that any worker was sent before. So each has all of the past in its own memory, and
the answer does not depend on who gives it. The log outlives the server. A new one begins with what the lake holds of
the source. Each set of windows has a log of its own; it takes over what the others hear, so that a challenger, and
the release that one goes back to, miss nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import astuple

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import canonical_json, digest_of
from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import Signature
from drivetrain.core.windows import Event, Value, WindowPlan
from drivetrain.ops.events import EventPacker, asked
from drivetrain.ops.retriever import Retriever
from drivetrain.ops.text import Encoders
from drivetrain.ops.windows import WindowState
from drivetrain.serve.items import ItemForm
from drivetrain.serve.rows import RowForm, Rows, entity_bytes
from drivetrain.store.catalog import Catalog
from drivetrain.store.event_log import EventLog
from drivetrain.store.folders import write_file
from drivetrain.store.segments import EVENT_BYTES

FOLDER, COLUMNS = "windows", "columns.json"
_SEEDED_TOGETHER = 10_000
_EVENTS = msgspec.json.Decoder(Event)


class WindowMemory:
    """The past of one plan in one worker. Opened in any thread, used in one."""

    def __init__(self, folder: Path, plan: WindowPlan) -> None:
        self.plan = plan
        self.state = WindowState(plan)
        self._log = EventLog(folder)
        self._folder = folder
        self._followed: list[tuple[EventLog, list[int]]] = []
        self._reach: dict[int, int] = {}  # the newest moment in each file of the log

    def take(self, events: Sequence[Event]) -> list[list[Value]]:
        """Take events in, after all that any worker took in before; the features of each, as at its own moment.

        Raises InvalidInput, and takes none, when one comes too late or from the future; Transient when they cannot be
        written down.
        """
        with self._log.alone():
            self._follow()
            latest = time.time_ns() // 1000 + self.plan.late_micros
            for at, event in enumerate(events):
                self.state.check(event, f"rows[{at}].{self.plan.time}")
                if event.at > latest:
                    raise _in_future(event, latest, f"rows[{at}].{self.plan.time}")
            return self._answered(events)

    def seed(self, catalog: Catalog) -> None:
        """Take in what the log holds; begin a new one with what the lake holds of the source."""
        with self._log.alone():
            if self._log.is_new():
                import drivetrain.store.arrow_alone  # noqa: F401 - Arrow, which few servers need
                from drivetrain.store.history import newest_events  # as above

                self._log.append(b"")
                self._enter_all(newest_events(catalog, self.plan))
            self._follow()

    def follow(self, folder: Path) -> None:
        """Take over what another log holds and will hold, if it has all that is needed; it may be one's own."""
        names, wanted = _columns_of(folder), _names(self.plan)
        if folder != self._folder and set(wanted) <= set(names):
            self._followed.append((EventLog(folder), [names.index(name) for name in wanted]))

    def close(self) -> None:
        """Let go of the logs."""
        self._log.close()
        for log, _ in self._followed:
            log.close()

    def _enter_all(self, events: Iterable[Event]) -> None:
        waiting: list[Event] = []
        for event in events:
            waiting.append(event)
            if len(waiting) == _SEEDED_TOGETHER:
                self._enter(waiting)
                waiting = []
        self._enter(waiting)

    def _answered(self, events: Sequence[Event]) -> list[list[Value]]:
        """One after another in the order of time: what comes last must not make forget what the first one needs."""
        order = sorted(range(len(events)), key=lambda at: events[at].at)
        self._write([events[at] for at in order])
        features: list[list[Value]] = [[]] * len(events)
        for at in order:
            self._add([events[at]])
            features[at] = self.state.features(events[at])
        return features

    def _enter(self, events: Sequence[Event]) -> None:
        self._write(events)
        self._add(events)

    def _write(self, events: Sequence[Event]) -> None:
        """Let the other workers know of the events that are new."""
        if fresh := [event for event in events if not self.state.knows(event)]:
            self._log.append(b"".join([msgspec.json.encode(event) + b"\n" for event in fresh]))

    def _follow(self) -> None:
        content = self._log.news()
        if content:
            self._add(_EVENTS.decode_lines(content))
        for log, places in self._followed:
            if content := log.news():
                whole = _EVENTS.decode_lines(content[: content.rfind(b"\n") + 1])
                self._enter_all(event._replace(values=tuple(event.values[at] for at in places)) for event in whole)

    def _add(self, events: Sequence[Event]) -> None:
        for event in events:
            self.state.add(event)
        number = self._log.number
        if number not in self._reach:
            floor = self.state.floor
            done = [old for old, newest in self._reach.items() if newest < floor]
            self._log.forget(max(done, default=0))
            self._reach = {old: newest for old, newest in self._reach.items() if old not in done}
        self._reach[number] = self.state.newest


class EventForm(RowForm):
    """How the events of one model are written, read, and packed as rows."""

    def __init__(self, signature: Signature, memory: WindowMemory) -> None:
        super().__init__(asked(signature))
        assert self.entity is not None
        self.memory = memory
        self._events = EventPacker(signature)
        self._names = _names(memory.plan)

    def check_columns(self) -> None:
        """Raise InvalidInput: columns and tensors are no events."""
        raise InvalidInput(
            "event_needed",
            "this model takes events, and keeps their windows itself",
            hint="send rows to /v1/predict, as application/json or application/x-ndjson",
        )

    def _packed(self, rows: Sequence[msgspec.Struct], explain: bool) -> Rows:
        if not rows:
            raise InvalidInput("rows_missing", "there is no row to predict", where="rows", hint="send at least one")
        sent = [astuple(row) for row in rows]
        events, recorded = [], []
        for at, values in enumerate(sent):
            where = f"rows[{at}].{self.entity}"
            if values[-1] is None:
                raise InvalidInput(
                    "event_unnamed", "an event needs its name", where=where, hint="so that it counts once if sent again"
                )
            name = entity_bytes(values[-1], where)
            event = self._events.event(name.decode(), values)
            events.append(event)
            recorded.append(self._recorded(name, event, where))
        features = self.memory.take(events)
        packed = [self._events.pack(values, found) for values, found in zip(sent, features, strict=True)]
        return Rows(b"".join(packed), recorded, explain)

    def _recorded(self, name: bytes, event: Event, where: str) -> bytes:
        """The name of an event and, behind it, the event: what the journal holds beside the row."""
        said = {self.memory.plan.time: event.at, **dict(zip(self._names, event.values, strict=True))}
        content = msgspec.json.encode(said)
        if len(content) > EVENT_BYTES:
            raise InvalidInput(
                "event_long", f"the event takes {len(content)} bytes", where=where, hint=f"at most {EVENT_BYTES}"
            )
        return name + b"\n" + content


class Forms:
    """The forms of a service's models; those with the same windows share one memory."""

    def __init__(self, catalog: Catalog, journal: Path) -> None:
        self._catalog = catalog
        self._folder = journal / FOLDER
        self._memories: dict[str, WindowMemory] = {}

    def form(self, signature: Signature, encoders: Encoders, retriever: Retriever | None = None) -> RowForm:
        """How rows of a model are read. Opens, and if it is new fills, the memory of its windows: that takes time."""
        plan = signature.windows
        if retriever is not None:
            return ItemForm(signature, retriever)
        if plan is None:
            return RowForm(signature, encoders)
        key = digest_of(plan)[:16]
        if key not in self._memories:
            folder = self._folder / key
            write_file(folder / COLUMNS, canonical_json(_names(plan)))
            memory = WindowMemory(folder, plan)
            for other in sorted(path.parent for path in self._folder.glob(f"*/{COLUMNS}")):
                memory.follow(other)
            memory.seed(self._catalog)
            for known in self._memories.values():
                known.follow(folder)
            self._memories[key] = memory
        return EventForm(signature, self._memories[key])

    def close(self) -> None:
        """Let go of all memories."""
        for memory in self._memories.values():
            memory.close()


def _names(plan: WindowPlan) -> list[str]:
    return [column.name for column in plan.columns]


def _columns_of(folder: Path) -> list[str]:
    return read_json((folder / COLUMNS).read_bytes(), list[str])


def _in_future(event: Event, latest: int, where: str) -> InvalidInput:
    """One event of next year would make all of today late."""
    return InvalidInput(
        "event_in_future",
        f"the event lies in the future, {(event.at - latest) / 3.6e9:,.1f} hours beyond what is allowed",
        where=where,
        hint="send times in UTC, and check the clock of whoever sends them",
    )
